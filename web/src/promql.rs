//! What the browser needs to know about PromQL: where an error is, and in which unit values are.
//! Evaluating is the server's.

use chart::Unit;

/// Functions offered by completion, with what they do.
pub(crate) const FUNCTIONS: &[(&str, &str)] = &[
    ("abs", "absolute value"),
    ("absent", "1 when there is no series"),
    ("avg", "mean across series"),
    ("avg_over_time", "mean over a range"),
    ("bottomk", "the k smallest"),
    ("ceil", "round up"),
    ("changes", "how often the value changed"),
    ("clamp_max", "limit from above"),
    ("clamp_min", "limit from below"),
    ("count", "number of series"),
    ("count_over_time", "number of samples in a range"),
    ("delta", "change of a gauge over a range"),
    ("deriv", "slope per second of a gauge"),
    ("floor", "round down"),
    ("histogram_avg", "mean of a native histogram"),
    ("histogram_count", "observations in a native histogram"),
    ("histogram_quantile", "percentile of a histogram"),
    ("histogram_sum", "sum of a native histogram"),
    ("increase", "growth of a counter over a range"),
    ("irate", "rate of the last two samples"),
    ("last_over_time", "latest sample in a range"),
    ("max", "largest across series"),
    ("max_over_time", "largest in a range"),
    ("min", "smallest across series"),
    ("min_over_time", "smallest in a range"),
    ("quantile", "percentile across series"),
    ("quantile_over_time", "percentile over a range"),
    ("rate", "growth of a counter per second"),
    ("resets", "how often a counter was reset"),
    ("round", "round to the nearest"),
    ("scalar", "a single series as a number"),
    ("sort", "ascending by value"),
    ("sort_desc", "descending by value"),
    ("stddev", "standard deviation across series"),
    ("sum", "sum across series"),
    ("sum_over_time", "sum over a range"),
    ("time", "now, in seconds"),
    ("topk", "the k largest"),
    ("vector", "a number as a series"),
];

/// Words of the language that are neither functions nor metrics.
pub(crate) const KEYWORDS: &[&str] = &[
    "and",
    "bool",
    "by",
    "group_left",
    "group_right",
    "ignoring",
    "inf",
    "nan",
    "offset",
    "on",
    "or",
    "unless",
    "without",
];

/// A place in a query, both counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// The place that an error of the server names, and what is wrong there: from
/// `invalid parameter "query": 1:7: parse error: …` or from `… at line 1, column 7 …`.
pub(crate) fn error_position(message: &str) -> Option<(Position, &str)> {
    let number = |text: &str| text.parse::<usize>().ok().filter(|number| *number > 0);
    let short = message.split_whitespace().find_map(|word| {
        let (line, column) = word.strip_suffix(':')?.split_once(':')?;
        let position = Position { line: number(line)?, column: number(column)? };
        let (_, rest) = message.split_once(word)?;
        Some((position, rest.trim_start()))
    });
    short.or_else(|| {
        let digits =
            |text: &str| number(&text.chars().take_while(char::is_ascii_digit).collect::<String>());
        let (_, after_line) = message.split_once("line ")?;
        let (_, after_column) = after_line.split_once("column ")?;
        let position = Position { line: digits(after_line)?, column: digits(after_column)? };
        Some((position, message))
    })
}

/// Finds the place that the server puts behind a warning or an info, such as `… (1:5)`, and what comes
/// before it.
pub(crate) fn remark_position(remark: &str) -> Option<(Position, &str)> {
    let (text, place) = remark.strip_suffix(')')?.rsplit_once(" (")?;
    let (line, column) = place.split_once(':')?;
    let number = |text: &str| text.parse::<usize>().ok().filter(|number| *number > 0);
    Some((Position { line: number(line)?, column: number(column)? }, text))
}

/// The first metric in an expression: a name that is no function, keyword, label or duration.
pub(crate) fn first_metric(expr: &str) -> Option<&str> {
    let mut rest = expr;
    let mut depth_of_braces = 0_usize;
    while let Some(first) = rest.chars().next() {
        match first {
            '"' | '\'' | '`' => rest = after_string(rest, first),
            '{' | '[' => {
                depth_of_braces += 1;
                rest = &rest[1..];
            }
            '}' | ']' => {
                depth_of_braces = depth_of_braces.saturating_sub(1);
                rest = &rest[1..];
            }
            _ if is_name_start(first) => {
                let end = rest.find(|c| !is_name_part(c)).unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                rest = after;
                if ["by", "without", "on", "ignoring", "group_left", "group_right"].contains(&word)
                {
                    rest = after_list(rest);
                } else if depth_of_braces == 0 && is_metric(word, after) {
                    return Some(word);
                }
            }
            // A number with its unit, such as 5m, is no name.
            _ if first.is_ascii_digit() => {
                rest = &rest[rest.find(|c| !is_name_part(c) && c != '.').unwrap_or(rest.len())..];
            }
            _ => rest = &rest[first.len_utf8()..],
        }
    }
    None
}

fn is_metric(word: &str, after: &str) -> bool {
    !KEYWORDS.contains(&word.to_lowercase().as_str()) && !after.trim_start().starts_with('(') && {
        // An aggregation may name its labels first: sum by (x) (…).
        let after = after.trim_start();
        !(after.starts_with("by") || after.starts_with("without"))
            || !FUNCTIONS.iter().any(|f| f.0 == word)
    }
}

pub(crate) fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || c == ':'
}

pub(crate) fn is_name_part(c: char) -> bool {
    is_name_start(c) || c.is_ascii_digit()
}

fn after_string(text: &str, quote: char) -> &str {
    let mut is_escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if quote != '`' => is_escaped = true,
            _ if c == quote => return &text[index + 1..],
            _ => {}
        }
    }
    ""
}

fn after_list(text: &str) -> &str {
    let trimmed = text.trim_start();
    match (trimmed.starts_with('('), trimmed.find(')')) {
        (true, Some(end)) => &trimmed[end + 1..],
        _ => trimmed,
    }
}

/// The unit that an expression probably yields, from the unit of its metric (as sent, or by the
/// ending of its name) and from what is done to it.
pub(crate) fn guess_unit(expr: &str, metric_unit: &str) -> Unit {
    let Some(metric) = first_metric(expr) else { return Unit::None };
    let base = base_unit(metric, metric_unit);
    let squeezed: String = expr.chars().filter(|c| !c.is_whitespace()).collect();
    // A quotient, product or comparison as a number has another unit; only percentiles keep theirs.
    if squeezed.contains('/') || squeezed.contains("bool") {
        return Unit::None;
    }
    if squeezed.contains("histogram_quantile(") || squeezed.contains("histogram_avg(") {
        return base;
    }
    if squeezed.contains("histogram_count(") || squeezed.starts_with("count") {
        return if squeezed.contains("rate(") { Unit::PerSecond } else { Unit::None };
    }
    if squeezed.contains("rate(") {
        return match base {
            Unit::Bytes => Unit::BytesPerSecond,
            Unit::None => Unit::PerSecond,
            // Seconds per second: a share of time. Without the ending it is a timer, whose rate is a
            // histogram of durations.
            Unit::Seconds if metric.ends_with("_total") => Unit::Ratio,
            Unit::Seconds | Unit::Milliseconds => base,
            _ => Unit::None,
        };
    }
    base
}

fn base_unit(metric: &str, metric_unit: &str) -> Unit {
    match metric_unit {
        "s" | "seconds" => return Unit::Seconds,
        "ms" | "milliseconds" => return Unit::Milliseconds,
        "bytes" | "By" => return Unit::Bytes,
        "ratio" => return Unit::Ratio,
        "percent" => return Unit::Percent,
        _ => {}
    }
    let name = metric.strip_suffix("_total").unwrap_or(metric);
    let ends = |ending: &str| name.ends_with(ending);
    if ends("_seconds") {
        Unit::Seconds
    } else if ends("_bytes") {
        Unit::Bytes
    } else if ends("_ratio") {
        Unit::Ratio
    } else if ends("_percent") {
        Unit::Percent
    } else if ends("_ms") || ends("_milliseconds") {
        Unit::Milliseconds
    } else {
        Unit::None
    }
}

/// A text as a string of PromQL.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests;
