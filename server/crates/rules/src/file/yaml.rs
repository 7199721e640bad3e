//! YAML as a tree in which every node knows its place.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use crate::rule::Position;

/// A value with its place.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) position: Position,
    /// The bytes of the source it was read from, when they are known.
    source: Option<(usize, usize)>,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Kind {
    Null,
    Text(String),
    /// A number or a truth value, whose text is in the source.
    Plain,
    List(Vec<Node>),
    /// Keys are unique, in order of the file.
    Map(Vec<(Node, Node)>),
}

/// A text that is not YAML.
#[derive(Debug)]
pub(super) struct YamlError {
    pub(super) position: Position,
    pub(super) message: String,
}

/// Reads a document.
pub(super) fn parse(source: &str) -> Result<Node, YamlError> {
    let root: Result<Spanned<Raw>, _> = serde_saphyr::from_str(source);
    root.map(Node::from).map_err(|error| {
        let message = error.without_snippet().to_string();
        let position = error.location().map_or(Position { line: 1, column: 1 }, |location| {
            Position { line: location.line() as usize, column: location.column() as usize }
        });
        // The place is said by the position already.
        let message = message.split(" at line ").next().unwrap_or(&message);
        YamlError { position, message: message.to_owned() }
    })
}

impl Node {
    /// The text of a scalar; numbers and truth values as they were written.
    pub(super) fn text<'a>(&'a self, source: &'a str) -> Option<&'a str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            Kind::Plain => self.raw(source),
            _ => None,
        }
    }

    /// The place of byte `offset` of this node's text. Exact where the text was written without
    /// escapes other than the usual ones.
    pub(super) fn position_of(&self, source: &str, offset: usize) -> Position {
        let (Kind::Text(text), Some(raw), Some((start, _))) =
            (&self.kind, self.raw(source), self.source)
        else {
            return self.position;
        };
        position_at(source, start + align(raw, text, offset))
    }

    fn raw<'a>(&self, source: &'a str) -> Option<&'a str> {
        let (start, length) = self.source?;
        source.get(start..start.checked_add(length)?)
    }
}

fn position_at(source: &str, offset: usize) -> Position {
    let before = source.get(..offset).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

/// The offset in the written form that corresponds to an offset in the text. Both are walked side
/// by side; white space is skipped, because indentation and folding change it.
fn align(raw: &str, text: &str, offset: usize) -> usize {
    let first_line = text.lines().next().unwrap_or("");
    let quote = raw.chars().next().filter(|c| matches!(c, '"' | '\''));
    let quote = quote.filter(|_| !raw.starts_with(first_line) || text.is_empty());
    let mut at = usize::from(quote.is_some());
    for (i, c) in text.char_indices() {
        if c.is_whitespace() && i < offset {
            continue;
        }
        at += raw[at..].len() - raw[at..].trim_start().len();
        if i >= offset {
            return at;
        }
        at += written_length(&raw[at..], c, quote);
    }
    at.min(raw.len())
}

/// How many bytes the next character of the text takes in the written form.
fn written_length(raw: &str, c: char, quote: Option<char>) -> usize {
    let escape = match (quote, raw.strip_prefix('\\')) {
        (Some('"'), Some(escaped)) => escaped.chars().next().map(|kind| match kind {
            'x' => 4,
            'u' => 6,
            'U' => 10,
            other => 1 + other.len_utf8(),
        }),
        _ if quote == Some('\'') && raw.starts_with("''") => Some(2),
        _ => None,
    };
    let length = escape.unwrap_or(c.len_utf8()).min(raw.len());
    // An escape that is not understood must not cut a character.
    (length..=raw.len()).find(|at| raw.is_char_boundary(*at)).unwrap_or(raw.len())
}

impl From<Spanned<Raw>> for Node {
    fn from(spanned: Spanned<Raw>) -> Self {
        let location = spanned.defined;
        let span = location.span();
        let source = span.byte_offset().zip(span.byte_len());
        Self {
            position: Position {
                line: location.line() as usize,
                column: location.column() as usize,
            },
            source: source.map(|(start, length)| (start as usize, length as usize)),
            kind: match spanned.value {
                Raw::Null => Kind::Null,
                Raw::Plain => Kind::Plain,
                Raw::Text(text) => Kind::Text(text),
                Raw::List(list) => Kind::List(list.into_iter().map(Self::from).collect()),
                Raw::Map(map) => Kind::Map(
                    map.into_iter().map(|(k, v)| (Self::from(k), Self::from(v))).collect(),
                ),
            },
        }
    }
}

/// What the deserializer hands out, before places are sorted out.
enum Raw {
    Null,
    Plain,
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element()? {
            list.push(value);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = access.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}
