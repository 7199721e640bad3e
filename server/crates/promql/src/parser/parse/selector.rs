//! Selectors, and what may follow an expression: a range, an offset, a time.

use model::{MatchOp, Matcher};

use super::{
    super::{
        At, Expr, ExprKind, Extent, Length, ParseError, RangeSelector, Selector, Span, Subquery,
        lexer::{Token, TokenKind},
    },
    Parser,
};

impl Parser<'_> {
    /// A metric's name, conditions in braces, or both.
    pub(super) fn selector(&mut self, name: Option<Token>) -> Result<Expr, ParseError> {
        let start = self.peek().span;
        let mut end = start;
        let mut selector = Selector::default();
        if let Some(token) = name {
            selector.name = Some(self.word(&token).to_owned());
            self.advance();
        }
        if self.is_symbol("{") {
            end = self.matchers(&mut selector)?;
        }
        let span = start.to(end);
        Ok(self.node(span, ExprKind::Selector(selector)))
    }

    fn matchers(&mut self, selector: &mut Selector) -> Result<Span, ParseError> {
        self.expect_symbol("{")?;
        while !self.is_symbol("}") {
            self.matcher(selector)?;
            if self.take_symbol(",").is_none() && !self.is_symbol("}") {
                return Err(self.unexpected("`,` or `}`"));
            }
        }
        self.expect_symbol("}")
    }

    fn matcher(&mut self, selector: &mut Selector) -> Result<(), ParseError> {
        let token = self.peek().clone();
        let (name, is_quoted) = match &token.kind {
            TokenKind::Identifier if !self.word(&token).contains(':') => {
                (self.word(&token).to_owned(), false)
            }
            TokenKind::Text(name) => (name.clone(), true),
            _ => return Err(self.unexpected("a label name or `}`")),
        };
        self.advance();
        let op = match self.peek().kind {
            TokenKind::Symbol("=") => MatchOp::Equal,
            TokenKind::Symbol("!=") => MatchOp::NotEqual,
            TokenKind::Symbol("=~") => MatchOp::Regex,
            TokenKind::Symbol("!~") => MatchOp::NotRegex,
            TokenKind::Symbol("," | "}") if is_quoted => {
                return self.quoted_name(selector, name, token.span);
            }
            TokenKind::Symbol("==") => {
                return Err(self
                    .unexpected("`=`, `!=`, `=~` or `!~`")
                    .with_hint(Some("did you mean `=`?")));
            }
            _ => return Err(self.unexpected("`=`, `!=`, `=~` or `!~`")),
        };
        self.advance();
        let value = self.peek().clone();
        let TokenKind::Text(text) = &value.kind else {
            let hint = (value.kind == TokenKind::Identifier)
                .then(|| format!("did you mean `{name}{}\"{}\"`?", op.as_str(), self.word(&value)));
            return Err(self.unexpected("a text in quotes").with_hint(hint));
        };
        self.advance();
        let matcher = Matcher::try_new(name, op, text.clone())
            .map_err(|error| self.error_at(value.span, error.to_string()))?;
        if matcher.name == model::labels::METRIC_NAME && selector.name.is_some() {
            let message = format!(
                "metric name must not be set twice: {:?} or {:?}",
                selector.name.as_deref().unwrap_or_default(),
                matcher.value
            );
            return Err(self.error_at(token.span, message));
        }
        selector.matchers.push(matcher);
        Ok(())
    }

    /// The metric's name in quotes inside the braces.
    fn quoted_name(
        &self,
        selector: &mut Selector,
        name: String,
        span: Span,
    ) -> Result<(), ParseError> {
        if let Some(first) = &selector.name {
            let message = format!("metric name must not be set twice: {first:?} or {name:?}");
            return Err(self.error_at(span, message));
        }
        selector.name = Some(name);
        Ok(())
    }

    /// `[…]`, `offset`, `@`, `anchored` and `smoothed`, in any number.
    pub(super) fn postfix(&mut self, mut expr: Expr) -> Result<Expr, ParseError> {
        loop {
            let token = self.peek().clone();
            expr = match token.kind {
                TokenKind::Symbol("[") => self.range(expr)?,
                TokenKind::Symbol("@") => self.at(expr)?,
                TokenKind::Identifier if self.is_keyword(&token, "offset") => self.offset(expr)?,
                TokenKind::Identifier if self.is_keyword(&token, "anchored") => {
                    self.extent(expr, Extent::Anchored)?
                }
                TokenKind::Identifier if self.is_keyword(&token, "smoothed") => {
                    self.extent(expr, Extent::Smoothed)?
                }
                _ => return Ok(expr),
            };
        }
    }

    fn range(&mut self, expr: Expr) -> Result<Expr, ParseError> {
        let open = self.expect_symbol("[")?;
        let range = self.positive_length()?;
        if self.take_symbol(":").is_some() {
            let step = if self.is_symbol("]") { None } else { Some(self.positive_length()?) };
            let close = self.expect_symbol("]")?;
            let span = expr.span.to(close);
            let subquery = Subquery { expr, range, step, offset: None, at: None };
            return Ok(self.node(span, ExprKind::Subquery(Box::new(subquery))));
        }
        if !self.is_symbol("]") {
            return Err(self.unexpected("`:` or `]`"));
        }
        let close = self.expect_symbol("]")?;
        let span = expr.span.to(close);
        let ExprKind::Selector(selector) = expr.kind else {
            let source = &self.text[expr.span.start..expr.span.end];
            return Err(self
                .error_at(open.to(close), "ranges only allowed for vector selectors")
                .with_hint(Some(format!("write a subquery, `{source}[{range}:]`"))));
        };
        let misplaced = if selector.offset.is_some() {
            Some("no offset modifiers allowed before range")
        } else if selector.at.is_some() {
            Some("no @ modifiers allowed before range")
        } else {
            None
        };
        if let Some(message) = misplaced {
            return Err(self
                .error_at(open.to(close), message)
                .with_hint(Some("put the range right after the selector")));
        }
        Ok(self.node(span, ExprKind::Range(RangeSelector { selector, range })))
    }

    fn offset(&mut self, mut expr: Expr) -> Result<Expr, ParseError> {
        let keyword = self.advance().span;
        let offset = self.offset_length()?;
        let Some(slot) = offset_slot(&mut expr) else {
            let message = "offset modifier must be preceded by an instant vector selector or range \
                           vector selector or a subquery";
            return Err(self.error_at(keyword, message).with_hint(Some(
                "put it right after the selector, inside the function or aggregation",
            )));
        };
        if slot.is_some() {
            return Err(self.error_at(keyword, "offset may not be set multiple times"));
        }
        *slot = Some(offset);
        expr.span.end = self.previous_end();
        Ok(expr)
    }

    fn at(&mut self, mut expr: Expr) -> Result<Expr, ParseError> {
        let keyword = self.advance().span;
        let at = if self.take_keyword("start").is_some() {
            self.expect_symbol("(")?;
            self.expect_symbol(")")?;
            At::Start
        } else if self.take_keyword("end").is_some() {
            self.expect_symbol("(")?;
            self.expect_symbol(")")?;
            At::End
        } else {
            let span = self.peek().span;
            let number = self.signed_number()?;
            let ms = (number.value * 1000.0).round();
            if !ms.is_finite() || ms.abs() >= 9.2e18 {
                return Err(self.error_at(span, "timestamp out of bounds for @ modifier"));
            }
            At::Timestamp(ms as i64)
        };
        let slot = match &mut expr.kind {
            ExprKind::Selector(selector) => Some(&mut selector.at),
            ExprKind::Range(range) => Some(&mut range.selector.at),
            ExprKind::Subquery(subquery) => Some(&mut subquery.at),
            _ => None,
        };
        let Some(slot) = slot else {
            let message = "@ modifier must be preceded by an instant vector selector or range \
                           vector selector or a subquery";
            return Err(self.error_at(keyword, message));
        };
        if slot.is_some() {
            return Err(self.error_at(keyword, "@ <timestamp> may not be set multiple times"));
        }
        *slot = Some(at);
        expr.span.end = self.previous_end();
        Ok(expr)
    }

    fn extent(&mut self, mut expr: Expr, extent: Extent) -> Result<Expr, ParseError> {
        let token = self.advance();
        let word = self.word(&token).to_ascii_lowercase();
        let slot = match &mut expr.kind {
            ExprKind::Range(range) => Some(&mut range.selector.extent),
            ExprKind::Selector(selector) => Some(&mut selector.extent),
            _ => None,
        };
        let Some(slot) = slot else {
            let message = if matches!(expr.kind, ExprKind::Subquery(_)) {
                format!("{word} modifier is not supported for subqueries")
            } else {
                format!("{word} modifier must be preceded by a selector")
            };
            return Err(self.error_at(token.span, message));
        };
        if *slot != Extent::Plain {
            let message = "anchored and smoothed modifiers cannot be used together";
            return Err(self.error_at(token.span, message));
        }
        *slot = extent;
        expr.span.end = token.span.end;
        Ok(expr)
    }

    fn previous_end(&self) -> usize {
        self.tokens[self.at - 1].span.end
    }
}

fn offset_slot(expr: &mut Expr) -> Option<&mut Option<Length>> {
    match &mut expr.kind {
        ExprKind::Selector(selector) => Some(&mut selector.offset),
        ExprKind::Range(range) => Some(&mut range.selector.offset),
        ExprKind::Subquery(subquery) => Some(&mut subquery.offset),
        _ => None,
    }
}
