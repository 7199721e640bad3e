//! Errors with a place.

use std::fmt;

use super::Span;

/// Why a text is not an expression.
///
/// Displays like Prometheus, `1:5: parse error: …`, followed by a hint when there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The bytes the message is about.
    pub span: Span,
    /// The line of the span's start, from 1.
    pub line: usize,
    /// The column of the span's start in characters, from 1.
    pub column: usize,
    /// What is wrong and what was expected.
    pub message: String,
    /// What was probably meant.
    pub hint: Option<String>,
}

impl ParseError {
    pub(crate) fn new(text: &str, span: Span, message: impl Into<String>) -> Self {
        let (line, column) = span.position_in(text);
        Self { span, line, column, message: message.into(), hint: None }
    }

    pub(crate) fn with_hint(mut self, hint: Option<impl Into<String>>) -> Self {
        self.hint = hint.map(Into::into);
        self
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: parse error: {}", self.line, self.column, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, ", {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ParseError {}
