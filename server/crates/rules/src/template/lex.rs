//! Splits a template into text and the words inside `{{ }}`.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text outside of actions, already trimmed by neighboring trim markers.
    Text,
    LeftDelimiter,
    RightDelimiter,
    Space,
    /// An identifier or keyword.
    Word,
    /// `.name`
    Field,
    /// `$` or `$name`
    Variable,
    Dot,
    Number,
    /// A character in single quotes.
    Char,
    /// A text in double quotes.
    Quoted,
    /// A text in back quotes.
    Raw,
    Pipe,
    LeftParen,
    RightParen,
    Comma,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    End,
}

/// A piece of the source. `text` is the source itself, but for trimmed text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    /// Byte offset in the source.
    pub(super) position: usize,
    pub(super) text: &'a str,
}

/// A place where the source cannot be split further.
#[derive(Debug)]
pub(super) struct LexError {
    pub(super) position: usize,
    pub(super) message: String,
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";
const TRIMMED: [char; 4] = [' ', '\t', '\r', '\n'];

/// Splits the whole source; the last token is [`Kind::End`].
pub(super) fn tokens(source: &str) -> Result<Vec<Token<'_>>, LexError> {
    let mut lexer = Lexer { source, at: 0, parens: 0, out: Vec::new() };
    lexer.run()?;
    Ok(lexer.out)
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    parens: usize,
    out: Vec<Token<'a>>,
}

impl<'a> Lexer<'a> {
    fn run(&mut self) -> Result<(), LexError> {
        let mut trim_left = false;
        while let Some(found) = self.rest().find(LEFT) {
            let open = self.at + found;
            let inside = open + LEFT.len();
            let trim_right = self.source[inside..].starts_with('-')
                && self.source[inside + 1..].starts_with(TRIMMED);
            self.push_text(open, trim_left, trim_right);
            self.at = if trim_right { inside + 2 } else { inside };
            trim_left = if self.source[self.at..].starts_with("/*") {
                self.comment(open)?
            } else {
                self.push(Kind::LeftDelimiter, open);
                self.action(open)?
            };
        }
        self.push_text(self.source.len(), trim_left, false);
        self.at = self.source.len();
        self.push(Kind::End, self.source.len());
        Ok(())
    }

    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn push(&mut self, kind: Kind, from: usize) {
        self.out.push(Token { kind, position: from, text: &self.source[from..self.at] });
    }

    fn push_text(&mut self, end: usize, trim_left: bool, trim_right: bool) {
        let mut text = &self.source[self.at..end];
        if trim_left {
            text = text.trim_start_matches(TRIMMED);
        }
        if trim_right {
            text = text.trim_end_matches(TRIMMED);
        }
        if !text.is_empty() {
            self.out.push(Token { kind: Kind::Text, position: self.at, text });
        }
    }

    /// Skips a comment with its closing delimiter; true when the text after it is to be trimmed.
    fn comment(&mut self, open: usize) -> Result<bool, LexError> {
        let Some(length) = self.rest().find("*/") else {
            return Err(error(open, "unclosed comment"));
        };
        self.at += length + 2;
        match self.right_delimiter() {
            Some((length, trim)) => {
                self.at += length;
                Ok(trim)
            }
            None => Err(error(open, "comment ends before closing delimiter")),
        }
    }

    /// The length of a closing delimiter that starts here, and whether it trims.
    fn right_delimiter(&self) -> Option<(usize, bool)> {
        let rest = self.rest();
        if rest.starts_with(RIGHT) {
            return Some((RIGHT.len(), false));
        }
        let marked = rest.strip_prefix(TRIMMED)?.strip_prefix('-')?;
        marked.starts_with(RIGHT).then_some((2 + RIGHT.len(), true))
    }

    /// Splits one action up to and with its closing delimiter; true when the text after it is to be
    /// trimmed.
    fn action(&mut self, open: usize) -> Result<bool, LexError> {
        self.parens = 0;
        loop {
            if let Some((length, trim)) = self.right_delimiter() {
                if self.parens > 0 {
                    return Err(error(self.at, "unclosed left paren"));
                }
                let from = self.at;
                self.at += length;
                self.push(Kind::RightDelimiter, from);
                return Ok(trim);
            }
            let Some(c) = self.rest().chars().next() else {
                return Err(error(open, "unclosed action"));
            };
            self.word(c)?;
        }
    }

    fn word(&mut self, c: char) -> Result<(), LexError> {
        let from = self.at;
        let next = self.rest()[c.len_utf8()..].chars().next();
        let kind = match c {
            c if TRIMMED.contains(&c) => {
                self.spaces();
                Kind::Space
            }
            ':' if next == Some('=') => self.take(2, Kind::Declare),
            ':' => return Err(error(from, "expected :=")),
            '=' => self.take(1, Kind::Assign),
            '|' => self.take(1, Kind::Pipe),
            ',' => self.take(1, Kind::Comma),
            '(' => {
                self.parens += 1;
                self.take(1, Kind::LeftParen)
            }
            ')' => {
                self.parens = self
                    .parens
                    .checked_sub(1)
                    .ok_or_else(|| error(from, "unexpected right paren"))?;
                self.take(1, Kind::RightParen)
            }
            '"' => self.quoted('"', Kind::Quoted, "unterminated quoted string")?,
            '\'' => self.quoted('\'', Kind::Char, "unterminated character constant")?,
            '`' => self.raw()?,
            '$' => self.name(1, Kind::Variable)?,
            '.' if !next.is_some_and(|n| n.is_ascii_digit()) => {
                let kind = if next.is_some_and(is_word) { Kind::Field } else { Kind::Dot };
                self.name(1, kind)?
            }
            '+' | '-' | '.' | '0'..='9' => self.number()?,
            c if is_word(c) => self.name(0, Kind::Word)?,
            c => {
                return Err(error(from, &format!("unrecognized character in action: {c:?}")));
            }
        };
        self.push(kind, from);
        Ok(())
    }

    fn take(&mut self, length: usize, kind: Kind) -> Kind {
        self.at += length;
        kind
    }

    /// Spaces, but for the one that belongs to a closing ` -}}`.
    fn spaces(&mut self) {
        while self.rest().starts_with(TRIMMED) && self.right_delimiter().is_none() {
            self.at += 1;
        }
    }

    fn quoted(&mut self, quote: char, kind: Kind, message: &str) -> Result<Kind, LexError> {
        let from = self.at;
        let mut escaped = false;
        for (i, c) in self.rest().char_indices().skip(1) {
            match c {
                '\n' => break,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == quote => {
                    self.at += i + 1;
                    return Ok(kind);
                }
                _ => {}
            }
        }
        Err(error(from, message))
    }

    fn raw(&mut self) -> Result<Kind, LexError> {
        let from = self.at;
        let Some(length) = self.source[from + 1..].find('`') else {
            return Err(error(from, "unterminated raw quoted string"));
        };
        self.at += length + 2;
        Ok(Kind::Raw)
    }

    /// A name after `prefix` bytes, which must be followed by something that can end it.
    fn name(&mut self, prefix: usize, kind: Kind) -> Result<Kind, LexError> {
        self.at += prefix;
        let length = self.rest().find(|c| !is_word(c)).unwrap_or(self.rest().len());
        self.at += length;
        if kind == Kind::Dot || self.is_at_end_of_word() {
            return Ok(kind);
        }
        let c = self.rest().chars().next().unwrap_or_default();
        Err(error(self.at, &format!("bad character {c:?} after a name")))
    }

    fn is_at_end_of_word(&self) -> bool {
        let rest = self.rest();
        rest.is_empty()
            || rest.starts_with(TRIMMED)
            || rest.starts_with(['.', ',', '|', ':', ')', '('])
            || rest.starts_with(RIGHT)
    }

    fn number(&mut self) -> Result<Kind, LexError> {
        let from = self.at;
        let mut previous = ' ';
        for c in self.rest().chars() {
            let is_sign = matches!(c, '+' | '-');
            let after_exponent = matches!(previous, 'e' | 'E' | 'p' | 'P');
            if !(is_word(c) || c == '.' || is_sign && (self.at == from || after_exponent)) {
                break;
            }
            self.at += c.len_utf8();
            previous = c;
        }
        if super::literal::number(&self.source[from..self.at]).is_some() {
            return Ok(Kind::Number);
        }
        let text = &self.source[from..self.at];
        Err(error(from, &format!("bad number syntax: {text:?}")))
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn error(position: usize, message: &str) -> LexError {
    LexError { position, message: message.to_owned() }
}
