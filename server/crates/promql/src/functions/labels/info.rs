//! `info`: labels of info metrics added to the series they describe.
//!
//! An info series describes those with the same `job` and `instance`. Source: `promql/info.go` in
//! Prometheus.

use std::collections::{BTreeMap, HashMap};

use model::{Labels, MatchOp, Matcher, Timestamp, labels::METRIC_NAME};

use crate::{
    engine::EvalError,
    eval::{Evaluator, Row, Steps, Values, is_absent, merge_same_labels},
    functions::Special,
    parser::{At, Call, Expr, ExprKind, Length, Number, Selector, ValueType},
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
        let is_positive = |m: &Matcher| matches!(m.op, MatchOp::Equal | MatchOp::Regex);
        if !names.iter().any(is_positive) {
            // What is excluded does not tell which metrics to consider.
            names.extend(Matcher::try_new(METRIC_NAME, MatchOp::Regex, ".+_info"));
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
    let mut index = InfoIndex::new();
    for name in IDENTIFYING {
        let mut values: Vec<&str> =
            rows.iter().map(|row| row.labels.value_or_empty(name)).collect();
        values.sort_unstable();
        values.dedup();
        // Series without the label are described by info series without it.
        let pattern: Vec<String> = values.into_iter().map(regex::escape).collect();
        let matcher = Matcher::try_new(name, MatchOp::Regex, pattern.join("|"))
            .map_err(|error| EvalError::Execution(error.to_string()))?;
        matchers.push(matcher);
    }
    let has_identity = |row: &&Row| IDENTIFYING.iter().any(|name| row.labels.get(name).is_some());
    if !rows.iter().any(has_identity) {
        return Ok(index);
    }
    matchers.extend(request.data.iter().cloned());
    let (at, offset) = time_of(evaluator, described)?;
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

/// The time at which all selectors of what is described look, which holds for the info series too. When
/// they look at different times it is that of the evaluation.
fn time_of(
    evaluator: &Evaluator<'_>,
    expr: &Expr,
) -> Result<(Option<At>, Option<Length>), EvalError> {
    let mut found = References { evaluator, all: Vec::new(), has_none: false };
    found.visit(expr, Reference::default())?;
    let Some(first) = found.all.first().copied() else { return Ok((None, None)) };
    if found.has_none || found.all.iter().any(|other| !first.is_same(*other)) {
        return Ok((None, None));
    }
    let seconds = Number { value: first.offset_ms as f64 / 1000.0, is_duration: true };
    Ok((first.at.map(At::Timestamp), Some(Length::Literal(seconds))))
}

/// When a selector looks: at a fixed time or that of the evaluation, so much earlier.
#[derive(Debug, Clone, Copy, Default)]
struct Reference {
    at: Option<Timestamp>,
    offset_ms: i64,
}

impl Reference {
    fn is_same(self, other: Self) -> bool {
        match (self.at, other.at) {
            (Some(at), Some(other_at)) => {
                at.saturating_sub(self.offset_ms) == other_at.saturating_sub(other.offset_ms)
            }
            (None, None) => self.offset_ms == other.offset_ms,
            _ => false,
        }
    }
}

/// The times of all selectors of an expression.
struct References<'a> {
    evaluator: &'a Evaluator<'a>,
    all: Vec<Reference>,
    /// Whether a part of the expression is a vector without any selector.
    has_none: bool,
}

impl References<'_> {
    /// Whether there is a selector. A time modifier inside stands before those around it.
    fn visit(&mut self, expr: &Expr, around: Reference) -> Result<bool, EvalError> {
        if !matches!(expr.value_type(), ValueType::Vector | ValueType::Matrix) {
            return Ok(false);
        }
        let (selector, subquery) = match &expr.kind {
            ExprKind::Selector(selector) => (Some(selector), None),
            ExprKind::Range(range) => (Some(&range.selector), None),
            ExprKind::Subquery(subquery) => (None, Some(&**subquery)),
            _ => (None, None),
        };
        if let Some(selector) = selector {
            let reference = self.within(selector.at, selector.offset.as_ref(), around)?;
            self.all.push(reference);
            return Ok(true);
        }
        let around = match subquery {
            Some(subquery) => self.within(subquery.at, subquery.offset.as_ref(), around)?,
            None => around,
        };
        let is_info = matches!(&expr.kind,
            ExprKind::Call(call) if call.function.special == Special::Info);
        let mut children = expr.children();
        if is_info {
            children.truncate(1);
        }
        let mut has_selector = false;
        for child in children {
            has_selector |= self.visit(child, around)?;
        }
        self.has_none |= !has_selector;
        Ok(has_selector)
    }

    fn within(
        &self,
        at: Option<At>,
        offset: Option<&Length>,
        around: Reference,
    ) -> Result<Reference, EvalError> {
        let offset_ms = self.evaluator.offset_ms(offset)?;
        Ok(match self.evaluator.at(at) {
            Some(at) => Reference { at: Some(at), offset_ms },
            None => Reference { offset_ms: around.offset_ms.saturating_add(offset_ms), ..around },
        })
    }
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
