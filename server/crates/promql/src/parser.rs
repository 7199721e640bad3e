//! Text to a checked tree, and back.
//!
//! The lexer makes tokens, the parser climbs precedences, the check pass types every node. All three
//! answer errors with a byte span, line and column, what was expected, and a hint where one is known.

mod ast;
mod check;
mod error;
mod lexer;
mod parse;
mod print;
mod visit;

#[cfg(test)]
mod tests;

pub use ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Cardinality, Expr, ExprKind, Extent, Fill,
    Grouping, Length, LengthOp, Matching, NodeId, Number, RangeSelector, Selector, Span, Subquery,
    ValueType,
};
pub use error::ParseError;

/// Reads an expression and checks its types.
///
/// # Errors
/// [`ParseError`] with the place of the first mistake.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    let expr = parse::Parser::new(text)?.parse_all()?;
    check::check(text, &expr)?;
    Ok(expr)
}
