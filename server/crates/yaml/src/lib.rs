//! YAML as a tree in which every value knows its place, for readers that report all mistakes of a
//! file at once instead of stopping at the first.
//!
//! Deliberately absent: schemas and typed fields. What a key means, and the words of the errors,
//! belong to the reader of each kind of file.
//!
//! Invariants:
//! - A scalar keeps the text as it was written, whatever type YAML would give it.
//! - The keys of a map are in the order of the file.
//!
//! Entry points: [`parse`], [`Node`].

mod locate;
mod raw;

#[cfg(test)]
mod tests;

/// A place in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From 1; 0 when the file as a whole is meant.
    pub line: u64,
    /// In characters, from 1; 0 when the file as a whole is meant.
    pub column: u64,
}

/// A value with its place.
#[derive(Debug)]
pub struct Node {
    /// Where the value begins.
    pub place: Place,
    /// The value.
    pub kind: Kind,
    /// Start and length in bytes of the written form, where they are known.
    written: Option<(usize, usize)>,
}

/// What a value is.
#[derive(Debug)]
pub enum Kind {
    /// Nothing: an empty value, `null` or `~`.
    Null,
    /// A text, number or truth value.
    Scalar(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and values in order of the file.
    Map(Vec<(Node, Node)>),
}

/// A text that is not YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: {message}", place.line, place.column)]
pub struct YamlError {
    /// Where reading stopped.
    pub place: Place,
    /// What is wrong, in one line.
    pub message: String,
}

/// Reads a document. One without content, be it only comments, is [`Kind::Null`].
///
/// # Errors
/// The first place where it is not YAML.
pub fn parse(source: &str) -> Result<Node, YamlError> {
    let is_blank = |line: &str| line.trim_start().starts_with('#') || line.trim().is_empty();
    if source.lines().all(is_blank) {
        return Ok(Node { place: Place::default(), kind: Kind::Null, written: None });
    }
    raw::parse(source)
}

impl Node {
    /// Whether there is no value.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// The text of a scalar.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The place of byte `offset` of this scalar's text in the `source` it was parsed from. Exact
    /// where the text is written without escapes other than the usual ones.
    #[must_use]
    pub fn place_within(&self, source: &str, offset: usize) -> Place {
        let (Kind::Scalar(text), Some((start, length))) = (&self.kind, self.written) else {
            return self.place;
        };
        let Some(written) = source.get(start..start.saturating_add(length)) else {
            return self.place;
        };
        locate::place_at(source, start + locate::align(written, text, offset))
    }
}
