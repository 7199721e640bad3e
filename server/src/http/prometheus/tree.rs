//! `/api/v1/parse_query`: an expression as a tree. Source: `web/api/v1/translate_ast.go` in Prometheus.

use axum::response::{IntoResponse, Response};
use model::{Matcher, number::Shortest};
use promql::{
    Expr, Variadic,
    parser::{
        At, Binary, Call, Cardinality, ExprKind, Extent, Grouping, Length, Selector, ValueType,
    },
};
use serde_json::{Value, json};

use super::{
    envelope::{Failure, Success},
    params::Params,
};

/// The tree of an expression.
pub(super) async fn parse(params: Params) -> Result<Response, Failure> {
    let expr = promql::parse(params.required("query")?)
        .map_err(|error| Failure::parameter("query", error))?;
    Ok(Success::new(tree(&expr)).into_response())
}

fn tree(expr: &Expr) -> Value {
    match &expr.kind {
        ExprKind::Number(number) => json!({
            "type": "numberLiteral",
            "val": Shortest::Plain(number.value).to_string(),
        }),
        ExprKind::Text(text) | ExprKind::Bytes(text) => {
            json!({ "type": "stringLiteral", "val": text })
        }
        ExprKind::Selector(selector) => {
            let mut node = selected(selector, selector.at);
            node["type"] = "vectorSelector".into();
            node
        }
        ExprKind::Range(range) => {
            let mut node = selected(&range.selector, range.selector.at);
            node["type"] = "matrixSelector".into();
            node["range"] = milliseconds(Some(&range.range)).into();
            node
        }
        ExprKind::Subquery(subquery) => {
            let (timestamp, start_or_end) = at(subquery.at);
            json!({
                "type": "subquery",
                "expr": tree(&subquery.expr),
                "range": milliseconds(Some(&subquery.range)),
                "offset": milliseconds(subquery.offset.as_ref()),
                "step": milliseconds(subquery.step.as_ref()),
                "timestamp": timestamp,
                "startOrEnd": start_or_end,
            })
        }
        ExprKind::Paren(inner) => json!({ "type": "parenExpr", "expr": tree(inner) }),
        ExprKind::Sign { is_minus, operand } => json!({
            "type": "unaryExpr",
            "op": if *is_minus { "-" } else { "+" },
            "expr": tree(operand),
        }),
        ExprKind::Binary(binary) => of_binary(binary),
        ExprKind::Call(call) => of_call(call),
        ExprKind::Aggregate(aggregate) => {
            let (names, without) = names(&aggregate.grouping);
            json!({
                "type": "aggregation",
                "op": aggregate.op.as_str(),
                "expr": tree(&aggregate.expr),
                "param": aggregate.param.as_ref().map(tree),
                "grouping": names,
                "without": without,
            })
        }
    }
}

fn of_binary(binary: &Binary) -> Value {
    let is_scalar = |expr: &Expr| expr.value_type() == ValueType::Scalar;
    let matching = if is_scalar(&binary.left) || is_scalar(&binary.right) {
        Value::Null
    } else {
        let matching = &binary.matching;
        let card = match matching.cardinality {
            _ if binary.op.is_set() => "many-to-many",
            Cardinality::OneToOne => "one-to-one",
            Cardinality::ManyToOne => "many-to-one",
            Cardinality::OneToMany => "one-to-many",
        };
        let none = Grouping::Without(Vec::new());
        let (labels, without) = names(matching.labels.as_ref().unwrap_or(&none));
        let fill = |value: Option<promql::parser::Number>| value.map(|number| number.value);
        json!({
            "card": card,
            "labels": labels,
            "on": !without,
            "include": matching.include,
            "fillValues": { "lhs": fill(matching.fill.left), "rhs": fill(matching.fill.right) },
        })
    };
    json!({
        "type": "binaryExpr",
        "op": binary.op.as_str(),
        "lhs": tree(&binary.left),
        "rhs": tree(&binary.right),
        "matching": matching,
        "bool": binary.returns_bool,
    })
}

fn of_call(call: &Call) -> Value {
    let function = call.function;
    let kind = |value: &ValueType| match value {
        ValueType::Scalar => "scalar",
        ValueType::Text => "string",
        ValueType::Vector => "vector",
        ValueType::Matrix => "matrix",
    };
    json!({
        "type": "call",
        "func": {
            "name": function.name,
            "argTypes": function.args.iter().map(kind).collect::<Vec<_>>(),
            "variadic": match function.variadic {
                Variadic::No => 0,
                Variadic::Optional(count) => i64::try_from(count).unwrap_or(-1),
                Variadic::Any => -1,
            },
            "returnType": kind(&function.returns),
        },
        "args": call.args.iter().map(tree).collect::<Vec<_>>(),
    })
}

fn selected(selector: &Selector, time: Option<At>) -> Value {
    let (timestamp, start_or_end) = at(time);
    json!({
        "name": selector.name.clone().unwrap_or_default(),
        "offset": milliseconds(selector.offset.as_ref()),
        "matchers": selector.all_matchers().iter().map(matcher).collect::<Vec<_>>(),
        "timestamp": timestamp,
        "startOrEnd": start_or_end,
        "anchored": selector.extent == Extent::Anchored,
        "smoothed": selector.extent == Extent::Smoothed,
    })
}

fn matcher(matcher: &Matcher) -> Value {
    json!({ "name": matcher.name, "value": matcher.value, "type": matcher.op.as_str() })
}

/// The fixed time, in milliseconds, and what it is when it depends on the query.
fn at(time: Option<At>) -> (Option<i64>, Option<&'static str>) {
    match time {
        None => (None, None),
        Some(At::Timestamp(ms)) => (Some(ms), None),
        Some(At::Start) => (None, Some("start")),
        Some(At::End) => (None, Some("end")),
    }
}

/// A length in milliseconds; 0 when there is none, and when it depends on the query.
fn milliseconds(length: Option<&Length>) -> i64 {
    match length {
        Some(Length::Literal(number)) => (number.value * 1000.0).round() as i64,
        Some(Length::Paren(inner)) => milliseconds(Some(inner)),
        Some(Length::Negative(inner)) => -milliseconds(Some(inner)),
        None | Some(Length::Step | Length::Range | Length::Binary(..)) => 0,
    }
}

fn names(grouping: &Grouping) -> (&[String], bool) {
    match grouping {
        Grouping::By(names) => (names, false),
        Grouping::Without(names) => (names, true),
    }
}
