//! Tokens to a tree, by precedence climbing.

mod length;
mod selector;

use super::{
    Aggregate, AggregateOp, Binary, BinaryOp, Call, Cardinality, Expr, ExprKind, Fill, Grouping,
    Matching, NodeId, Number, ParseError, Span,
    lexer::{Token, TokenKind, tokenize},
};
use crate::functions;

/// Nesting deeper than this is refused, so that no text can exhaust the stack of a thread.
const MAX_DEPTH: usize = 64;

/// Longer chains of operators (`a or b or …`) are refused for the same reason.
const MAX_CHAIN: usize = 250;

/// Words that cannot be a metric's name where an expression is expected.
const RESERVED: [&str; 8] =
    ["bool", "on", "ignoring", "group_left", "group_right", "atan2", "inf", "nan"];

/// Whether a word cannot stand as a metric's name.
pub(super) fn is_reserved(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    RESERVED.contains(&word.as_str())
}

pub(super) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    next_id: u32,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, ParseError> {
        Ok(Self { text, tokens: tokenize(text)?, at: 0, next_id: 0, depth: 0 })
    }

    pub(super) fn parse_all(mut self) -> Result<Expr, ParseError> {
        if self.peek().kind == TokenKind::End {
            return Err(self.error_at(self.peek().span, "no expression found in input"));
        }
        let expr = self.expression(0)?;
        if self.peek().kind == TokenKind::End {
            return Ok(expr);
        }
        Err(self.unexpected("an operator or the end of the expression"))
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.at]
    }

    fn peek_after(&self) -> &Token {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)]
    }

    fn advance(&mut self) -> Token {
        let token = self.tokens[self.at].clone();
        // The last token is the end, which is never passed.
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn word(&self, token: &Token) -> &'a str {
        &self.text[token.span.start..token.span.end]
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek().kind, TokenKind::Symbol(s) if s == symbol)
    }

    fn take_symbol(&mut self, symbol: &str) -> Option<Span> {
        self.is_symbol(symbol).then(|| self.advance().span)
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<Span, ParseError> {
        match self.take_symbol(symbol) {
            Some(span) => Ok(span),
            None => Err(self.unexpected(&format!("`{symbol}`"))),
        }
    }

    /// The next token when it is this keyword, in whatever case.
    fn is_keyword(&self, token: &Token, keyword: &str) -> bool {
        token.kind == TokenKind::Identifier && self.word(token).eq_ignore_ascii_case(keyword)
    }

    fn take_keyword(&mut self, keyword: &str) -> Option<Span> {
        self.is_keyword(self.peek(), keyword).then(|| self.advance().span)
    }

    fn error_at(&self, span: Span, message: impl Into<String>) -> ParseError {
        ParseError::new(self.text, span, message)
    }

    fn unexpected(&self, expected: &str) -> ParseError {
        let token = self.peek();
        let found = match &token.kind {
            TokenKind::End => "end of input".to_owned(),
            TokenKind::Identifier => format!("identifier `{}`", self.word(token)),
            TokenKind::Number(_) => format!("number `{}`", self.word(token)),
            TokenKind::Duration(_) => format!("duration `{}`", self.word(token)),
            TokenKind::Text(_) => format!("text {}", self.word(token)),
            TokenKind::Bytes(_) => format!("text {}, which is not UTF-8", self.word(token)),
            TokenKind::Symbol(symbol) => format!("`{symbol}`"),
        };
        self.error_at(token.span, format!("unexpected {found}, expected {expected}"))
    }

    fn node(&mut self, span: Span, kind: ExprKind) -> Expr {
        let id = NodeId(self.next_id);
        self.next_id += 1;
        Expr { id, span, kind }
    }

    /// An expression of operators that bind at least as tightly as `min_precedence`.
    fn expression(&mut self, min_precedence: u8) -> Result<Expr, ParseError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error_at(
                self.peek().span,
                format!("expression is nested more than {MAX_DEPTH} levels deep"),
            ));
        }
        let mut left = self.operand()?;
        let mut chained = 0;
        while let Some(op) = self.binary_operator() {
            let precedence = op.precedence();
            if precedence < min_precedence {
                break;
            }
            chained += 1;
            if chained > MAX_CHAIN {
                let message = format!("more than {MAX_CHAIN} operators in a chain");
                return Err(self
                    .error_at(self.peek().span, message)
                    .with_hint(Some("split it with parentheses or use a regular expression")));
            }
            self.advance();
            let (returns_bool, matching) = self.modifiers()?;
            // Power groups to the right, everything else to the left.
            let next = if op == BinaryOp::Power { precedence } else { precedence + 1 };
            let right = self.expression(next)?;
            let span = left.span.to(right.span);
            let binary = Binary { op, left, right, returns_bool, matching };
            left = self.node(span, ExprKind::Binary(Box::new(binary)));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn binary_operator(&self) -> Option<BinaryOp> {
        let token = self.peek();
        let text = match &token.kind {
            TokenKind::Symbol(symbol) => (*symbol).to_owned(),
            TokenKind::Identifier => self.word(token).to_ascii_lowercase(),
            _ => return None,
        };
        BinaryOp::ALL.iter().copied().find(|op| op.as_str() == text)
    }

    /// A sign with its operand, or a single value with what follows it.
    fn operand(&mut self) -> Result<Expr, ParseError> {
        let is_minus = match self.peek().kind {
            TokenKind::Symbol("-") => true,
            TokenKind::Symbol("+") => false,
            _ => {
                let primary = self.primary()?;
                return self.postfix(primary);
            }
        };
        let start = self.advance().span;
        // A sign binds like multiplication: `-a ^ b` is `-(a ^ b)`, `-a * b` is `(-a) * b`.
        let operand = self.expression(BinaryOp::Power.precedence())?;
        let span = start.to(operand.span);
        if let ExprKind::Number(number) = operand.kind {
            let value = if is_minus { -number.value } else { number.value };
            return Ok(Expr {
                span,
                kind: ExprKind::Number(Number { value, ..number }),
                ..operand
            });
        }
        Ok(self.node(span, ExprKind::Sign { is_minus, operand: Box::new(operand) }))
    }

    fn primary(&mut self) -> Result<Expr, ParseError> {
        let token = self.peek().clone();
        match token.kind {
            TokenKind::Number(value) => {
                self.advance();
                let number = Number { value, is_duration: false };
                Ok(self.node(token.span, ExprKind::Number(number)))
            }
            TokenKind::Duration(value) => {
                self.advance();
                let number = Number { value, is_duration: true };
                Ok(self.node(token.span, ExprKind::Number(number)))
            }
            TokenKind::Text(text) => {
                self.advance();
                Ok(self.node(token.span, ExprKind::Text(text)))
            }
            TokenKind::Bytes(escaped) => {
                self.advance();
                Ok(self.node(token.span, ExprKind::Bytes(escaped)))
            }
            TokenKind::Symbol("(") => {
                let open = self.advance().span;
                let inner = self.expression(0)?;
                let close = self.expect_symbol(")")?;
                Ok(self.node(open.to(close), ExprKind::Paren(Box::new(inner))))
            }
            TokenKind::Symbol("{") => self.selector(None),
            TokenKind::Identifier => self.named(&token),
            TokenKind::Symbol(_) | TokenKind::End => Err(self.unexpected("an expression")),
        }
    }

    /// What begins with a word: a number by name, an aggregation, a function or a metric.
    fn named(&mut self, token: &Token) -> Result<Expr, ParseError> {
        let word = self.word(token);
        let lower = word.to_ascii_lowercase();
        let value = match lower.as_str() {
            "inf" => Some(f64::INFINITY),
            "nan" => Some(f64::NAN),
            _ => None,
        };
        if let Some(value) = value {
            self.advance();
            let number = Number { value, is_duration: false };
            return Ok(self.node(token.span, ExprKind::Number(number)));
        }
        if is_reserved(word) {
            return Err(self.unexpected("an expression"));
        }
        let next = self.peek_after();
        let is_grouped = self.is_keyword(next, "by") || self.is_keyword(next, "without");
        let is_called = next.kind == TokenKind::Symbol("(");
        if let Some(op) = AggregateOp::ALL.iter().copied().find(|op| op.as_str() == lower)
            && (is_called || is_grouped)
        {
            self.advance();
            return self.aggregate(op, token.span);
        }
        if is_called {
            self.advance();
            return self.call(word, token.span);
        }
        self.selector(Some(token.clone()))
    }

    fn aggregate(&mut self, op: AggregateOp, start: Span) -> Result<Expr, ParseError> {
        let mut grouping = self.grouping()?;
        let (mut args, mut end) = self.arguments()?;
        if grouping.is_none() {
            grouping = self.grouping()?;
            end = if grouping.is_some() { self.tokens[self.at - 1].span } else { end };
        }
        let span = start.to(end);
        let wanted = if op.param_type().is_some() { 2 } else { 1 };
        if args.len() != wanted {
            let message = format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, got {}",
                args.len()
            );
            let example = if wanted == 2 { "(10, x)" } else { "(x)" };
            return Err(self
                .error_at(span, message)
                .with_hint(Some(format!("write {}{example}", op.as_str()))));
        }
        let expr = args.pop().expect("the number of arguments was checked");
        let aggregate = Aggregate {
            op,
            expr,
            param: args.pop(),
            grouping: grouping.unwrap_or(Grouping::By(Vec::new())),
        };
        Ok(self.node(span, ExprKind::Aggregate(Box::new(aggregate))))
    }

    fn grouping(&mut self) -> Result<Option<Grouping>, ParseError> {
        if self.take_keyword("by").is_some() {
            return self.label_names().map(|names| Some(Grouping::By(names)));
        }
        if self.take_keyword("without").is_some() {
            return self.label_names().map(|names| Some(Grouping::Without(names)));
        }
        Ok(None)
    }

    /// `(a, b, "c.d")`, a comma at the end allowed.
    fn label_names(&mut self) -> Result<Vec<String>, ParseError> {
        self.expect_symbol("(")?;
        let mut names = Vec::new();
        while !self.is_symbol(")") {
            let token = self.peek().clone();
            match token.kind {
                TokenKind::Identifier if !self.word(&token).contains(':') => {
                    names.push(self.word(&token).to_owned());
                }
                TokenKind::Text(ref name) if !name.is_empty() => names.push(name.clone()),
                _ => return Err(self.unexpected("a label name or `)`")),
            }
            self.advance();
            if self.take_symbol(",").is_none() {
                break;
            }
        }
        self.expect_symbol(")")?;
        Ok(names)
    }

    fn arguments(&mut self) -> Result<(Vec<Expr>, Span), ParseError> {
        self.expect_symbol("(")?;
        let mut args = Vec::new();
        if let Some(close) = self.take_symbol(")") {
            return Ok((args, close));
        }
        loop {
            args.push(self.expression(0)?);
            if let Some(close) = self.take_symbol(")") {
                return Ok((args, close));
            }
            let Some(comma) = self.take_symbol(",") else {
                return Err(self.unexpected("`,` or `)`"));
            };
            if self.is_symbol(")") {
                return Err(
                    self.error_at(comma, "trailing commas not allowed in function call args")
                );
            }
        }
    }

    fn call(&mut self, name: &str, start: Span) -> Result<Expr, ParseError> {
        let Some(function) = functions::find(name) else {
            let hint = functions::closest(name).map(|close| format!("did you mean `{close}`?"));
            let message = format!("unknown function with name {name:?}");
            return Err(self.error_at(start, message).with_hint(hint));
        };
        let (args, end) = self.arguments()?;
        Ok(self.node(start.to(end), ExprKind::Call(Call { function, args })))
    }

    /// `bool`, `on`/`ignoring`, `group_left`/`group_right` and `fill` after an operator.
    fn modifiers(&mut self) -> Result<(bool, Matching), ParseError> {
        let returns_bool = self.take_keyword("bool").is_some();
        let mut matching = Matching::default();
        if self.take_keyword("on").is_some() {
            matching.labels = Some(Grouping::By(self.label_names()?));
        } else if self.take_keyword("ignoring").is_some() {
            matching.labels = Some(Grouping::Without(self.label_names()?));
        }
        for (keyword, cardinality) in
            [("group_left", Cardinality::ManyToOne), ("group_right", Cardinality::OneToMany)]
        {
            let Some(span) = self.take_keyword(keyword) else { continue };
            if matching.labels.is_none() {
                let message = format!("{keyword} needs on(…) or ignoring(…) before it");
                return Err(self.error_at(span, message));
            }
            matching.cardinality = cardinality;
            if self.is_symbol("(") {
                matching.include = self.label_names()?;
            }
        }
        matching.fill = self.fill()?;
        Ok((returns_bool, matching))
    }

    fn fill(&mut self) -> Result<Fill, ParseError> {
        let mut fill = Fill::default();
        loop {
            // `fill` may also be a metric's name, so a parenthesis must follow.
            if self.peek_after().kind != TokenKind::Symbol("(") {
                return Ok(fill);
            }
            let (left, right) = if self.take_keyword("fill").is_some() {
                (true, true)
            } else if self.take_keyword("fill_left").is_some() {
                (true, false)
            } else if self.take_keyword("fill_right").is_some() {
                (false, true)
            } else {
                return Ok(fill);
            };
            self.expect_symbol("(")?;
            let value = self.signed_number()?;
            self.expect_symbol(")")?;
            if left {
                fill.left = Some(value);
            }
            if right {
                fill.right = Some(value);
            }
        }
    }

    /// A number, duration, `Inf` or `NaN` with an optional sign.
    fn signed_number(&mut self) -> Result<Number, ParseError> {
        let is_minus = self.is_symbol("-");
        if is_minus || self.is_symbol("+") {
            self.advance();
        }
        let token = self.peek().clone();
        let (value, is_duration) = match token.kind {
            TokenKind::Number(value) => (value, false),
            TokenKind::Duration(value) => (value, true),
            TokenKind::Identifier if self.is_keyword(&token, "inf") => (f64::INFINITY, false),
            TokenKind::Identifier if self.is_keyword(&token, "nan") => (f64::NAN, false),
            _ => return Err(self.unexpected("a number")),
        };
        self.advance();
        Ok(Number { value: if is_minus { -value } else { value }, is_duration })
    }
}
