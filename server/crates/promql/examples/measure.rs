//! Temporary measurement.
use model::{
    Column, Labels, Metadata, Sample, Storage, StorageError, Value,
    storage::{Select, Selection},
};
use std::io::Write;
struct Store {
    labels: Vec<Labels>,
    columns: Vec<Column>,
}
struct Sel<'a> {
    store: &'a Store,
    picked: Vec<usize>,
    labels: Vec<Labels>,
    start: i64,
    end: i64,
}
impl Selection for Sel<'_> {
    fn labels(&self) -> &[Labels] {
        &self.labels
    }
    fn read(&self, i: usize, out: &mut Column) -> Result<(), StorageError> {
        out.clear();
        let c = &self.store.columns[self.picked[i]];
        let a = c.float_times.partition_point(|t| *t < self.start);
        let b = c.float_times.partition_point(|t| *t <= self.end);
        out.float_times.extend_from_slice(&c.float_times[a..b]);
        out.floats.extend_from_slice(&c.floats[a..b]);
        let a = c.histogram_times.partition_point(|t| *t < self.start);
        let b = c.histogram_times.partition_point(|t| *t <= self.end);
        out.histogram_times.extend_from_slice(&c.histogram_times[a..b]);
        out.histograms.extend_from_slice(&c.histograms[a..b]);
        Ok(())
    }
    fn latest(&self, i: usize) -> Result<Option<Sample>, StorageError> {
        let c = &self.store.columns[self.picked[i]];
        let b = c.float_times.partition_point(|t| *t <= self.end);
        Ok((b > 0 && c.float_times[b - 1] >= self.start).then(|| Sample {
            timestamp: c.float_times[b - 1],
            value: Value::Float(c.floats[b - 1]),
        }))
    }
}
impl Storage for Store {
    fn select(&self, r: &Select<'_>) -> Result<Box<dyn Selection + '_>, StorageError> {
        let picked: Vec<usize> = (0..self.labels.len())
            .filter(|i| r.matchers.iter().all(|m| m.matches_labels(&self.labels[*i])))
            .collect();
        let labels = picked.iter().map(|i| self.labels[*i].clone()).collect();
        Ok(Box::new(Sel { store: self, picked, labels, start: r.start, end: r.end }))
    }
    fn series(&self, _: &Select<'_>) -> Result<Vec<Labels>, StorageError> {
        Ok(vec![])
    }
    fn label_names(&self, _: &Select<'_>) -> Result<Vec<String>, StorageError> {
        Ok(vec![])
    }
    fn label_values(&self, _: &str, _: &Select<'_>) -> Result<Vec<String>, StorageError> {
        Ok(vec![])
    }
    fn metadata(&self) -> Vec<Metadata> {
        vec![]
    }
}
fn main() {
    let mut out = std::io::stdout().lock();
    let mut store = Store { labels: vec![], columns: vec![] };
    for (name, n, samples) in [("x_total", 1000, 8640), ("g", 100, 8640), ("inst", 10000, 30)] {
        for i in 0..n {
            store.labels.push(Labels::from_pairs([
                ("__name__", name),
                ("service", &format!("s{}", i % 20)),
                ("instance", &format!("i{i:05}")),
                ("region", "eu-west-1"),
            ]));
            let mut c = Column::default();
            for s in 0..samples {
                c.push_float(
                    s * 10_000 + 86_400_000 - samples * 10_000,
                    if name == "x_total" {
                        (s * (i % 7 + 1)) as f64 % 5000.0
                    } else {
                        ((s * 7919 + i * 31) % 1000) as f64 / 3.0
                    },
                );
            }
            store.columns.push(c);
        }
    }
    for i in 0..100 {
        store.labels.push(Labels::from_pairs([("__name__", "h"), ("instance", &format!("i{i}"))]));
        let mut c = Column::default();
        for s in 0..2160_i64 {
            let positive: Vec<f64> = (0..60).map(|b| (s * ((b * 7 + i) % 11)) as f64).collect();
            let count = positive.iter().sum();
            let h = model::NativeHistogram {
                schema: 3,
                positive_spans: vec![model::histogram::Span { offset: -20, length: 60 }],
                positive,
                count,
                sum: count * 2.0,
                ..Default::default()
            };
            c.push(
                s * 10_000 + 86_400_000 - 2160 * 10_000,
                Value::Histogram(std::sync::Arc::new(h)),
            );
        }
        store.columns.push(c);
    }
    let engine = promql::Engine::default();
    let end = 86_400_000;
    let ctx = promql::Context::default();
    for (text, hours, step) in [
        ("x_total{instance=\"i00000\"}", 1, 10),
        ("sum by (service)(rate(x_total[5m]))", 6, 30),
        ("sum by (service)(rate(x_total[5m]))", 24, 120),
        ("topk(10, inst)", 0, 1),
        ("inst > 300", 0, 1),
        ("max_over_time(g[24h])", 0, 1),
        ("max_over_time(g[1h])", 24, 60),
        ("quantile_over_time(0.9, g[24h])", 0, 1),
        ("quantile_over_time(0.9, g[1h])", 24, 60),
        ("avg_over_time(g[1h])", 24, 60),
        ("histogram_quantile(0.99, sum(rate(h[5m])))", 6, 30),
        ("x_total / on(instance) g", 6, 30),
    ] {
        let expr = promql::parse(text).unwrap();
        let mut best = f64::MAX;
        for _ in 0..7 {
            let t = std::time::Instant::now();
            let r = if hours == 0 {
                engine.instant(&store, &expr, end, &ctx)
            } else {
                engine.range(
                    &store,
                    &expr,
                    promql::Range { start: end - hours * 3_600_000, end, step_ms: step * 1000 },
                    &ctx,
                )
            };
            r.unwrap();
            best = best.min(t.elapsed().as_secs_f64() * 1000.0);
        }
        writeln!(out, "{best:9.3} ms  {text} {hours}h/{step}s").unwrap();
    }
}
