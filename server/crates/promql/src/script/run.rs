//! Running a script.

use std::{collections::BTreeMap, fmt::Write as _};

use model::{Labels, Timestamp, Value};

use super::{
    MemoryStorage, SeriesLine, classic,
    command::{CommandKind, Eval, Expect, What, When, parse_script},
    compare::{almost_equal, points_match},
    pinned,
};
use crate::{
    Context, Engine, Level, Options, Output, Point, QueryValue, Range, VectorSample, parse,
    parser::{At, Expr, ExprKind, ParseError, ValueType},
};

/// How a script went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The script's name.
    pub name: String,
    /// How many evaluations it has.
    pub total: usize,
    /// How many gave what was expected.
    pub passed: usize,
    /// The others.
    pub failures: Vec<Failure>,
}

/// An evaluation that did not give what was expected, or a line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The line, from 1.
    pub line: usize,
    /// What was wrong.
    pub message: String,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}: {} of {} passed", self.name, self.passed, self.total)?;
        for failure in &self.failures {
            writeln!(f, "{}:{}: {}", self.name, failure.line, failure.message)?;
        }
        Ok(())
    }
}

/// Runs a script over a store in memory, with default options. A line that cannot be read is a failure
/// and ends the run.
pub fn run_script(name: &str, text: &str) -> Report {
    let mut report = Report { name: name.to_owned(), ..Report::default() };
    let commands = match parse_script(text) {
        Ok(commands) => commands,
        Err((line, message)) => {
            report.failures.push(Failure { line, message });
            return report;
        }
    };
    let engine = Engine::new(Options::default());
    let mut storage = MemoryStorage::new();
    for command in commands {
        match command.kind {
            CommandKind::Clear => storage.clear(),
            CommandKind::Load { step_ms, with_native, mut series } => {
                if with_native {
                    let lines: Vec<&SeriesLine> = series.iter().map(|(line, _)| line).collect();
                    let native = classic::native(&lines);
                    series.extend(native.into_iter().map(|line| (line, Vec::new())));
                }
                for (line, distances) in series {
                    load(&mut storage, step_ms, line, &distances);
                }
            }
            CommandKind::Eval(eval) => {
                report.total += 1;
                match check(&engine, &storage, &eval) {
                    Ok(()) => report.passed += 1,
                    Err(message) => {
                        let message = format!("{}: {message}", eval.expression);
                        report.failures.push(Failure { line: command.line, message });
                    }
                }
            }
        }
    }
    report
}

fn load(storage: &mut MemoryStorage, step_ms: i64, line: SeriesLine, distances: &[Option<i64>]) {
    for (i, value) in line.values.into_iter().enumerate() {
        let Some(value) = value else { continue };
        let timestamp = step_ms * i as i64;
        storage.append(&line.labels, timestamp, value);
        if let Some(distance) = distances.get(i).copied().flatten() {
            storage.set_start(&line.labels, timestamp, timestamp.saturating_add(distance));
        }
    }
}

fn check(engine: &Engine, storage: &MemoryStorage, eval: &Eval) -> Result<(), String> {
    let fails = || eval.expects.iter().filter(|expect| expect.what == What::Fail);
    let output = match evaluate(engine, storage, eval) {
        Err(error) if fails().next().is_none() => return Err(format!("failed: {error}")),
        Err(error) => {
            return match fails().find(|expect| !expect.text.matches(&error)) {
                Some(_) => Err(format!("failed for another reason: {error}")),
                None => Ok(()),
            };
        }
        Ok(_) if fails().next().is_some() => return Err("should have failed".to_owned()),
        Ok(output) => output,
    };
    check_annotations(eval, &output)?;
    check_value(eval, &output.value)?;
    match eval.when {
        When::Instant(at) => {
            check_pinned(engine, storage, eval, at)?;
            check_as_range(engine, storage, eval, at)
        }
        When::Range { .. } => Ok(()),
    }
}

fn evaluate(engine: &Engine, storage: &MemoryStorage, eval: &Eval) -> Result<Output, String> {
    // Scripts state what Prometheus says, which has no hints.
    let without_hint = |error: ParseError| ParseError { hint: None, ..error }.to_string();
    let expr = parse(&eval.expression).map_err(without_hint)?;
    let ctx = Context::default();
    let output = match eval.when {
        When::Instant(at) => engine.instant(storage, &expr, at, &ctx),
        When::Range { start, end, step_ms } => {
            engine.range(storage, &expr, Range { start, end, step_ms }, &ctx)
        }
    };
    output.map_err(|error| error.to_string())
}

fn check_annotations(eval: &Eval, output: &Output) -> Result<(), String> {
    for (level, wanted, unwanted) in
        [(Level::Warning, What::Warn, What::NoWarn), (Level::Info, What::Info, What::NoInfo)]
    {
        let texts = output.annotations.render(level, &eval.expression);
        let expects: Vec<&Expect> = eval.expects.iter().filter(|e| e.what == wanted).collect();
        if eval.expects.iter().any(|expect| expect.what == unwanted) && !texts.is_empty() {
            return Err(format!("unexpected annotations {texts:?}"));
        }
        for expect in &expects {
            if !texts.iter().any(|text| expect.text.matches(text)) {
                return Err(format!("expected annotation is missing, got {texts:?}"));
            }
        }
        if !expects.is_empty() {
            let is_expected = |text: &&String| expects.iter().any(|e| e.text.matches(text));
            if let Some(text) = texts.iter().find(|text| !is_expected(text)) {
                return Err(format!("unexpected annotation {text:?}"));
            }
        }
    }
    Ok(())
}

/// Values by series and time.
type Points = Vec<(Labels, BTreeMap<Timestamp, Value>)>;

fn check_value(eval: &Eval, value: &QueryValue) -> Result<(), String> {
    match value {
        QueryValue::Text { text, .. } => match &eval.text {
            Some(expected) if expected == text => Ok(()),
            expected => Err(format!("expected text {expected:?}, got {text:?}")),
        },
        QueryValue::Scalar { value, .. } => match eval.scalar {
            Some(expected) if almost_equal(expected, *value) => Ok(()),
            expected => Err(format!("expected number {expected:?}, got {value}")),
        },
        QueryValue::Vector(_) | QueryValue::Matrix(_) => {
            if eval.scalar.is_some() || eval.text.is_some() {
                return Err("expected a number or text, got series".to_owned());
            }
            let (start, step_ms) = match (eval.when, eval.matrix) {
                (_, Some(steps)) => steps,
                (When::Instant(at), None) => (at, 1),
                (When::Range { start, step_ms, .. }, None) => (start, step_ms),
            };
            compare(&expected_points(eval, start, step_ms), &found_points(value), eval.is_ordered)
        }
    }
}

fn expected_points(eval: &Eval, start: Timestamp, step_ms: i64) -> Points {
    let series = eval.series.iter().map(|line| {
        let values = line.values.iter().enumerate().filter_map(|(i, value)| {
            value.clone().map(|value| (start + step_ms * i as i64, value))
        });
        (line.labels.clone(), values.collect())
    });
    series.collect()
}

fn found_points(value: &QueryValue) -> Points {
    let owned = |point: Point<'_>| match point {
        Point::Float(value) => Value::Float(value),
        Point::Histogram(histogram) => Value::Histogram(std::sync::Arc::clone(histogram)),
    };
    match value {
        QueryValue::Vector(samples) => samples
            .iter()
            .map(|s| (s.labels.clone(), BTreeMap::from([(s.timestamp, s.value.clone())])))
            .collect(),
        QueryValue::Matrix(series) => series
            .iter()
            .map(|s| (s.labels.clone(), s.points().map(|(t, p)| (t, owned(p))).collect()))
            .collect(),
        _ => Points::new(),
    }
}

fn compare(expected: &Points, found: &Points, is_ordered: bool) -> Result<(), String> {
    if is_ordered {
        let order = |points: &Points| points.iter().map(|(l, _)| l.clone()).collect::<Vec<_>>();
        if order(expected) != order(found) {
            return Err(format!("expected order {:?}, got {:?}", order(expected), order(found)));
        }
    }
    for (labels, values) in found {
        let Some((_, wanted)) = expected.iter().find(|(l, _)| l == labels) else {
            return Err(format!("unexpected series {labels} {}", describe(values)));
        };
        let same = wanted.len() == values.len()
            && wanted
                .iter()
                .zip(values)
                .all(|((t, w), (time, v))| t == time && points_match(point(w), point(v)));
        if !same {
            return Err(format!(
                "{labels}: expected {}, got {}",
                describe(wanted),
                describe(values)
            ));
        }
    }
    for (labels, values) in expected {
        if !values.is_empty() && !found.iter().any(|(l, _)| l == labels) {
            return Err(format!("missing series {labels} {}", describe(values)));
        }
    }
    Ok(())
}

fn point(value: &Value) -> Point<'_> {
    match value {
        Value::Float(value) => Point::Float(*value),
        Value::Histogram(histogram) => Point::Histogram(histogram),
    }
}

fn describe(values: &BTreeMap<Timestamp, Value>) -> String {
    let mut text = String::new();
    for (time, value) in values {
        // Writing to a text cannot fail.
        let _written = match value {
            Value::Float(value) => write!(text, "{value}@{time} "),
            Value::Histogram(histogram) => write!(text, "{histogram}@{time} "),
        };
    }
    text.trim_end().to_owned()
}

/// Evaluates an instant case at other times with its selectors fixed to its own: the result must be the
/// same.
fn check_pinned(
    engine: &Engine,
    storage: &MemoryStorage,
    eval: &Eval,
    at: Timestamp,
) -> Result<(), String> {
    let expr = parse(&eval.expression).map_err(|error| error.to_string())?;
    let Some(expr) = pinned::pin(expr, at) else { return Ok(()) };
    for other in [at.saturating_mul(-10) - 1_000, 0, at / 5, at.saturating_mul(10) + 1_000] {
        let output = engine
            .instant(storage, &expr, other, &Context::default())
            .map_err(|error| format!("`{expr}` at {other} failed: {error}"))?;
        let value = moved_to(output.value, at);
        check_value(eval, &value).map_err(|message| format!("`{expr}` at {other}: {message}"))?;
    }
    Ok(())
}

/// The value of a query as of another time.
fn moved_to(value: QueryValue, at: Timestamp) -> QueryValue {
    match value {
        QueryValue::Vector(samples) => QueryValue::Vector(
            samples.into_iter().map(|sample| VectorSample { timestamp: at, ..sample }).collect(),
        ),
        other => other,
    }
}

/// Evaluates an instant case once more as the middle step of a range: the two ways must agree.
fn check_as_range(
    engine: &Engine,
    storage: &MemoryStorage,
    eval: &Eval,
    at: Timestamp,
) -> Result<(), String> {
    const STEP_MS: i64 = 60_000;
    let expr = parse(&eval.expression).map_err(|error| error.to_string())?;
    let is_plain = matches!(expr.value_type(), ValueType::Vector | ValueType::Scalar);
    if !is_plain || depends_on_range(&expr) {
        return Ok(());
    }
    let range = Range { start: at - STEP_MS, end: at + STEP_MS, step_ms: STEP_MS };
    let Ok(output) = engine.range(storage, &expr, range, &Context::default()) else {
        // The steps around may fail where this one does not.
        return Ok(());
    };
    let mut found = found_points(&output.value);
    for (_, values) in &mut found {
        values.retain(|time, _| *time == at);
    }
    found.retain(|(_, values)| !values.is_empty());
    let expected = match eval.scalar {
        Some(value) => vec![(Labels::empty(), BTreeMap::from([(at, Value::Float(value))]))],
        None => expected_points(eval, at, 1),
    };
    compare(&expected, &found, false).map_err(|message| format!("as part of a range: {message}"))
}

/// Whether the expression means something else in a range query.
fn depends_on_range(expr: &Expr) -> bool {
    let mut depends = false;
    expr.walk(&mut |node| {
        depends |= match &node.kind {
            ExprKind::Selector(s) => {
                matches!(s.at, Some(At::Start | At::End)) || uses_query(s.offset.as_ref())
            }
            ExprKind::Range(r) => {
                matches!(r.selector.at, Some(At::Start | At::End))
                    || uses_query(Some(&r.range))
                    || uses_query(r.selector.offset.as_ref())
            }
            ExprKind::Subquery(s) => {
                matches!(s.at, Some(At::Start | At::End))
                    || uses_query(Some(&s.range))
                    || uses_query(s.step.as_ref())
                    || uses_query(s.offset.as_ref())
            }
            ExprKind::Call(call) => {
                matches!(call.function.name, "start" | "end" | "step" | "range")
            }
            _ => false,
        };
    });
    depends
}

fn uses_query(length: Option<&crate::parser::Length>) -> bool {
    use crate::parser::Length;
    match length {
        None | Some(Length::Literal(_)) => false,
        Some(Length::Step | Length::Range) => true,
        Some(Length::Paren(inner) | Length::Negative(inner)) => uses_query(Some(inner)),
        Some(Length::Binary(_, left, right)) => uses_query(Some(left)) || uses_query(Some(right)),
    }
}
