//! Answers to queries, written while they are sent: what a result needs as text is never in memory as a
//! whole.

use std::{convert::Infallible, io::Write as _};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};
use futures_util::stream;
use model::Labels;
use promql::{Output, QueryValue, Series};
use serde::Serialize;

use super::value::{self, Scalar, VectorItem};
use crate::query::{SharedTexts, Times};

/// A piece of an answer is sent when it has this many bytes.
const PIECE_BYTES: usize = 64 << 10;
/// Shorter answers are not worth packing.
const MIN_PACKED_BYTES: usize = 1_400;

/// A successful answer to a query.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) output: Output,
    /// The most series or samples shown.
    pub(super) limit: usize,
    /// The numbers of the series as text, when they are known.
    pub(super) texts: SharedTexts,
    pub(super) warnings: Vec<String>,
    pub(super) infos: Vec<String>,
    /// The JSON of `data.stats`.
    pub(super) stats: Option<serde_json::Value>,
}

impl Answer {
    /// The answer, packed when the client takes that.
    pub(super) fn into_response(self, headers: &HeaderMap) -> Response {
        let mut writer = Writer::new(self);
        let first = writer.piece().unwrap_or_default();
        let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let vary = (header::VARY, HeaderValue::from_static("Accept-Encoding"));
        if !accepts_gzip(headers) || (writer.is_done() && first.len() < MIN_PACKED_BYTES) {
            if writer.is_done() {
                return ([json, vary], first).into_response();
            }
            let pieces = stream::unfold((Some(first), writer), |(first, mut writer)| async {
                let piece = first.or_else(|| writer.piece())?;
                Some((Ok::<_, Infallible>(Bytes::from(piece)), (None, writer)))
            });
            return ([json, vary], Body::from_stream(pieces)).into_response();
        }
        let packer = Packer { first: Some(first), writer, encoder: Some(encoder()) };
        let pieces = stream::unfold(packer, |mut packer| async {
            packer.piece().map(|piece| (Ok::<_, Infallible>(Bytes::from(piece)), packer))
        });
        let gzip = (header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        ([json, vary, gzip], Body::from_stream(pieces)).into_response()
    }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).into_iter();
    accepted.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(
        |coding| {
            let mut parts = coding.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let is_refused =
                parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
            name.eq_ignore_ascii_case("gzip") && !is_refused
        },
    )
}

fn encoder() -> GzEncoder<Vec<u8>> {
    GzEncoder::new(Vec::new(), Compression::fast())
}

/// Packs pieces as they come.
struct Packer {
    first: Option<Vec<u8>>,
    writer: Writer,
    /// Gone when the end was written.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Packer {
    fn piece(&mut self) -> Option<Vec<u8>> {
        while let Some(encoder) = &mut self.encoder {
            let Some(piece) = self.first.take().or_else(|| self.writer.piece()) else {
                return self.encoder.take().and_then(|encoder| encoder.finish().ok());
            };
            // Writing to memory does not fail.
            encoder.write_all(&piece).ok()?;
            if !encoder.get_ref().is_empty() {
                return Some(std::mem::take(encoder.get_mut()));
            }
        }
        None
    }
}

/// Writes an answer piece by piece.
struct Writer {
    answer: Answer,
    place: Place,
    times: Times,
}

/// What is written next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Result(usize),
    End,
    Done,
}

impl Writer {
    fn new(answer: Answer) -> Self {
        Self { answer, place: Place::Start, times: Times::default() }
    }

    fn is_done(&self) -> bool {
        self.place == Place::Done
    }

    /// The next piece; `None` after the last one.
    fn piece(&mut self) -> Option<Vec<u8>> {
        if self.is_done() {
            return None;
        }
        let mut out = Vec::with_capacity(PIECE_BYTES / 16);
        while out.len() < PIECE_BYTES && !self.is_done() {
            self.step(&mut out);
        }
        Some(out)
    }

    fn step(&mut self, out: &mut Vec<u8>) {
        let Answer { output, limit, texts, warnings, infos, stats } = &self.answer;
        let limit = *limit;
        self.place = match (self.place, &output.value) {
            (Place::Start, value) => {
                out.extend_from_slice(br#"{"status":"success","data":{"resultType":""#);
                out.extend_from_slice(value::kind(value).as_bytes());
                out.extend_from_slice(br#"","result":"#);
                if matches!(value, QueryValue::Vector(_) | QueryValue::Matrix(_)) {
                    out.push(b'[');
                }
                Place::Result(0)
            }
            (Place::Result(i), QueryValue::Vector(samples)) if i < samples.len().min(limit) => {
                separate(i, out);
                put_json(&VectorItem(&samples[i]), out);
                Place::Result(i + 1)
            }
            (Place::Result(i), QueryValue::Matrix(all)) if i < all.len().min(limit) => {
                separate(i, out);
                let text = texts.as_ref().and_then(|texts| texts.get(i));
                put_series(&all[i], text, &mut self.times, out);
                Place::Result(i + 1)
            }
            (Place::Result(_), QueryValue::Vector(_) | QueryValue::Matrix(_)) => {
                out.push(b']');
                Place::End
            }
            (Place::Result(_), QueryValue::Scalar { timestamp, value }) => {
                put_json(&(value::Seconds(*timestamp), Scalar(*value)), out);
                Place::End
            }
            (Place::Result(_), QueryValue::Text { timestamp, text }) => {
                put_json(&(value::Seconds(*timestamp), text), out);
                Place::End
            }
            (Place::End, _) => {
                if let Some(stats) = stats {
                    out.extend_from_slice(br#","stats":"#);
                    put_json(stats, out);
                }
                out.push(b'}');
                for (name, texts) in [("warnings", warnings), ("infos", infos)] {
                    if !texts.is_empty() {
                        out.extend_from_slice(format!(",\"{name}\":").as_bytes());
                        put_json(texts, out);
                    }
                }
                out.push(b'}');
                Place::Done
            }
            (Place::Done, _) => Place::Done,
        };
    }
}

fn separate(number: usize, out: &mut Vec<u8>) {
    if number > 0 {
        out.push(b',');
    }
}

fn put_json<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        // Nothing here has a key that is no text.
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

/// Writes the numbers of a series on steps, of which some may be known as text.
fn put_series(series: &Series, known: Option<&[u8]>, times: &mut Times, out: &mut Vec<u8>) {
    let Some((start, step_ms, numbers)) = series.numbers() else {
        return put_json(&value::MatrixItem(series), out);
    };
    out.extend_from_slice(br#"{"metric":"#);
    put_labels(&series.labels, out);
    out.extend_from_slice(br#","values":"#);
    let place = out.len();
    match known {
        Some(text) => out.extend_from_slice(text),
        None => times.put((start, step_ms), numbers, out, &mut |_| {}),
    }
    // In the place of the comma before the first number.
    match out.get_mut(place) {
        Some(comma) => *comma = b'[',
        None => out.push(b'['),
    }
    out.extend_from_slice(b"]}");
}

fn put_labels(labels: &Labels, out: &mut Vec<u8>) {
    put_json(&value::LabelMap(labels), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_used_when_it_is_accepted() {
        for (value, expected) in
            [("gzip", true), ("deflate, GZIP;q=0.5", true), ("gzip;q=0", false), ("br", false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_str(value).unwrap());
            assert_eq!(accepts_gzip(&headers), expected, "{value}");
        }
    }
}
