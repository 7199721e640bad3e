//! Which metrics of a service tell its rate, errors and duration. There is no configuration for it: the
//! usual names are recognized, and what is chosen is shown with its query on the service's page.

use model::MetricKind;

use super::inventory::Metric;

/// Counters of requests, the most telling word first.
const RATE_WORDS: [&str; 9] =
    ["request", "hits", "calls", "queries", "messages", "jobs", "orders", "events", "processed"];
/// Durations, the most telling word first.
const DURATION_WORDS: [&str; 6] =
    ["duration", "latency", "response_time", "elapsed", "time", "took"];
/// Counters of failures.
const ERROR_WORDS: [&str; 4] = ["error", "fail", "exception", "rejected"];
/// Labels with an HTTP status.
const STATUS_LABELS: [&str; 4] = ["status", "status_code", "code", "http_status"];
/// Labels that say how something went.
const OUTCOME_LABELS: [&str; 2] = ["outcome", "result"];

/// A counter to take the rate of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RateSource {
    /// A counter.
    Counter(String),
    /// The number of observations of a histogram.
    Histogram(String),
}

/// Where failures are counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ErrorSource {
    /// The rate's own counter, where these matchers hold.
    Matching(String),
    /// A counter of its own.
    Counter(String),
}

/// What tells the rate, errors and duration of a service; parts that nothing tells are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Red {
    pub(crate) rate: Option<RateSource>,
    pub(crate) errors: Option<ErrorSource>,
    /// A histogram and the factor that makes its values seconds: 1 or 0.001.
    pub(crate) duration: Option<(String, bool)>,
}

/// Chooses from the metrics of one service.
pub(crate) fn choose(metrics: &[Metric]) -> Red {
    let histograms = || metrics.iter().filter(|m| m.kind == MetricKind::Histogram);
    let counters = || metrics.iter().filter(|m| m.kind == MetricKind::Counter);
    let duration = best(histograms(), &DURATION_WORDS).or_else(|| histograms().next());
    let is_error = |m: &&Metric| ERROR_WORDS.iter().any(|word| m.name.contains(word));
    let rate_counter = best(counters().filter(|m| !is_error(m)), &RATE_WORDS);
    let rate = match (rate_counter, duration) {
        (Some(counter), _) => Some(RateSource::Counter(counter.name.clone())),
        (None, Some(histogram)) => Some(RateSource::Histogram(histogram.name.clone())),
        (None, None) => None,
    };
    let rated = rate_counter.or(duration);
    let errors = rated.and_then(error_matchers).map(ErrorSource::Matching).or_else(|| {
        let counter = best(counters(), &ERROR_WORDS)?;
        Some(ErrorSource::Counter(counter.name.clone()))
    });
    let duration = duration.map(|m| (m.name.clone(), is_seconds(m)));
    Red { rate, errors, duration }
}

/// The metric with the most telling word; of several the shortest, then the first name.
fn best<'a>(metrics: impl Iterator<Item = &'a Metric>, words: &[&str]) -> Option<&'a Metric> {
    metrics
        .filter_map(|metric| {
            let rank = words.iter().position(|word| metric.name.contains(word))?;
            Some((rank, metric.name.len(), metric))
        })
        .min_by(|a, b| (a.0, a.1, &a.2.name).cmp(&(b.0, b.1, &b.2.name)))
        .map(|(_, _, metric)| metric)
}

fn error_matchers(metric: &Metric) -> Option<String> {
    let has = |label: &&&str| metric.labels.contains(**label);
    if let Some(label) = STATUS_LABELS.iter().find(has) {
        return Some(format!("{label}=~\"5..|error|failed|failure\""));
    }
    let label = OUTCOME_LABELS.iter().find(has)?;
    Some(format!("{label}=~\"error|errors|fail.*|exception|timeout\""))
}

/// StatsD timers are milliseconds unless the name says otherwise.
fn is_seconds(metric: &Metric) -> bool {
    metric.unit != "milliseconds" && metric.name.contains("seconds")
}

impl Red {
    /// Requests per second by service, of those that `selector` matches (`service="a"`).
    pub(crate) fn rate_expr(&self, selector: &str) -> Option<String> {
        Some(rate_expr(self.rate.as_ref()?, selector))
    }

    /// The share of requests that fail by service; 0 where there are requests and no failure.
    pub(crate) fn error_ratio_expr(&self, selector: &str) -> Option<String> {
        let rate = self.rate.as_ref()?;
        let all = rate_expr(rate, selector);
        let failed = match self.errors.as_ref()? {
            ErrorSource::Matching(matchers) => rate_expr(rate, &format!("{selector}, {matchers}")),
            ErrorSource::Counter(name) => rate_expr(&RateSource::Counter(name.clone()), selector),
        };
        Some(format!("({failed} or 0 * {all}) / ({all} > 0)"))
    }

    /// A percentile of the duration in seconds by service.
    pub(crate) fn duration_expr(&self, percentile: f64, selector: &str) -> Option<String> {
        let (name, is_seconds) = self.duration.as_ref()?;
        let quantile = format!(
            "histogram_quantile({percentile}, sum by (service) (rate({name}{{{selector}}}[5m])))"
        );
        Some(if *is_seconds { quantile } else { format!("{quantile} / 1000") })
    }
}

fn rate_expr(source: &RateSource, selector: &str) -> String {
    match source {
        RateSource::Counter(name) => format!("sum by (service) (rate({name}{{{selector}}}[5m]))"),
        RateSource::Histogram(name) => {
            format!("sum by (service) (histogram_count(rate({name}{{{selector}}}[5m])))")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str, kind: MetricKind, labels: &[&str]) -> Metric {
        Metric {
            name: name.into(),
            kind,
            unit: String::new(),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        }
    }

    #[test]
    fn the_usual_names_are_recognized() {
        use MetricKind::{Counter, Gauge, Histogram};
        let counter = |name: &str| Some(RateSource::Counter(name.into()));
        let rows = [
            (
                "requests with a status",
                vec![
                    metric("http_requests", Counter, &["service", "status"]),
                    metric("http_request_duration", Histogram, &["service"]),
                    metric("queue_size", Gauge, &["service"]),
                ],
                counter("http_requests"),
                Some(ErrorSource::Matching("status=~\"5..|error|failed|failure\"".into())),
                Some(("http_request_duration".into(), false)),
            ),
            (
                "a counter of errors",
                vec![metric("calls", Counter, &[]), metric("calls_failed", Counter, &[])],
                counter("calls"),
                Some(ErrorSource::Counter("calls_failed".into())),
                None,
            ),
            (
                "only a timer",
                vec![metric("render_seconds", Histogram, &["outcome"])],
                Some(RateSource::Histogram("render_seconds".into())),
                Some(ErrorSource::Matching(
                    "outcome=~\"error|errors|fail.*|exception|timeout\"".into(),
                )),
                Some(("render_seconds".into(), true)),
            ),
            ("nothing telling", vec![metric("queue_size", Gauge, &[])], None, None, None),
        ];
        for (name, metrics, rate, errors, duration) in rows {
            assert_eq!(choose(&metrics), Red { rate, errors, duration }, "{name}");
        }
    }

    #[test]
    fn the_expressions_are_promql() {
        let metrics = [
            metric("http_requests", MetricKind::Counter, &["status"]),
            metric("http_duration", MetricKind::Histogram, &[]),
        ];
        let red = choose(&metrics);
        let selector = "service=\"a\"";
        for expr in [
            red.rate_expr(selector),
            red.error_ratio_expr(selector),
            red.duration_expr(0.95, selector),
        ] {
            promql::parse(&expr.unwrap()).unwrap();
        }
    }
}
