//! Lengths of time in brackets and after `offset`.

use super::{
    super::{Length, LengthOp, Number, ParseError, lexer::TokenKind},
    Parser,
};

/// Longer literals do not fit the milliseconds of a query (about 290 years).
const MAX_SECONDS: f64 = 9_223_372_036.0;

impl Parser<'_> {
    /// A length in brackets; a literal must be positive.
    pub(super) fn positive_length(&mut self) -> Result<Length, ParseError> {
        let start = self.peek().span;
        let length = self.length(0)?;
        if let Length::Literal(number) = &length
            && number.value <= 0.0
        {
            return Err(self.error_at(start, "duration must be greater than 0"));
        }
        Ok(length)
    }

    /// A length after `offset`: one operand with an optional sign, so that an operator after it belongs
    /// to the expression around.
    pub(super) fn offset_length(&mut self) -> Result<Length, ParseError> {
        self.length_operand(false)
    }

    fn length(&mut self, min_precedence: u8) -> Result<Length, ParseError> {
        let mut left = self.length_operand(true)?;
        while let TokenKind::Symbol(symbol) = self.peek().kind {
            let (op, precedence) = match symbol {
                "+" => (LengthOp::Add, 1),
                "-" => (LengthOp::Subtract, 1),
                "*" => (LengthOp::Multiply, 2),
                "/" => (LengthOp::Divide, 2),
                "%" => (LengthOp::Modulo, 2),
                "^" => (LengthOp::Power, 3),
                _ => break,
            };
            if precedence < min_precedence {
                break;
            }
            let span = self.advance().span;
            let next = if op == LengthOp::Power { precedence } else { precedence + 1 };
            let right = self.length(next)?;
            if let (LengthOp::Divide | LengthOp::Modulo, Length::Literal(number)) = (op, &right)
                && number.value == 0.0
            {
                let what = if op == LengthOp::Divide { "division" } else { "modulo" };
                return Err(self.error_at(span, format!("{what} by zero")));
            }
            left = Length::Binary(op, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    /// One operand. In brackets a sign binds like multiplication, so `-2 ^ 2` is `-(2 ^ 2)`.
    fn length_operand(&mut self, in_brackets: bool) -> Result<Length, ParseError> {
        if self.depth > super::MAX_DEPTH {
            return Err(self.error_at(self.peek().span, "duration is nested too deep"));
        }
        self.depth += 1;
        let operand = self.length_atom(in_brackets);
        self.depth -= 1;
        operand
    }

    fn length_atom(&mut self, in_brackets: bool) -> Result<Length, ParseError> {
        let token = self.peek().clone();
        match token.kind {
            TokenKind::Number(value) | TokenKind::Duration(value) => {
                self.advance();
                if value.abs() > MAX_SECONDS {
                    return Err(self.error_at(token.span, "duration out of range"));
                }
                let is_duration = matches!(token.kind, TokenKind::Duration(_));
                Ok(Length::Literal(Number { value, is_duration }))
            }
            TokenKind::Symbol(sign @ ("+" | "-")) => {
                self.advance();
                let operand =
                    if in_brackets { self.length(3)? } else { self.length_operand(false)? };
                Ok(match (sign, operand) {
                    ("+", operand) => operand,
                    (_, Length::Literal(number)) => {
                        Length::Literal(Number { value: -number.value, ..number })
                    }
                    (_, operand) => Length::Negative(Box::new(operand)),
                })
            }
            TokenKind::Symbol("(") => {
                self.advance();
                let inner = self.length(0)?;
                self.expect_symbol(")")?;
                Ok(Length::Paren(Box::new(inner)))
            }
            TokenKind::Identifier => self.length_function(),
            _ => Err(self.unexpected("a duration such as `5m`")),
        }
    }

    fn length_function(&mut self) -> Result<Length, ParseError> {
        let token = self.peek().clone();
        let name = self.word(&token).to_ascii_lowercase();
        let op = match name.as_str() {
            "step" | "range" => None,
            "min_of" => Some(LengthOp::Min),
            "max_of" => Some(LengthOp::Max),
            _ => {
                return Err(self.unexpected(
                    "a duration such as `5m`, `step()`, `range()`, `min_of` or `max_of`",
                ));
            }
        };
        self.advance();
        self.expect_symbol("(")?;
        let length = match op {
            None if name == "step" => Length::Step,
            None => Length::Range,
            Some(op) => {
                let left = self.length(0)?;
                self.expect_symbol(",")?;
                let right = self.length(0)?;
                Length::Binary(op, Box::new(left), Box::new(right))
            }
        };
        self.expect_symbol(")")?;
        Ok(length)
    }
}
