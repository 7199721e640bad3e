//! Lines to commands.

use model::Timestamp;

use super::{
    SeriesLine,
    notation::{parse_scalar, parse_series},
    starts::{Distances, StartLines, is_start_line},
};
use crate::parser::{Length, parse};

/// A command and where it begins.
pub(super) struct Command {
    pub(super) line: usize,
    pub(super) kind: CommandKind,
}

pub(super) enum CommandKind {
    Clear,
    Load { step_ms: i64, with_native: bool, series: Vec<(SeriesLine, Distances)> },
    Eval(Box<Eval>),
}

/// When an expression is evaluated.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    Instant(Timestamp),
    Range { start: Timestamp, end: Timestamp, step_ms: i64 },
}

/// An expression and what it should give.
pub(super) struct Eval {
    pub(super) when: When,
    pub(super) expression: String,
    pub(super) expects: Vec<Expect>,
    pub(super) is_ordered: bool,
    pub(super) scalar: Option<f64>,
    pub(super) text: Option<String>,
    /// The steps of an expected range vector.
    pub(super) matrix: Option<(Timestamp, i64)>,
    pub(super) series: Vec<SeriesLine>,
}

/// What is said of errors and annotations.
pub(super) struct Expect {
    pub(super) what: What,
    pub(super) text: TextMatch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Fail,
    Warn,
    NoWarn,
    Info,
    NoInfo,
}

pub(super) enum TextMatch {
    Any,
    Exactly(String),
    Pattern(Box<regex::Regex>),
}

impl TextMatch {
    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(expected) => expected == text,
            Self::Pattern(pattern) => pattern.is_match(text),
        }
    }
}

/// Splits a script; an error names its line.
pub(super) fn parse_script(text: &str) -> Result<Vec<Command>, (usize, String)> {
    let lines: Vec<(usize, &str)> =
        text.lines().enumerate().map(|(i, line)| (i + 1, line)).collect();
    let mut commands = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let (number, line) = lines[at];
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            at += 1;
            continue;
        }
        // A command ends at the next blank line or command; comments within it are skipped.
        let end = at + 1 + lines[at + 1..].iter().take_while(|(_, line)| continues(line)).count();
        let body: Vec<(usize, &str)> = lines[at + 1..end]
            .iter()
            .map(|(number, line)| (*number, line.trim()))
            .filter(|(_, line)| !line.starts_with('#'))
            .collect();
        let kind = command(trimmed, &body, number)?;
        commands.push(Command { line: number, kind });
        at = end;
    }
    Ok(commands)
}

fn continues(line: &str) -> bool {
    let trimmed = line.trim();
    let first = trimmed.split_whitespace().next().unwrap_or_default();
    let is_command = matches!(first, "clear" | "load" | "load_with_nhcb")
        || first == "eval"
        || first
            .strip_prefix("eval_")
            .is_some_and(|kind| matches!(kind, "fail" | "warn" | "info" | "ordered"));
    let is_indented = line.starts_with(char::is_whitespace);
    !trimmed.is_empty() && (is_indented || !is_command)
}

fn command(
    line: &str,
    body: &[(usize, &str)],
    number: usize,
) -> Result<CommandKind, (usize, String)> {
    let fail = |message: String| (number, message);
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match word {
        "clear" => Ok(CommandKind::Clear),
        "load" | "load_with_nhcb" => {
            let step_ms = duration(rest).ok_or_else(|| fail(format!("bad step {rest:?}")))?;
            let with_native = word == "load_with_nhcb";
            let series = load_lines(body)?;
            Ok(CommandKind::Load { step_ms, with_native, series })
        }
        "eval" | "eval_fail" | "eval_warn" | "eval_info" | "eval_ordered" => {
            let (when, expression) = when(rest.trim()).ok_or_else(|| {
                fail(format!("expected `instant at TIME EXPRESSION` or `range from TIME to TIME step STEP EXPRESSION`, got {rest:?}"))
            })?;
            let mut eval = Eval {
                when,
                expression: expression.to_owned(),
                expects: Vec::new(),
                is_ordered: word == "eval_ordered",
                scalar: None,
                text: None,
                matrix: None,
                series: Vec::new(),
            };
            let deprecated = match word {
                "eval_fail" => Some(What::Fail),
                "eval_warn" => Some(What::Warn),
                "eval_info" => Some(What::Info),
                _ => None,
            };
            eval.expects.extend(deprecated.map(|what| Expect { what, text: TextMatch::Any }));
            for (number, line) in body {
                expectation(&mut eval, line).map_err(|message| (*number, message))?;
            }
            Ok(CommandKind::Eval(Box::new(eval)))
        }
        other => Err(fail(format!("unknown command {other:?}"))),
    }
}

/// The series of a `load`, each with the starts of its samples.
fn load_lines(body: &[(usize, &str)]) -> Result<Vec<(SeriesLine, Distances)>, (usize, String)> {
    let mut starts = StartLines::default();
    let mut series = Vec::with_capacity(body.len());
    for (number, line) in body {
        if is_start_line(line) {
            starts.read(*number, line)?;
            continue;
        }
        let line = parse_series(line).map_err(|error| (*number, error.to_string()))?;
        let distances = starts.take(&line)?;
        series.push((line, distances));
    }
    starts.finish()?;
    Ok(series)
}

fn when(text: &str) -> Option<(When, &str)> {
    let (kind, rest) = word(text)?;
    match kind {
        "instant" => {
            let rest = rest.strip_prefix("at")?.trim_start();
            let (time, expression) = word(rest)?;
            Some((When::Instant(duration(time)?), expression))
        }
        "range" => {
            let (start, rest) = word(rest.strip_prefix("from")?.trim_start())?;
            let (end, rest) = word(rest.strip_prefix("to")?.trim_start())?;
            let (step, expression) = word(rest.strip_prefix("step")?.trim_start())?;
            let (start, end, step_ms) = (duration(start)?, duration(end)?, duration(step)?);
            Some((When::Range { start, end, step_ms }, expression))
        }
        _ => None,
    }
}

fn word(text: &str) -> Option<(&str, &str)> {
    let (word, rest) = text.split_once(char::is_whitespace)?;
    Some((word, rest.trim_start()))
}

/// A duration or a number of seconds, with an optional sign, in milliseconds.
pub(super) fn duration(text: &str) -> Option<i64> {
    // The expression parser knows every notation; a selector around it makes it a duration.
    let parsed = parse(&format!("x offset {}", text.trim())).ok()?;
    let crate::parser::ExprKind::Selector(selector) = parsed.kind else { return None };
    match selector.offset? {
        Length::Literal(number) => Some((number.value * 1000.0).round() as i64),
        _ => None,
    }
}

fn expectation(eval: &mut Eval, line: &str) -> Result<(), String> {
    if let Some(rest) = line.strip_prefix("expected_fail_message") {
        eval.expects
            .push(Expect { what: What::Fail, text: TextMatch::Exactly(rest.trim().to_owned()) });
        return Ok(());
    }
    if let Some(rest) = line.strip_prefix("expected_fail_regexp") {
        eval.expects.push(Expect { what: What::Fail, text: pattern(rest.trim())? });
        return Ok(());
    }
    if let Some(rest) = line.strip_prefix("expect ") {
        return expect(eval, rest.trim());
    }
    if let Some(value) = parse_scalar(line) {
        eval.scalar = Some(value);
        return Ok(());
    }
    eval.series.push(parse_series(line).map_err(|error| error.to_string())?);
    Ok(())
}

fn expect(eval: &mut Eval, text: &str) -> Result<(), String> {
    let (kind, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    let what = match kind {
        "fail" => What::Fail,
        "warn" => What::Warn,
        "no_warn" => What::NoWarn,
        "info" => What::Info,
        "no_info" => What::NoInfo,
        "ordered" => {
            eval.is_ordered = true;
            return Ok(());
        }
        "string" => {
            let text = parse(rest).map_err(|error| error.to_string())?;
            let crate::parser::ExprKind::Text(text) = text.kind else {
                return Err("expected a text in quotes".to_owned());
            };
            eval.text = Some(text);
            return Ok(());
        }
        "range" => {
            let rest = rest.strip_prefix("vector").unwrap_or(rest).trim_start();
            let (when, _) = when(&format!("range {rest} x")).ok_or_else(|| {
                format!("expected `range vector from TIME to TIME step STEP`, got {rest:?}")
            })?;
            let When::Range { start, step_ms, .. } = when else { return Ok(()) };
            eval.matrix = Some((start, step_ms));
            return Ok(());
        }
        other => return Err(format!("unknown expectation {other:?}")),
    };
    let text = if let Some(message) = rest.strip_prefix("msg:") {
        TextMatch::Exactly(unquoted(message.trim()).to_owned())
    } else if let Some(text) = rest.strip_prefix("regex:") {
        pattern(unquoted(text.trim()))?
    } else if rest.is_empty() {
        TextMatch::Any
    } else {
        return Err(format!("expected `msg:` or `regex:`, got {rest:?}"));
    };
    eval.expects.push(Expect { what, text });
    Ok(())
}

/// A message may stand in quotes as a whole.
fn unquoted(text: &str) -> &str {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"')).unwrap_or(text)
}

fn pattern(text: &str) -> Result<TextMatch, String> {
    regex::Regex::new(text)
        .map(|regex| TextMatch::Pattern(Box::new(regex)))
        .map_err(|error| error.to_string())
}
