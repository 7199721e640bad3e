//! What values have inside: fields, methods, elements.

use std::sync::Arc;

use crate::template::{time, value::Value};

/// What a loop goes through, with keys; `None` for what cannot be gone through.
pub(super) fn elements(value: &Value) -> Option<Box<dyn Iterator<Item = (Value, Value)> + '_>> {
    Some(match value {
        Value::None => Box::new(std::iter::empty()),
        Value::Vector(samples) => Box::new(
            samples
                .iter()
                .enumerate()
                .map(|(i, sample)| (Value::Int(i as i64), Value::Sample(Arc::clone(sample)))),
        ),
        Value::Labels(labels) => {
            Box::new(labels.iter().map(|(name, value)| (Value::text(name), Value::text(value))))
        }
        Value::Map(map) => {
            Box::new(map.iter().map(|(name, value)| (Value::text(name.as_str()), value.clone())))
        }
        Value::Int(count) => Box::new((0..*count).map(|i| (Value::Int(i), Value::Int(i)))),
        _ => return None,
    })
}

pub(super) fn field(value: &Value, name: &str, arguments: &[Value]) -> Result<Value, String> {
    let found = match (value, name) {
        (Value::Alert(alert), "Labels") => Value::Labels(alert.labels.clone()),
        (Value::Alert(alert), "ExternalLabels") => Value::Labels(alert.external_labels.clone()),
        (Value::Alert(alert), "ExternalURL") => Value::text(&*alert.external_url),
        (Value::Alert(alert), "Value") => alert.value.clone(),
        (Value::Sample(sample), "Labels") => Value::Labels(sample.labels.clone()),
        (Value::Sample(sample), "Value") => Value::Float(sample.value),
        // A label that is not set is the empty text: Prometheus sets `missingkey=zero`.
        (Value::Labels(labels), name) => Value::text(labels.value_or_empty(name)),
        (Value::Map(map), name) => map.get(name).cloned().unwrap_or(Value::None),
        (Value::Time(timestamp), name) => return time_field(*timestamp, name, arguments),
        (Value::Duration(nanoseconds), name) => {
            time::duration_method(*nanoseconds, name).ok_or_else(|| cannot_evaluate(name, value))?
        }
        (Value::None, name) => return Err(format!("nil data; no entry for key {name:?}")),
        (value, name) => return Err(cannot_evaluate(name, value)),
    };
    if arguments.is_empty() {
        return Ok(found);
    }
    Err(format!("{name} is not a method but has arguments"))
}

fn time_field(timestamp: i64, name: &str, arguments: &[Value]) -> Result<Value, String> {
    let time = Value::Time(timestamp);
    match (name, arguments) {
        ("Format", [Value::Text(layout)]) => time::format_layout(timestamp, layout)
            .map(Value::text)
            .ok_or_else(|| cannot_evaluate(name, &time)),
        ("Format", given) => {
            Err(format!("wrong number of args for Format: want 1 got {}", given.len()))
        }
        (name, _) => time::time_method(timestamp, name).ok_or_else(|| cannot_evaluate(name, &time)),
    }
}

fn cannot_evaluate(name: &str, value: &Value) -> String {
    format!("can't evaluate field {name} in type {}", value.type_name())
}
