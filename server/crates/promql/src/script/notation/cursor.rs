//! A place in a line.

use super::NotationError;

pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn error(&self, message: impl Into<String>) -> NotationError {
        let column = self.text[..self.at].chars().count() + 1;
        NotationError { column, message: message.into() }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest().is_empty()
    }

    pub(super) fn is_at_blank(&self) -> bool {
        self.rest().starts_with(char::is_whitespace)
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn advance(&mut self) {
        self.at += self.peek().map_or(0, char::len_utf8);
    }

    pub(super) fn starts_with(&self, text: &str) -> bool {
        self.rest().starts_with(text)
    }

    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    pub(super) fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    pub(super) fn skip_blank(&mut self) {
        self.take_while(char::is_whitespace);
    }

    /// A text in quotes with the usual escapes.
    pub(super) fn quoted(&mut self) -> Result<String, NotationError> {
        let Some(quote) = self.peek().filter(|c| matches!(c, '"' | '\'' | '`')) else {
            return Err(self.error("expected a text in quotes"));
        };
        self.advance();
        let mut text = String::new();
        loop {
            let Some(c) = self.peek() else { return Err(self.error("text is not closed")) };
            self.advance();
            match c {
                c if c == quote => return Ok(text),
                '\\' if quote != '`' => {
                    let escaped = match self.peek() {
                        Some('n') => '\n',
                        Some('t') => '\t',
                        Some('r') => '\r',
                        Some(c @ ('\\' | '"' | '\'')) => c,
                        _ => return Err(self.error("unknown escape")),
                    };
                    self.advance();
                    text.push(escaped);
                }
                c => text.push(c),
            }
        }
    }

    /// A decimal number, `Inf` or `NaN`, with an optional sign. An `x` ends it.
    pub(super) fn signed_number(&mut self) -> Result<f64, NotationError> {
        let start = self.at;
        let is_minus = self.take("-");
        if !is_minus {
            self.take("+");
        }
        let word = self.take_while(|c| c.is_ascii_alphabetic() && c != 'x');
        let value = match word.to_ascii_lowercase().as_str() {
            "inf" => f64::INFINITY,
            "nan" => f64::NAN,
            "" => self.decimal()?,
            _ => {
                self.at = start;
                return Err(self.error("expected a number, `_`, `stale` or a histogram"));
            }
        };
        Ok(if is_minus { -value } else { value })
    }

    fn decimal(&mut self) -> Result<f64, NotationError> {
        let start = self.at;
        self.take_while(|c| c.is_ascii_digit() || c == '.' || c == '_');
        if self.starts_with("e") || self.starts_with("E") {
            self.advance();
            if !self.take("-") {
                self.take("+");
            }
            self.take_while(|c| c.is_ascii_digit());
        }
        let text = self.text[start..self.at].replace('_', "");
        text.parse().map_err(|_| {
            self.error(format!("expected a number, `_`, `stale` or a histogram, got {text:?}"))
        })
    }
}
