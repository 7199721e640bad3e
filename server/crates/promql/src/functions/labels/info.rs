//! `info`: labels of info metrics added to the series they describe.
//!
//! An info series describes those with the same `job` and `instance`. Source: `promql/info.go` in
//! Prometheus.

use std::collections::{BTreeMap, HashMap};

use model::{Labels, MatchOp, Matcher, labels::METRIC_NAME};

use crate::{
    engine::EvalError,
    eval::{Evaluator, Row, Steps, Values, is_absent, merge_same_labels},
    parser::{At, Call, Expr, ExprKind, Length, Selector},
};

const IDENTIFYING: [&str; 2] = ["instance", "job"];

/// The info metric used when none is named.
const TARGET_INFO: &str = "target_info";

/// `info`
pub(crate) fn info_rows(
    evaluator: &Evaluator<'_>,
    call: &Call,
    steps: Steps,
) -> Result<Vec<Row>, EvalError> {
    let rows = evaluator.rows(&call.args[0], steps)?;
    let request = match call.args.get(1).map(|arg| &arg.unwrapped().kind) {
        Some(ExprKind::Selector(selector)) => Request::new(selector.all_matchers()),
        _ => Request::new(vec![Matcher::equal(METRIC_NAME, TARGET_INFO)]),
    };
    let is_info = |row: &Row| request.is_info_metric(&row.labels);
    let described: Vec<&Row> = rows.iter().filter(|row| !is_info(row)).collect();
    let info = read_info(evaluator, &request, &described, &call.args[0], steps)?;
    let mut out = Vec::with_capacity(rows.len());
    for row in &rows {
        if is_info(row) {
            out.push(row.clone());
        } else {
            enrich(row, &info, &request, steps, &mut out)?;
        }
    }
    evaluator.release_rows(rows.len(), steps);
    let out = merge_same_labels(out)?;
    evaluator.hold(out.len() * steps.count)?;
    Ok(out)
}

/// What the second argument asks for.
struct Request {
    names: Vec<Matcher>,
    data: Vec<Matcher>,
    asks_for_name: bool,
}

impl Request {
    fn new(matchers: Vec<Matcher>) -> Self {
        let (mut names, data): (Vec<Matcher>, Vec<Matcher>) =
            matchers.into_iter().partition(|matcher| matcher.name == METRIC_NAME);
        let asks_for_name = !names.is_empty();
        if !asks_for_name {
            names.push(Matcher::equal(METRIC_NAME, TARGET_INFO));
        }
        Self { names, data, asks_for_name }
    }

    /// Series that are info metrics themselves are left as they are, if they are asked for by name.
    fn is_info_metric(&self, labels: &Labels) -> bool {
        let name = labels.metric_name().unwrap_or_default();
        self.asks_for_name && self.names.iter().all(|matcher| matcher.matches(name))
    }

    fn wants(&self, label: &str) -> bool {
        self.data.is_empty() || self.data.iter().any(|matcher| matcher.name == label)
    }

    /// Whether a series stays when nothing describes it.
    fn allows_nothing(&self) -> bool {
        self.data.iter().all(|matcher| matcher.matches(""))
    }
}

/// An info series: its labels and, per step, when its sample was taken.
struct InfoSeries {
    labels: Labels,
    times: Vec<f64>,
}

/// Info series by what identifies the series they describe, then by metric.
type InfoIndex = HashMap<String, BTreeMap<String, Vec<InfoSeries>>>;

fn identity(labels: &Labels) -> String {
    let mut key = String::new();
    labels.project_into(&mut key, |name| IDENTIFYING.contains(&name));
    key
}

fn read_info(
    evaluator: &Evaluator<'_>,
    request: &Request,
    rows: &[&Row],
    described: &Expr,
    steps: Steps,
) -> Result<InfoIndex, EvalError> {
    let mut matchers = request.names.clone();
    for name in IDENTIFYING {
        let mut values: Vec<&str> = rows.iter().filter_map(|row| row.labels.get(name)).collect();
        values.sort_unstable();
        values.dedup();
        if values.is_empty() {
            continue;
        }
        let pattern: Vec<String> = values.into_iter().map(regex::escape).collect();
        let matcher = Matcher::try_new(name, MatchOp::Regex, pattern.join("|"))
            .map_err(|error| EvalError::Execution(error.to_string()))?;
        matchers.push(matcher);
    }
    let mut index = InfoIndex::new();
    if matchers.len() == request.names.len() {
        return Ok(index);
    }
    matchers.extend(request.data.iter().cloned());
    let (at, offset) = time_of(described);
    let selector = Selector { matchers, offset, at, ..Selector::default() };
    evaluator.stream_selected(&selector, steps, &mut |row, times| {
        if row.values.histograms.is_some() {
            return Err(EvalError::Execution(format!(
                "this should be an info metric, with float samples: {}",
                row.labels
            )));
        }
        let times = times
            .iter()
            .zip(&row.values.floats)
            .map(|(time, value)| if is_absent(*value) { f64::NAN } else { *time })
            .collect();
        let metric = row.labels.metric_name().unwrap_or_default().to_owned();
        let series = InfoSeries { labels: row.labels.clone(), times };
        index.entry(identity(row.labels)).or_default().entry(metric).or_default().push(series);
        Ok(())
    })?;
    Ok(index)
}

/// The time modifiers of the first selector of what is described; they hold for the info series too.
fn time_of(expr: &Expr) -> (Option<At>, Option<Length>) {
    let selectors = expr.selectors();
    selectors.first().map_or((None, None), |selector| (selector.at, selector.offset.clone()))
}

/// The series with the labels of what describes it, which may differ from step to step.
fn enrich(
    row: &Row,
    info: &InfoIndex,
    request: &Request,
    steps: Steps,
    out: &mut Vec<Row>,
) -> Result<(), EvalError> {
    let metrics = info.get(&identity(&row.labels));
    let mut variants: Vec<(Vec<usize>, Row)> = Vec::new();
    for step in 0..steps.count {
        let Some(point) = row.values.point(step) else { continue };
        let mut chosen = Vec::new();
        for series in metrics.iter().flat_map(|metrics| metrics.values()) {
            chosen.push(newest(series, step)?.map_or(0, |i| i + 1));
        }
        if chosen.iter().all(|i| *i == 0) && !request.allows_nothing() {
            continue;
        }
        let known = variants.iter().position(|(known, _)| *known == chosen);
        let place = if let Some(place) = known {
            place
        } else {
            let labels = described_labels(row, metrics, &chosen, request)?;
            let values = Values::absent(steps.count);
            variants.push((chosen, Row { labels, drop_name: row.drop_name, values }));
            variants.len() - 1
        };
        variants[place].1.values.set_point(step, point);
    }
    out.extend(variants.into_iter().map(|(_, row)| row));
    Ok(())
}

/// Which info series of a metric has the newest sample at a step.
fn newest(series: &[InfoSeries], step: usize) -> Result<Option<usize>, EvalError> {
    let mut best: Option<usize> = None;
    for (i, candidate) in series.iter().enumerate() {
        let time = candidate.times[step];
        if time.is_nan() {
            continue;
        }
        match best {
            Some(known) if series[known].times[step] == time => {
                let at = (time * 1000.0) as i64;
                return Err(EvalError::Execution(format!(
                    "found duplicate series for info metric: existing {} @ {at}, new {} @ {at}",
                    series[known].labels, candidate.labels
                )));
            }
            Some(known) if series[known].times[step] > time => {}
            _ => best = Some(i),
        }
    }
    Ok(best)
}

fn described_labels(
    row: &Row,
    metrics: Option<&BTreeMap<String, Vec<InfoSeries>>>,
    chosen: &[usize],
    request: &Request,
) -> Result<Labels, EvalError> {
    let mut added: BTreeMap<&str, &str> = BTreeMap::new();
    let all = metrics.into_iter().flat_map(|metrics| metrics.values());
    for (series, i) in all.zip(chosen) {
        let Some(series) = i.checked_sub(1).map(|i| &series[i]) else { continue };
        for (name, value) in &series.labels {
            if name == METRIC_NAME || !request.wants(name) {
                continue;
            }
            if added.get(name).is_some_and(|known| *known != value) {
                return Err(EvalError::Execution(format!("conflicting label: {name}")));
            }
            if row.labels.get(name).is_none() {
                added.insert(name, value);
            }
        }
    }
    let mut labels = row.labels.to_builder();
    for (name, value) in added {
        labels.set(name, value);
    }
    Ok(labels.build())
}
