//! Functions that change labels.

mod info;

use model::{Labels, MatchOp, labels::METRIC_NAME, matcher::compile_anchored};

use crate::{
    engine::EvalError,
    eval::{Evaluator, Row, Steps, merge_same_labels},
    parser::{Call, Expr, ExprKind},
};

pub(crate) use info::info_rows;

/// The text of an argument that the check pass has found to be one.
pub(crate) fn text_of(arg: &Expr) -> &str {
    match &arg.unwrapped().kind {
        ExprKind::Text(text) => text,
        _ => "",
    }
}

/// `label_replace`
pub(crate) fn replace_rows(
    evaluator: &Evaluator<'_>,
    call: &Call,
    steps: Steps,
) -> Result<Vec<Row>, EvalError> {
    let [destination, replacement, source, pattern] = [1, 2, 3, 4].map(|i| text_of(&call.args[i]));
    let regex = compile_anchored(pattern).map_err(|error| {
        EvalError::Execution(format!(
            "invalid regular expression in label_replace(): {pattern} ({error})"
        ))
    })?;
    check_name(destination, "destination", "label_replace")?;
    let mut rows = evaluator.rows(&call.args[0], steps)?;
    for row in &mut rows {
        let value = row.labels.value_or_empty(source);
        let Some(captures) = regex.captures(value) else { continue };
        let mut expanded = String::new();
        captures.expand(replacement, &mut expanded);
        set_label(row, destination, &expanded);
    }
    merge_same_labels(rows)
}

/// `label_join`
pub(crate) fn join_rows(
    evaluator: &Evaluator<'_>,
    call: &Call,
    steps: Steps,
) -> Result<Vec<Row>, EvalError> {
    let (destination, separator) = (text_of(&call.args[1]), text_of(&call.args[2]));
    let sources: Vec<&str> = call.args[3..].iter().map(text_of).collect();
    for source in &sources {
        check_name(source, "source", "label_join")?;
    }
    check_name(destination, "destination", "label_join")?;
    let mut rows = evaluator.rows(&call.args[0], steps)?;
    for row in &mut rows {
        let values: Vec<&str> =
            sources.iter().map(|name| row.labels.value_or_empty(name)).collect();
        let joined = values.join(separator);
        set_label(row, destination, &joined);
    }
    merge_same_labels(rows)
}

/// Sets a label; a name that is set so is not dropped any more.
fn set_label(row: &mut Row, name: &str, value: &str) {
    let mut labels = row.labels.to_builder();
    labels.set(name, value);
    row.labels = labels.build();
    if name == METRIC_NAME {
        row.drop_name = false;
    }
}

fn check_name(name: &str, role: &str, function: &str) -> Result<(), EvalError> {
    if name.is_empty() {
        let message = format!("invalid {role} label name in {function}(): {name}");
        return Err(EvalError::Execution(message));
    }
    Ok(())
}

/// The labels of what `absent` gives: those that the selector fixes to one value.
pub(crate) fn absent_labels(arg: &Expr) -> Labels {
    let selector = match &arg.unwrapped().kind {
        ExprKind::Selector(selector) => selector,
        ExprKind::Range(range) => &range.selector,
        _ => return Labels::empty(),
    };
    let mut seen: Vec<&str> = Vec::new();
    let mut fixed: Vec<(&str, &str)> = Vec::new();
    for matcher in selector.matchers.iter().filter(|matcher| matcher.name != METRIC_NAME) {
        let name = matcher.name.as_str();
        if matcher.op == MatchOp::Equal && !seen.contains(&name) {
            seen.push(name);
            fixed.push((name, &matcher.value));
        } else {
            fixed.retain(|(known, _)| *known != name);
        }
    }
    Labels::from_pairs(fixed)
}
