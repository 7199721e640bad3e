//! Lines of JSON, a series each:
//! `{"metric":{"__name__":"up"},"values":[1,0],"timestamps":[1700000000000,1700000010000]}`.
//! Source: VictoriaMetrics, `/api/v1/export` and `/api/v1/import`.

use std::{collections::BTreeMap, io::BufRead};

use model::{Labels, Timestamp, labels::is_label_name};
use serde::Deserialize;

use crate::{
    NOT_A_NUMBER,
    line::{Line, next_line},
    sink::{ReadError, Sink},
};

#[derive(Debug, Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    values: Vec<Number>,
    timestamps: Vec<Timestamp>,
}

/// JSON has no way to write what is no number, so those come as texts, and a gap as `null`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Number {
    Value(f64),
    Text(String),
    Gap(()),
}

impl Number {
    fn value(&self) -> Option<f64> {
        match self {
            Self::Value(value) => Some(*value),
            Self::Text(text) => match text.as_str() {
                "NaN" => Some(NOT_A_NUMBER),
                "Infinity" | "+Inf" | "Inf" => Some(f64::INFINITY),
                "-Infinity" | "-Inf" => Some(f64::NEG_INFINITY),
                _ => None,
            },
            Self::Gap(()) => None,
        }
    }
}

/// Reads every line that can be read; the others are refused with their numbers. `after_line` is told how
/// many bytes were read in all.
///
/// # Errors
/// When the input ends with a failure, or the sink takes no more.
pub fn read_json_lines<S: Sink>(
    reader: &mut dyn BufRead,
    sink: &mut S,
    after_line: &mut dyn FnMut(&S, u64),
) -> Result<(), ReadError<S::Error>> {
    let mut buffer = Vec::new();
    let (mut number, mut bytes) = (0_u64, 0_u64);
    let mut samples = Vec::new();
    loop {
        number += 1;
        let place = format_args!("line {number}");
        match next_line(reader, &mut buffer)? {
            Line::End => return Ok(()),
            Line::TooLong => sink.refuse(&place, &"it is longer than 64 MiB"),
            Line::Whole if buffer.trim_ascii().is_empty() => {}
            Line::Whole => match parse(&buffer, &mut samples) {
                Ok((labels, gaps)) => {
                    sink.skip_values(gaps);
                    sink.push(&labels, &samples).map_err(ReadError::Sink)?;
                }
                Err(reason) => sink.refuse(&place, &reason),
            },
        }
        bytes += buffer.len() as u64 + 1;
        after_line(sink, bytes);
    }
}

/// The labels of a line, its samples, and how many values are no numbers.
fn parse(line: &[u8], samples: &mut Vec<(Timestamp, f64)>) -> Result<(Labels, u64), String> {
    let series: Series = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if series.values.len() != series.timestamps.len() {
        let (values, times) = (series.values.len(), series.timestamps.len());
        return Err(format!("it has {values} values and {times} timestamps"));
    }
    let pairs = series.metric.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<_> = pairs.collect();
    if pairs.is_empty() {
        return Err("the metric has no name and no labels".to_owned());
    }
    if let Some((name, _)) = pairs.iter().find(|(name, _)| !is_label_name(name)) {
        return Err(format!("`{name}` is not the name of a label"));
    }
    samples.clear();
    for (value, &at) in series.values.iter().zip(&series.timestamps) {
        if let Some(value) = value.value() {
            samples.push((at, value));
        }
    }
    Ok((Labels::from_pairs(pairs), (series.values.len() - samples.len()) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Parsed = (String, Vec<(Timestamp, f64)>, u64);

    fn parsed(line: &str) -> Result<Parsed, String> {
        let mut samples = Vec::new();
        let (labels, gaps) = parse(line.as_bytes(), &mut samples)?;
        Ok((labels.to_string(), samples, gaps))
    }

    #[test]
    fn a_line_is_a_series() {
        let line = r#"{"metric":{"__name__":"up","job":"a","gone":""},"values":[1,null,"Infinity",2.5],"timestamps":[10,20,30,5]}"#;
        let expected = vec![(10, 1.0), (30, f64::INFINITY), (5, 2.5)];
        assert_eq!(parsed(line), Ok((r#"up{job="a"}"#.to_owned(), expected, 1)));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (line, reason) in [
            ("{", "EOF while parsing"),
            (r#"{"metric":{"a":"b"},"values":[1]}"#, "missing field `timestamps`"),
            (r#"{"metric":{"a":"b"},"values":[1],"timestamps":[]}"#, "1 values and 0 timestamps"),
            (r#"{"metric":{},"values":[],"timestamps":[]}"#, "no name and no labels"),
            (r#"{"metric":{"a b":"c"},"values":[],"timestamps":[]}"#, "`a b` is not the name"),
            (r#"{"metric":{"a":"b"},"values":[1],"timestamps":["x"]}"#, "invalid type"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(reason), "{line}: {error}");
        }
    }

    proptest! {
        #[test]
        fn property_no_line_panics(line in ".{0,80}") {
            drop(parsed(&line));
        }
    }
}
