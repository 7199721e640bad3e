//! Text to tokens. Keywords are identifiers here; only the parser knows where they are reserved.

use super::{ParseError, Span};

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TokenKind {
    /// A name or keyword, with `:` allowed outside brackets.
    Identifier,
    /// A number: `1`, `.5`, `1e3`, `0x1F`, `1_000`.
    Number(f64),
    /// A duration such as `1h30m`, in seconds.
    Duration(f64),
    /// A quoted text, unescaped.
    Text(String),
    /// A quoted text that is not valid UTF-8, as it is written between double quotes.
    Bytes(String),
    /// An operator or a piece of punctuation.
    Symbol(&'static str),
    /// The end of the input.
    End,
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

/// Longest first, so that `<=` is not read as `<`.
const SYMBOLS: [&str; 25] = [
    "==", "!=", "<=", ">=", "=~", "!~", "</", ">/", "<", ">", "=", "+", "-", "*", "/", "%", "^",
    "(", ")", "{", "}", "[", "]", ",", "@",
];

/// Reads the whole text; the last token is [`TokenKind::End`].
pub(crate) fn tokenize(text: &str) -> Result<Vec<Token>, ParseError> {
    let mut lexer = Lexer { text, at: 0, brackets: 0 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        let is_end = token.kind == TokenKind::End;
        tokens.push(token);
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    brackets: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn error(&self, start: usize, message: impl Into<String>) -> ParseError {
        let end = self.rest().chars().next().map_or(self.at, |c| self.at + c.len_utf8());
        ParseError::new(self.text, Span { start, end: end.max(start) }, message)
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    fn next(&mut self) -> Result<Token, ParseError> {
        self.skip_blank();
        let start = self.at;
        let kind = self.kind()?;
        Ok(Token { kind, span: Span { start, end: self.at } })
    }

    fn kind(&mut self) -> Result<TokenKind, ParseError> {
        let Some(first) = self.rest().chars().next() else {
            return Ok(TokenKind::End);
        };
        let second = self.rest().chars().nth(1);
        match first {
            '"' | '\'' | '`' => self.text(first),
            '0'..='9' => self.number(),
            '.' if second.is_some_and(|c| c.is_ascii_digit()) => self.number(),
            ':' if self.brackets > 0 => {
                self.at += 1;
                Ok(TokenKind::Symbol(":"))
            }
            'a'..='z' | 'A'..='Z' | '_' | ':' => {
                let is_part = |c: char| {
                    c.is_ascii_alphanumeric() || c == '_' || (c == ':' && self.brackets == 0)
                };
                self.at += self.rest().find(|c| !is_part(c)).unwrap_or(self.rest().len());
                Ok(TokenKind::Identifier)
            }
            _ => self.symbol(first),
        }
    }

    fn symbol(&mut self, first: char) -> Result<TokenKind, ParseError> {
        let Some(symbol) = SYMBOLS.iter().find(|symbol| self.rest().starts_with(**symbol)) else {
            let message = match first {
                '!' => "unexpected `!`, expected `!=` or `!~`".to_owned(),
                '&' => "unexpected `&`, write `and`".to_owned(),
                '|' => "unexpected `|`, write `or`".to_owned(),
                other => format!("unexpected character {other:?}"),
            };
            return Err(self.error(self.at, message));
        };
        match *symbol {
            "[" => self.brackets += 1,
            "]" => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        self.at += symbol.len();
        Ok(TokenKind::Symbol(symbol))
    }

    fn number(&mut self) -> Result<TokenKind, ParseError> {
        let start = self.at;
        let bytes = self.rest().as_bytes();
        let word = bytes
            .iter()
            .enumerate()
            .take_while(|(i, b)| {
                let after_exponent = *i > 0
                    && matches!(bytes[i - 1], b'e' | b'E')
                    && !matches!(bytes.get(1), Some(b'x' | b'X'));
                b.is_ascii_alphanumeric()
                    || matches!(b, b'.' | b'_')
                    || (after_exponent && matches!(b, b'+' | b'-'))
            })
            .count();
        self.at += word;
        let word = &self.text[start..self.at];
        if let Some(value) = parse_number(word) {
            return Ok(TokenKind::Number(value));
        }
        match model::duration::parse(word) {
            Ok(duration) => Ok(TokenKind::Duration(duration.as_millis() as f64 / 1000.0)),
            Err(error @ model::duration::DurationError::TooLong(_)) => {
                Err(self.error(start, error.to_string()))
            }
            Err(_) => Err(self.error(
                start,
                format!("bad number or duration `{word}`, expected something like 10, 1.5e3 or 5m"),
            )),
        }
    }

    fn text(&mut self, quote: char) -> Result<TokenKind, ParseError> {
        let start = self.at;
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            let Some(c) = self.rest().chars().next() else {
                return Err(self.error(start, "text is not closed by a quote"));
            };
            self.at += c.len_utf8();
            match c {
                c if c == quote => break,
                '\n' if quote != '`' => {
                    return Err(self.error(start, "text is not closed by a quote"));
                }
                '\\' if quote != '`' => self.escape(quote, &mut bytes)?,
                c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        Ok(match String::from_utf8(bytes) {
            Ok(text) => TokenKind::Text(text),
            Err(error) => TokenKind::Bytes(escaped(error.as_bytes())),
        })
    }

    /// Go's escapes; octal and hexadecimal ones give bytes, `\u` and `\U` characters.
    fn escape(&mut self, quote: char, bytes: &mut Vec<u8>) -> Result<(), ParseError> {
        let start = self.at - 1;
        let Some(c) = self.rest().chars().next() else {
            return Err(self.error(start, "text ends inside an escape"));
        };
        self.at += c.len_utf8();
        let plain = match c {
            'a' => 0x07,
            'b' => 0x08,
            'f' => 0x0c,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 0x0b,
            '\\' => b'\\',
            c if c == quote => c as u8,
            '0'..='7' => {
                self.at -= 1;
                self.code(start, 3, 8)? as u8
            }
            'x' => self.code(start, 2, 16)? as u8,
            'u' | 'U' => {
                let code = self.code(start, if c == 'u' { 4 } else { 8 }, 16)?;
                let c = char::from_u32(code)
                    .ok_or_else(|| self.error(start, "escape is not a Unicode character"))?;
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            other => {
                let message = format!("unknown escape `\\{other}`, write `\\\\` for a backslash");
                return Err(self.error(start, message));
            }
        };
        bytes.push(plain);
        Ok(())
    }

    fn code(&mut self, start: usize, digits: usize, radix: u32) -> Result<u32, ParseError> {
        let code = self
            .rest()
            .get(..digits)
            .and_then(|digits| u32::from_str_radix(digits, radix).ok())
            .filter(|code| digits != 3 || *code < 256)
            .ok_or_else(|| self.error(start, format!("escape needs {digits} digits")))?;
        self.at += digits;
        Ok(code)
    }
}

/// Bytes that are not a text as escapes, the valid parts as they are.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' | '\n' => text.extend(c.escape_default()),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            text.extend(["\\x".to_owned(), format!("{byte:02x}")]);
        }
    }
    text
}

/// A number as Go reads it: decimal with exponent, or `0x`; `_` may separate digits.
pub(crate) fn parse_number(word: &str) -> Option<f64> {
    let has_bad_separator = word.starts_with('_') || word.ends_with('_') || word.contains("__");
    if has_bad_separator {
        return None;
    }
    let digits = word.replace('_', "");
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return u64::from_str_radix(hex, 16).ok().map(|value| value as f64);
    }
    let is_octal = digits.len() > 1
        && digits.starts_with('0')
        && digits.bytes().all(|b| matches!(b, b'0'..=b'7'));
    if is_octal {
        // Prometheus reads an integer first, in Go's notation, where a leading zero means octal.
        return u64::from_str_radix(&digits, 8).ok().map(|value| value as f64);
    }
    let is_decimal =
        digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if is_decimal { digits.parse().ok() } else { None }
}
