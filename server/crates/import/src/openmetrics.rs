//! OpenMetrics text whose samples have timestamps, in seconds.
//! Source: <https://prometheus.io/docs/specs/om/open_metrics_spec/>.

use std::{collections::HashMap, io::BufRead};

use model::{
    Labels, Metadata, MetricKind, Timestamp,
    labels::{is_label_name, is_metric_name},
};

use crate::{
    NOT_A_NUMBER,
    line::{Line, next_line},
    sink::{ReadError, Sink},
};

/// Reads every line that can be read, up to `# EOF`; the others are refused with their numbers.
/// `after_line` is told how many bytes were read in all.
///
/// # Errors
/// When the input ends with a failure, or the sink takes no more.
pub fn read_openmetrics<S: Sink>(
    reader: &mut dyn BufRead,
    sink: &mut S,
    after_line: &mut dyn FnMut(&S, u64),
) -> Result<(), ReadError<S::Error>> {
    let mut buffer = Vec::new();
    let mut families = HashMap::new();
    let (mut number, mut bytes) = (0_u64, 0_u64);
    loop {
        number += 1;
        let place = format_args!("line {number}");
        match next_line(reader, &mut buffer)? {
            Line::End => break,
            Line::TooLong => sink.refuse(&place, &"it is longer than 64 MiB"),
            Line::Whole => match std::str::from_utf8(&buffer) {
                Err(_) => sink.refuse(&place, &"it is not UTF-8"),
                Ok(text) if text.trim().is_empty() => {}
                Ok("# EOF") => break,
                Ok(text) => match text.strip_prefix("# ") {
                    Some(text) => descriptor(text, &mut families),
                    None if text.starts_with('#') => {}
                    None => match sample(text) {
                        Ok((labels, at, value)) => {
                            sink.push(&labels, &[(at, value)]).map_err(ReadError::Sink)?;
                        }
                        Err(reason) => sink.refuse(&place, &reason),
                    },
                },
            },
        }
        bytes += buffer.len() as u64 + 1;
        after_line(sink, bytes);
    }
    for (name, Family { kind, unit, help }) in families {
        // The family of a counter is named without the ending that its samples have.
        let metric = match kind {
            MetricKind::Counter if !name.ends_with("_total") => format!("{name}_total"),
            _ => name,
        };
        sink.describe(Metadata { metric, kind, unit, help, original: String::new() });
    }
    Ok(())
}

/// What is said of a family of metrics.
struct Family {
    kind: MetricKind,
    unit: String,
    help: String,
}

impl Default for Family {
    fn default() -> Self {
        Self { kind: MetricKind::Unknown, unit: String::new(), help: String::new() }
    }
}

/// `TYPE name counter`, `HELP name text`, `UNIT name unit`; anything else is a comment.
fn descriptor(text: &str, families: &mut HashMap<String, Family>) {
    let mut words = text.splitn(3, ' ');
    let (Some(keyword), Some(name), Some(value)) = (words.next(), words.next(), words.next())
    else {
        return;
    };
    if !matches!(keyword, "TYPE" | "HELP" | "UNIT") || !is_metric_name(name) {
        return;
    }
    let family: &mut Family = families.entry(name.to_owned()).or_default();
    match keyword {
        "TYPE" => {
            family.kind = match value {
                "counter" => MetricKind::Counter,
                "gauge" | "stateset" | "info" => MetricKind::Gauge,
                "histogram" | "gaugehistogram" => MetricKind::Histogram,
                _ => MetricKind::Unknown,
            }
        }
        "HELP" => family.help = unescaped(value),
        _ => value.clone_into(&mut family.unit),
    }
}

/// `name{label="value"} 1.5 1700000000.123`, perhaps followed by an exemplar.
fn sample(line: &str) -> Result<(Labels, Timestamp, f64), String> {
    let name_end = line.find(['{', ' ']).ok_or("it has no value")?;
    let (name, rest) = line.split_at(name_end);
    if !is_metric_name(name) {
        return Err(format!("`{name}` is not the name of a metric"));
    }
    let mut pairs = vec![("__name__".to_owned(), name.to_owned())];
    let rest = match rest.strip_prefix('{') {
        Some(rest) => labels(rest, &mut pairs)?,
        None => rest,
    };
    let rest = rest.split(" # ").next().unwrap_or_default();
    let mut words = rest.split_ascii_whitespace();
    let value = words.next().ok_or("it has no value")?;
    let value = number(value).ok_or_else(|| format!("`{value}` is not a number"))?;
    let at = words.next().ok_or("it has no timestamp; history needs one")?;
    let at = milliseconds(at).ok_or_else(|| format!("`{at}` is not a time in seconds"))?;
    match words.next() {
        Some(word) => Err(format!("`{word}` follows the timestamp")),
        None => Ok((Labels::from_pairs(pairs), at, value)),
    }
}

/// Reads labels up to `}` and returns what follows.
fn labels<'a>(mut rest: &'a str, pairs: &mut Vec<(String, String)>) -> Result<&'a str, String> {
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Ok(after);
        }
        let (name, after) = rest.split_once("=\"").ok_or("a label has no value in quotes")?;
        if !is_label_name(name) || name == "__name__" {
            return Err(format!("`{name}` is not the name of a label"));
        }
        if pairs.iter().any(|(known, _)| known == name) {
            return Err(format!("the label `{name}` is there twice"));
        }
        let end = end_of_text(after).ok_or("the value of a label does not end")?;
        let value = unescaped(&after[..end]);
        if !value.is_empty() {
            pairs.push((name.to_owned(), value));
        }
        rest = &after[end + 1..];
        if let Some(after) = rest.strip_prefix(',') {
            rest = after;
        } else if !rest.starts_with('}') {
            return Err("labels are not separated by a comma".to_owned());
        }
    }
}

/// Where the first quote stands that is not escaped.
fn end_of_text(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, false) => out.push(c),
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some(other @ ('\\' | '"')) => out.push(other),
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
        }
    }
    out
}

fn number(text: &str) -> Option<f64> {
    // What Rust reads besides numbers is what OpenMetrics writes: NaN, +Inf, -Inf, in any case.
    let value: f64 = text.parse().ok()?;
    Some(if value.is_nan() { NOT_A_NUMBER } else { value })
}

/// Seconds with up to three digits after the point, exactly.
fn milliseconds(text: &str) -> Option<Timestamp> {
    let seconds: f64 = text.parse().ok()?;
    let at = (seconds * 1000.0).round();
    (at.abs() < 9.0e15).then_some(at as Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_a_sample() {
        for (line, expected) in [
            ("up 1 12", ("up", 12_000, 1.0)),
            (
                r#"up{job="a",x="q\"\\\n}"} -2.5e3 1.5"#,
                (r#"up{job="a", x="q\"\\\n}"}"#, 1_500, -2500.0),
            ),
            (r#"up{} +Inf 0.001 # {trace="x"} 1 2"#, ("up", 1, f64::INFINITY)),
            (r#"up{gone="",} 1 1700000000.123"#, ("up", 1_700_000_000_123, 1.0)),
        ] {
            let (labels, at, value) = sample(line).unwrap();
            assert_eq!((labels.to_string().as_str(), at, value), expected, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (line, reason) in [
            ("up", "no value"),
            ("up 1", "it has no timestamp"),
            ("0up 1 2", "`0up` is not the name of a metric"),
            ("up x 2", "`x` is not a number"),
            ("up 1 soon", "`soon` is not a time"),
            ("up 1 1e300", "`1e300` is not a time"),
            ("up 1 2 3", "`3` follows"),
            ("up{a=b} 1 2", "no value in quotes"),
            (r#"up{a="b"#, "does not end"),
            (r#"up{a="b"c="d"} 1 2"#, "not separated"),
            (r#"up{a="b",a="c"} 1 2"#, "twice"),
            (r#"up{0="b"} 1 2"#, "`0` is not the name of a label"),
        ] {
            let error = sample(line).unwrap_err();
            assert!(error.contains(reason), "{line}: {error}");
        }
    }

    proptest! {
        #[test]
        fn property_no_line_panics(line in r#"[a-z{}="\\, #0-9.é]{0,40}"#) {
            drop(sample(&line));
        }
    }
}
