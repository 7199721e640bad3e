//! The functions Prometheus adds to Go's: numbers for people, hosts, links.
//!
//! Source: Prometheus's template reference and `template/template.go`.

use std::net::IpAddr;

use model::Timestamp;

use super::format::{quoted, significant};
use super::value::Value;

/// Reads a number out of whatever a template has.
pub(super) fn to_float(value: &Value) -> Result<f64, String> {
    match value {
        Value::Float(value) => Ok(*value),
        Value::Int(value) => Ok(*value as f64),
        Value::Text(text) => text
            .parse()
            .map_err(|_| format!("strconv.ParseFloat: parsing {}: invalid syntax", quoted(text))),
        Value::Duration(nanoseconds) => Ok(*nanoseconds as f64 / 1e9),
        other => Err(format!("can't convert {} to float", other.type_name())),
    }
}

/// `1234567` as `1.235M`.
pub(super) fn humanize(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return significant(value, 4);
    }
    if value.abs() >= 1.0 {
        let (value, prefix) =
            scale_down(value, 1000.0, &["", "k", "M", "G", "T", "P", "E", "Z", "Y"]);
        return format!("{}{prefix}", significant(value, 4));
    }
    let (value, prefix) = scale_up(value);
    format!("{}{prefix}", significant(value, 4))
}

/// `1048576` as `1Mi`.
pub(super) fn humanize_1024(value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return significant(value, 4);
    }
    let (value, prefix) =
        scale_down(value, 1024.0, &["", "ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"]);
    format!("{}{prefix}", significant(value, 4))
}

/// Seconds as `1d 2h 3m 4s`, or with four digits below a minute.
pub(super) fn humanize_duration(value: f64) -> String {
    if !value.is_finite() {
        return significant(value, 4);
    }
    if value == 0.0 {
        return format!("{}s", significant(value, 4));
    }
    if value.abs() < 1.0 {
        let (value, prefix) = scale_up(value);
        return format!("{}{prefix}s", significant(value, 4));
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let magnitude = value.abs();
    let whole = magnitude as i64;
    let (days, hours) = (whole / 86_400, whole / 3_600 % 24);
    let (minutes, seconds) = (whole / 60 % 60, whole % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{}s", significant(magnitude, 4)),
        (0, 0, _) => format!("{sign}{minutes}m {seconds}s"),
        (0, ..) => format!("{sign}{hours}h {minutes}m {seconds}s"),
        _ => format!("{sign}{days}d {hours}h {minutes}m {seconds}s"),
    }
}

/// A ratio as `12.35%`.
pub(super) fn humanize_percentage(value: f64) -> String {
    format!("{}%", significant(value * 100.0, 4))
}

/// Seconds since the epoch as a time; `None` for NaN and the infinities.
pub(super) fn to_time(seconds: f64) -> Result<Option<Timestamp>, String> {
    if !seconds.is_finite() {
        return Ok(None);
    }
    let nanoseconds = seconds * 1e9;
    if nanoseconds > i64::MAX as f64 || nanoseconds < i64::MIN as f64 {
        let value = super::format::shortest(seconds);
        return Err(format!(
            "{value} cannot be represented as a nanoseconds timestamp since it overflows int64"
        ));
    }
    Ok(Some(nanoseconds as i64 / 1_000_000))
}

/// Divides until the value is below `base` or the prefixes are used up.
fn scale_down(mut value: f64, base: f64, prefixes: &[&'static str]) -> (f64, &'static str) {
    let mut at = 0;
    while value.abs() >= base && at + 1 < prefixes.len() {
        value /= base;
        at += 1;
    }
    (value, prefixes[at])
}

/// Multiplies by 1000 until the value is at least one or the prefixes are used up.
fn scale_up(mut value: f64) -> (f64, &'static str) {
    const PREFIXES: [&str; 9] = ["", "m", "u", "n", "p", "f", "a", "z", "y"];
    let mut at = 0;
    while value.abs() < 1.0 && at + 1 < PREFIXES.len() {
        value *= 1000.0;
        at += 1;
    }
    (value, PREFIXES[at])
}

/// `host:port` without the port; the text itself when it is not of that form.
pub(super) fn strip_port(host_port: &str) -> String {
    split_host_port(host_port).map_or(host_port, |(host, _)| host).to_owned()
}

/// The first part of a host's name, with its port; addresses stay whole.
pub(super) fn strip_domain(host_port: &str) -> String {
    let (host, port) = split_host_port(host_port).unwrap_or((host_port, ""));
    if host.parse::<IpAddr>().is_ok() {
        return host_port.to_owned();
    }
    let first = host.split('.').next().unwrap_or(host);
    match port {
        "" => first.to_owned(),
        port if first.contains([':', '%']) => format!("[{first}]:{port}"),
        port => format!("{first}:{port}"),
    }
}

/// Go's `net.SplitHostPort`: `host:port` or `[host]:port`.
fn split_host_port(text: &str) -> Option<(&str, &str)> {
    let colon = text.rfind(':')?;
    let (host, port) = (&text[..colon], &text[colon + 1..]);
    if let Some(inner) = text.strip_prefix('[') {
        let close = inner.find(']')?;
        let is_whole = close + 2 == colon;
        let is_clean = !inner[..close].contains('[') && !port.contains(['[', ']']);
        return (is_whole && is_clean).then_some((&inner[..close], port));
    }
    let is_clean = !host.contains([':', '[', ']']) && !port.contains(['[', ']']);
    is_clean.then_some((host, port))
}

/// Go's `strings.Title`: the first letter of each word in upper case.
pub(super) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at_start = true;
    for c in text.chars() {
        if at_start {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        at_start = is_separator(c);
    }
    out
}

fn is_separator(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_alphanumeric() && c != '_';
    }
    !c.is_alphanumeric() && c.is_whitespace()
}

/// A link to Prometheus's page for an expression.
pub(super) fn graph_link(expression: &str, tab: u8) -> String {
    format!("/graph?g0.expr={}&g0.tab={tab}", super::escape::url_query(expression))
}

/// The path of a URL without the slash at its end, as Prometheus keeps it.
pub(super) fn path_of(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = after_scheme.find('/').map_or("", |at| &after_scheme[at..]);
    path.split(['?', '#']).next().unwrap_or(path)
}
