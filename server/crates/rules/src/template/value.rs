//! What a template computes with.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use model::{Labels, Timestamp};

use super::{format, time};

/// A value in a template, named after the Go type whose behavior it has.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// No value at all, such as a missing field of a map without a type, or `nil`.
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Arc<str>),
    /// `template.HTML`: a text that says it needs no escaping.
    Html(Arc<str>),
    /// `map[string]string`
    Labels(Labels),
    /// `map[string]interface {}`
    Map(Arc<BTreeMap<String, Value>>),
    /// One series of a query's result.
    Sample(Arc<Sample>),
    /// A query's result.
    Vector(Arc<[Arc<Sample>]>),
    /// What the rule knows of the alert: the outermost dot.
    Alert(Arc<Alert>),
    Time(Timestamp),
    /// Nanoseconds.
    Duration(i64),
}

/// A series with its value at the time of the query.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) labels: Labels,
    pub(super) value: f64,
}

/// The fields of the outermost dot.
#[derive(Debug)]
pub(super) struct Alert {
    pub(super) labels: Labels,
    pub(super) external_labels: Labels,
    pub(super) external_url: Arc<str>,
    pub(super) value: Value,
}

impl Value {
    pub(super) fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// The name Go prints for the type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::None => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Html(_) => "template.HTML",
            Self::Labels(_) => "map[string]string",
            Self::Map(_) => "map[string]interface {}",
            Self::Sample(_) => "*template.sample",
            Self::Vector(_) => "template.queryResult",
            Self::Alert(_) => {
                "struct { Labels map[string]string; ExternalLabels map[string]string; \
                 ExternalURL string; Value interface {} }"
            }
            Self::Time(_) => "*time.Time",
            Self::Duration(_) => "*time.Duration",
        }
    }

    /// Whether `if` and `and` take it for true: anything but zero, nothing and empty.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) | Self::Html(text) => !text.is_empty(),
            Self::Labels(labels) => !labels.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Vector(samples) => !samples.is_empty(),
            Self::Sample(_) | Self::Alert(_) | Self::Time(_) | Self::Duration(_) => true,
        }
    }

    /// How many elements `len` counts; `None` for what has no length.
    pub(super) fn length(&self) -> Option<usize> {
        match self {
            Self::Text(text) | Self::Html(text) => Some(text.len()),
            Self::Labels(labels) => Some(labels.len()),
            Self::Map(map) => Some(map.len()),
            Self::Vector(samples) => Some(samples.len()),
            _ => None,
        }
    }

    /// Go's `%v`.
    pub(super) fn to_plain(&self) -> String {
        let mut out = String::new();
        self.write_plain(&mut out);
        out
    }

    pub(super) fn write_plain(&self, out: &mut String) {
        match self {
            Self::None => out.push_str("<nil>"),
            Self::Bool(value) => _ = write!(out, "{value}"),
            Self::Int(value) => _ = write!(out, "{value}"),
            Self::Float(value) => out.push_str(&format::shortest(*value)),
            Self::Text(text) | Self::Html(text) => out.push_str(text),
            Self::Labels(labels) => write_labels(labels, out),
            Self::Map(map) => {
                out.push_str("map[");
                for (i, (name, value)) in map.iter().enumerate() {
                    _ = write!(out, "{}{name}:", if i > 0 { " " } else { "" });
                    value.write_plain(out);
                }
                out.push(']');
            }
            Self::Sample(sample) => sample.write_plain(out),
            Self::Vector(samples) => {
                // Go prints addresses here, which nobody can mean.
                out.push('[');
                for (i, sample) in samples.iter().enumerate() {
                    out.push_str(if i > 0 { " " } else { "" });
                    sample.write_plain(out);
                }
                out.push(']');
            }
            Self::Alert(alert) => {
                out.push('{');
                write_labels(&alert.labels, out);
                out.push(' ');
                write_labels(&alert.external_labels, out);
                _ = write!(out, " {} ", alert.external_url);
                alert.value.write_plain(out);
                out.push('}');
            }
            Self::Time(timestamp) => out.push_str(&time::display(*timestamp)),
            Self::Duration(nanoseconds) => out.push_str(&time::duration(*nanoseconds)),
        }
    }
}

impl Sample {
    fn write_plain(&self, out: &mut String) {
        out.push('{');
        write_labels(&self.labels, out);
        _ = write!(out, " {}}}", format::shortest(self.value));
    }
}

fn write_labels(labels: &Labels, out: &mut String) {
    out.push_str("map[");
    for (i, (name, value)) in labels.iter().enumerate() {
        _ = write!(out, "{}{name}:{value}", if i > 0 { " " } else { "" });
    }
    out.push(']');
}
