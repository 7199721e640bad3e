//! The functions a template can call, as a table, and what each does.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use model::Labels;
use regex::{Regex, RegexBuilder};

use super::{
    Environment, MAX_TEXT, escape, format, prometheus,
    value::{Sample, Value},
};

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    Text,
    Sample,
    Vector,
}

/// A function's parameters. The last kind repeats when the function is variadic.
#[derive(Debug)]
pub(super) struct Signature {
    pub(super) name: &'static str,
    pub(super) parameters: &'static [Kind],
    pub(super) is_variadic: bool,
}

const fn fixed(name: &'static str, parameters: &'static [Kind]) -> Signature {
    Signature { name, parameters, is_variadic: false }
}

const fn variadic(name: &'static str, parameters: &'static [Kind]) -> Signature {
    Signature { name, parameters, is_variadic: true }
}

use Kind::{Any, Text, Vector};

/// Ordered by name.
const FUNCTIONS: [Signature; 47] = [
    variadic("and", &[Any, Any]),
    variadic("args", &[Any]),
    variadic("eq", &[Any, Any]),
    fixed("externalURL", &[]),
    fixed("first", &[Vector]),
    fixed("ge", &[Any, Any]),
    fixed("graphLink", &[Text]),
    fixed("gt", &[Any, Any]),
    variadic("html", &[Any]),
    fixed("humanize", &[Any]),
    fixed("humanize1024", &[Any]),
    fixed("humanizeDuration", &[Any]),
    fixed("humanizePercentage", &[Any]),
    fixed("humanizeTimestamp", &[Any]),
    variadic("index", &[Any, Any]),
    variadic("js", &[Any]),
    fixed("label", &[Text, Kind::Sample]),
    fixed("le", &[Any, Any]),
    fixed("len", &[Any]),
    fixed("lt", &[Any, Any]),
    fixed("match", &[Text, Text]),
    fixed("ne", &[Any, Any]),
    fixed("not", &[Any]),
    fixed("now", &[]),
    variadic("or", &[Any, Any]),
    fixed("parseDuration", &[Text]),
    fixed("pathPrefix", &[]),
    variadic("print", &[Any]),
    variadic("printf", &[Text, Any]),
    variadic("println", &[Any]),
    fixed("query", &[Text]),
    fixed("reReplaceAll", &[Text, Text, Text]),
    fixed("safeHtml", &[Text]),
    variadic("slice", &[Any, Any]),
    fixed("sortByLabel", &[Text, Vector]),
    fixed("stripDomain", &[Text]),
    fixed("stripPort", &[Text]),
    fixed("strvalue", &[Kind::Sample]),
    fixed("tableLink", &[Text]),
    fixed("title", &[Text]),
    fixed("toDuration", &[Any]),
    fixed("toLower", &[Text]),
    fixed("toTime", &[Any]),
    fixed("toUpper", &[Text]),
    fixed("urlQueryEscape", &[Text]),
    variadic("urlquery", &[Any]),
    fixed("value", &[Kind::Sample]),
];

/// Whether a template may use a name as a function.
pub(super) fn is_known(name: &str) -> bool {
    signature(name).is_some()
}

/// The function whose name was probably meant.
pub(super) fn closest_to(name: &str) -> Option<&'static str> {
    model::closest(name, FUNCTIONS.map(|function| function.name))
}

/// The parameters of a function.
pub(super) fn signature(name: &str) -> Option<&'static Signature> {
    let at = FUNCTIONS.binary_search_by(|f| f.name.cmp(name)).ok()?;
    Some(&FUNCTIONS[at])
}

impl Signature {
    /// The fewest arguments: a variadic function's last parameter may stay away.
    pub(super) fn least(&self) -> usize {
        self.parameters.len() - usize::from(self.is_variadic)
    }

    /// What argument `index` must be.
    pub(super) fn kind(&self, index: usize) -> Kind {
        self.parameters.get(index).or(self.parameters.last()).copied().unwrap_or(Any)
    }
}

/// Calls a function whose arguments were checked against its signature. `and` and `or` are not
/// here: they look at one argument at a time.
pub(super) fn call(
    name: &str,
    arguments: &[Value],
    environment: &mut Environment<'_>,
) -> Result<Value, String> {
    let any = |i: usize| arguments.get(i).unwrap_or(&Value::None);
    let text = |i: usize| match arguments.get(i) {
        Some(Value::Text(text) | Value::Html(text)) => &**text,
        _ => "",
    };
    let number = |i: usize| prometheus::to_float(any(i));
    Ok(match name {
        "eq" => Value::Bool(is_equal_to_any(any(0), arguments.get(1..).unwrap_or_default())?),
        "ne" => Value::Bool(!is_equal(any(0), any(1))?),
        "lt" => Value::Bool(order(any(0), any(1))? == Some(Ordering::Less)),
        "le" => {
            Value::Bool(matches!(order(any(0), any(1))?, Some(Ordering::Less | Ordering::Equal)))
        }
        "gt" => Value::Bool(order(any(0), any(1))? == Some(Ordering::Greater)),
        // Go defines it as "not less", which NaN satisfies.
        "ge" => Value::Bool(order(any(0), any(1))? != Some(Ordering::Less)),
        "not" => Value::Bool(!any(0).is_true()),
        "len" => length(any(0))?,
        "index" => arguments.iter().skip(1).try_fold(any(0).clone(), |v, i| index(&v, i))?,
        "slice" => slice(any(0), arguments.get(1..).unwrap_or_default())?,
        "print" => Value::text(print(arguments)),
        "println" => Value::text(print_line(arguments)),
        "printf" => Value::text(format::sprintf(text(0), arguments.get(1..).unwrap_or_default())),
        "html" => Value::text(escape::html(&print(arguments))),
        "js" => Value::text(escape::js(&print(arguments))),
        "urlquery" => Value::text(escape::url_query(&print(arguments))),
        "urlQueryEscape" => Value::text(escape::url_query(text(0))),
        "query" => Value::Vector(environment.query(text(0))?),
        "first" => match any(0) {
            Value::Vector(samples) if !samples.is_empty() => Value::Sample(Arc::clone(&samples[0])),
            _ => return Err("first() called on vector with no elements".to_owned()),
        },
        "label" => Value::text(sample(any(1))?.labels.value_or_empty(text(0))),
        "value" => Value::Float(sample(any(0))?.value),
        "strvalue" => Value::text(sample(any(0))?.labels.value_or_empty("__value__")),
        "sortByLabel" => sort_by_label(text(0), any(1)),
        "args" => Value::Map(Arc::new(numbered(arguments)?)),
        "humanize" => Value::text(prometheus::humanize(number(0)?)),
        "humanize1024" => Value::text(prometheus::humanize_1024(number(0)?)),
        "humanizeDuration" => Value::text(prometheus::humanize_duration(number(0)?)),
        "humanizePercentage" => Value::text(prometheus::humanize_percentage(number(0)?)),
        "humanizeTimestamp" => {
            let seconds = number(0)?;
            Value::text(match prometheus::to_time(seconds)? {
                Some(timestamp) => super::time::display(timestamp),
                None => format::significant(seconds, 4),
            })
        }
        "toTime" => match prometheus::to_time(number(0)?)? {
            Some(timestamp) => Value::Time(timestamp),
            None => return Err("value is NaN or Inf".to_owned()),
        },
        "toDuration" => Value::Duration((number(0)? * 1e9) as i64),
        "parseDuration" => {
            let duration = model::duration::parse(text(0)).map_err(|e| e.to_string())?;
            Value::Float(duration.as_secs_f64())
        }
        "now" => Value::Float(environment.now() as f64 / 1000.0),
        "title" => Value::text(prometheus::title(text(0))),
        "toUpper" => Value::text(text(0).to_uppercase()),
        "toLower" => Value::text(text(0).to_lowercase()),
        "match" => Value::Bool(regex(text(0))?.is_match(text(1))),
        "reReplaceAll" => Value::text(replace_all(text(0), text(1), text(2))?),
        "stripPort" => Value::text(prometheus::strip_port(text(0))),
        "stripDomain" => Value::text(prometheus::strip_domain(text(0))),
        "graphLink" => Value::text(prometheus::graph_link(text(0), 0)),
        "tableLink" => Value::text(prometheus::graph_link(text(0), 1)),
        "safeHtml" => Value::Html(text(0).into()),
        "externalURL" => Value::text(environment.external_url()),
        "pathPrefix" => Value::text(prometheus::path_of(environment.external_url())),
        other => return Err(format!("function {other:?} not defined")),
    })
}

fn sample(value: &Value) -> Result<&Sample, String> {
    match value {
        Value::Sample(sample) => Ok(sample),
        other => Err(format!("expected a sample, got {}", other.type_name())),
    }
}

/// Go compares only values of one basic kind: `eq $value 5` is an error, `eq $value 5.0` is not.
fn is_equal(a: &Value, b: &Value) -> Result<bool, String> {
    match (a, b) {
        (Value::None, Value::None) => Ok(true),
        (Value::None, _) | (_, Value::None) => Ok(false),
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Int(a), Value::Int(b)) => Ok(a == b),
        (Value::Float(a), Value::Float(b)) => Ok(a == b),
        (Value::Text(a) | Value::Html(a), Value::Text(b) | Value::Html(b)) => Ok(a == b),
        (Value::Labels(_) | Value::Map(_) | Value::Vector(_), _) => {
            Err(format!("non-comparable type {}: {}", a.to_plain(), a.type_name()))
        }
        _ => Err("incompatible types for comparison".to_owned()),
    }
}

fn is_equal_to_any(first: &Value, others: &[Value]) -> Result<bool, String> {
    if others.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    for other in others {
        if is_equal(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The order of two values; `None` when one is NaN.
fn order(a: &Value, b: &Value) -> Result<Option<Ordering>, String> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Ok(Some(a.cmp(b))),
        (Value::Float(a), Value::Float(b)) => Ok(a.partial_cmp(b)),
        (Value::Text(a) | Value::Html(a), Value::Text(b) | Value::Html(b)) => Ok(Some(a.cmp(b))),
        (Value::Bool(_), Value::Bool(_)) => Err("invalid type for comparison".to_owned()),
        (Value::Int(_) | Value::Float(_) | Value::Text(_) | Value::Html(_), _) => {
            Err("incompatible types for comparison".to_owned())
        }
        _ => Err("invalid type for comparison".to_owned()),
    }
}

fn length(value: &Value) -> Result<Value, String> {
    match value.length() {
        Some(length) => Ok(Value::Int(length as i64)),
        None if matches!(value, Value::None) => Err("len of nil pointer".to_owned()),
        None => Err(format!("len of type {}", value.type_name())),
    }
}

fn index(value: &Value, key: &Value) -> Result<Value, String> {
    match (value, key) {
        (Value::Labels(labels), Value::Text(name)) => Ok(Value::text(labels.value_or_empty(name))),
        (Value::Map(map), Value::Text(name)) => {
            Ok(map.get(&**name).cloned().unwrap_or(Value::None))
        }
        (Value::Labels(_) | Value::Map(_), key) => {
            Err(format!("value has type {}; should be string", key.type_name()))
        }
        (Value::Vector(samples), Value::Int(at)) => usize::try_from(*at)
            .ok()
            .and_then(|at| samples.get(at))
            .map(|sample| Value::Sample(Arc::clone(sample)))
            .ok_or_else(|| format!("index out of range: {at}")),
        (Value::Text(text), Value::Int(at)) => usize::try_from(*at)
            .ok()
            .and_then(|at| text.as_bytes().get(at))
            .map(|byte| Value::Int(i64::from(*byte)))
            .ok_or_else(|| format!("index out of range: {at}")),
        (Value::Vector(_) | Value::Text(_), key) => {
            Err(format!("cannot index slice/array with type {}", key.type_name()))
        }
        (Value::None, _) => Err("index of untyped nil".to_owned()),
        (other, _) => Err(format!("can't index item of type {}", other.type_name())),
    }
}

fn slice(value: &Value, bounds: &[Value]) -> Result<Value, String> {
    let length = match value {
        Value::Text(_) | Value::Vector(_) => value.length().unwrap_or(0),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    if bounds.len() > 2 {
        return Err(format!("too many slice indexes: {}", bounds.len()));
    }
    let mut range = [0, length];
    for (slot, bound) in range.iter_mut().zip(bounds) {
        let Value::Int(at) = bound else {
            return Err(format!("cannot index slice/array with type {}", bound.type_name()));
        };
        *slot = usize::try_from(*at)
            .ok()
            .filter(|at| *at <= length)
            .ok_or_else(|| format!("index out of range: {at}"))?;
    }
    let [from, to] = range;
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    match value {
        Value::Vector(samples) => Ok(Value::Vector(samples[from..to].into())),
        Value::Text(text) => text
            .get(from..to)
            .map(Value::text)
            .ok_or_else(|| format!("slice {from}:{to} cuts a character")),
        _ => Ok(Value::None),
    }
}

/// Go's `fmt.Sprint`: spaces only between operands of which neither is a text.
fn print(arguments: &[Value]) -> String {
    let mut out = String::new();
    let mut after_text = true;
    for (i, argument) in arguments.iter().enumerate() {
        let is_text = matches!(argument, Value::Text(_) | Value::Html(_));
        if i > 0 && !is_text && !after_text {
            out.push(' ');
        }
        argument.write_plain(&mut out);
        after_text = is_text;
    }
    out
}

fn print_line(arguments: &[Value]) -> String {
    let words: Vec<String> = arguments.iter().map(Value::to_plain).collect();
    words.join(" ") + "\n"
}

fn numbered(arguments: &[Value]) -> Result<BTreeMap<String, Value>, String> {
    // Nested in a loop they would print, and be freed, at any depth.
    if arguments.iter().any(|value| matches!(value, Value::Map(_))) {
        return Err("the result of args cannot be put into args again".to_owned());
    }
    Ok(arguments.iter().enumerate().map(|(i, value)| (format!("arg{i}"), value.clone())).collect())
}

fn sort_by_label(name: &str, vector: &Value) -> Value {
    let Value::Vector(samples) = vector else {
        return vector.clone();
    };
    let mut sorted = samples.to_vec();
    let key = |labels: &Labels| labels.value_or_empty(name).to_owned();
    sorted.sort_by_cached_key(|sample| key(&sample.labels));
    Value::Vector(sorted.into())
}

fn regex(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern).size_limit(1 << 20).build().map_err(|e| {
        let reason = e.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("error parsing regexp: {reason}: `{pattern}`")
    })
}

fn replace_all(pattern: &str, replacement: &str, text: &str) -> Result<String, String> {
    let regex = regex(pattern)?;
    let mut out = String::new();
    let mut end = 0;
    for captures in regex.captures_iter(text) {
        let Some(found) = captures.get(0) else {
            continue;
        };
        out.push_str(&text[end..found.start()]);
        captures.expand(replacement, &mut out);
        end = found.end();
        if out.len() > MAX_TEXT {
            return Err(format!("the result is longer than {MAX_TEXT} bytes"));
        }
    }
    out.push_str(&text[end..]);
    Ok(out)
}
