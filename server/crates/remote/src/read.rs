//! Remote read: what is asked for, and the answer in the form of samples.
//!
//! Source: `prompb/remote.proto` in Prometheus.

use model::{MatchOp, Matcher, Timestamp, matcher::MatcherError};

use crate::wire::{Field, Reader, WireError, put_bytes};

/// `STREAMED_XOR_CHUNKS` among the types of answers.
const CHUNKS: u64 = 1;

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// The questions in order.
    pub queries: Vec<ReadQuery>,
    /// Whether the client would rather have chunks than samples.
    pub wants_chunks: bool,
}

/// One of the questions of a request.
#[derive(Debug, Clone)]
pub struct ReadQuery {
    /// The oldest timestamp wanted, inclusive.
    pub start: Timestamp,
    /// The newest timestamp wanted, inclusive.
    pub end: Timestamp,
    /// All must hold.
    pub matchers: Vec<Matcher>,
}

/// Why a request for samples was refused.
#[derive(Debug, thiserror::Error)]
pub enum BadReadRequest {
    /// The message is damaged.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A text is no UTF-8.
    #[error("a matcher is not UTF-8")]
    NotUtf8,
    /// A matcher has a type that does not exist.
    #[error("matchers have no type {0}")]
    MatcherType(u64),
    /// A pattern is no regular expression.
    #[error(transparent)]
    Matcher(#[from] MatcherError),
}

/// Reads a request, unpacked.
///
/// # Errors
/// When it is damaged or a matcher makes no sense.
pub fn read_request(message: &[u8]) -> Result<ReadRequest, BadReadRequest> {
    let mut queries = Vec::new();
    // Of the types that the client names, the first that is known here counts, and all are.
    let mut first_type = None;
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.field()? {
        match (number, field) {
            (1, _) => queries.push(query(field.bytes(number)?)?),
            (2, Field::Bytes(packed)) if !packed.is_empty() => {
                let named = Reader::new(packed).varint()?;
                first_type.get_or_insert(named);
            }
            (2, Field::Varint(named)) => {
                first_type.get_or_insert(named);
            }
            _ => {}
        }
    }
    Ok(ReadRequest { queries, wants_chunks: first_type == Some(CHUNKS) })
}

/// The answer to a request: for each question the series as [`Encoder`](crate::Encoder) writes them for
/// protocol 1.0.
pub fn read_answer(results: &[Vec<u8>]) -> Vec<u8> {
    let mut message = Vec::with_capacity(results.iter().map(|result| result.len() + 8).sum());
    for result in results {
        put_bytes(&mut message, 1, result);
    }
    message
}

fn query(bytes: &[u8]) -> Result<ReadQuery, BadReadRequest> {
    let mut query = ReadQuery { start: 0, end: 0, matchers: Vec::new() };
    let mut reader = Reader::new(bytes);
    while let Some((number, field)) = reader.field()? {
        match number {
            1 => query.start = field.varint(number)? as Timestamp,
            2 => query.end = field.varint(number)? as Timestamp,
            3 => query.matchers.push(matcher(field.bytes(number)?)?),
            _ => {}
        }
    }
    Ok(query)
}

fn text(number: u32, field: Field<'_>) -> Result<&str, BadReadRequest> {
    std::str::from_utf8(field.bytes(number)?).map_err(|_| BadReadRequest::NotUtf8)
}

fn matcher(bytes: &[u8]) -> Result<Matcher, BadReadRequest> {
    let (mut kind, mut name, mut value) = (0, "", "");
    let mut reader = Reader::new(bytes);
    while let Some((number, field)) = reader.field()? {
        match number {
            1 => kind = field.varint(number)?,
            2 => name = text(number, field)?,
            3 => value = text(number, field)?,
            _ => {}
        }
    }
    let op = match kind {
        0 => MatchOp::Equal,
        1 => MatchOp::NotEqual,
        2 => MatchOp::Regex,
        3 => MatchOp::NotRegex,
        other => return Err(BadReadRequest::MatcherType(other)),
    };
    Ok(Matcher::try_new(name, op, value)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::put_number;
    use proptest::prelude::*;

    fn request(kind: u64, name: &str, value: &str) -> Vec<u8> {
        let mut matcher = Vec::new();
        put_number(&mut matcher, 1, kind);
        put_bytes(&mut matcher, 2, name.as_bytes());
        put_bytes(&mut matcher, 3, value.as_bytes());
        let mut query = Vec::new();
        put_number(&mut query, 1, -5_i64 as u64);
        put_number(&mut query, 2, 70);
        put_bytes(&mut query, 3, &matcher);
        put_bytes(&mut query, 4, b"hints");
        let mut message = Vec::new();
        put_bytes(&mut message, 1, &query);
        put_number(&mut message, 2, 1);
        message
    }

    #[test]
    fn a_question_has_times_and_matchers() {
        for (kind, expected) in
            [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex]
                .iter()
                .enumerate()
        {
            let ReadRequest { queries, wants_chunks } =
                read_request(&request(kind as u64, "job", "a.*")).unwrap();
            assert!(wants_chunks);
            let [query] = &*queries else { panic!("{queries:?}") };
            assert_eq!((query.start, query.end), (-5, 70));
            let [matcher] = &*query.matchers else { panic!("{query:?}") };
            assert_eq!((&*matcher.name, matcher.op, &*matcher.value), ("job", *expected, "a.*"));
        }
    }

    #[test]
    fn the_first_type_of_answer_that_is_named_counts() {
        for (name, message, expected) in [
            ("none", &[][..], false),
            ("samples", &[0x10, 0], false),
            ("chunks, packed", &[0x12, 2, 1, 0], true),
            ("samples before chunks, packed", &[0x12, 2, 0, 1], false),
            ("chunks before samples", &[0x10, 1, 0x10, 0], true),
        ] {
            assert_eq!(read_request(message).unwrap().wants_chunks, expected, "{name}");
        }
    }

    #[test]
    fn a_matcher_that_makes_no_sense_is_refused() {
        for (name, message, expected) in [
            ("type", request(4, "a", "b"), "matchers have no type 4"),
            ("pattern", request(2, "a", "("), "("),
        ] {
            let error = read_request(&message).unwrap_err().to_string();
            assert!(error.contains(expected), "{name}: {error}");
        }
    }

    proptest! {
        #[test]
        fn property_any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(read_request(&bytes));
        }
    }
}
