//! `POST /api/v1/read`: Prometheus remote read, with samples or, for a client that prefers them, chunks.
//! Where there are native histograms a client gets samples, which it takes as well: their chunks are a
//! format of their own, which is only read here.
//!
//! Errors are texts, as clients show them as they are.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::{Column, Storage, StorageError, Timestamp, Value, storage::Select};
use remote::{BadReadRequest, Chunk, Encoder, Protocol, ReadQuery, UnpackError};
use tsdb::Tsdb;

use crate::http::Shared;

/// The largest question, unpacked.
const MAX_QUESTION_BYTES: usize = 1 << 20;
/// The largest answer, unpacked.
const MAX_ANSWER_BYTES: usize = 256 << 20;
/// As many as Prometheus puts into a chunk.
const SAMPLES_PER_CHUNK: usize = 120;
const VERSION: HeaderName = HeaderName::from_static("x-prometheus-remote-read-version");

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("the body cannot be unpacked: {0}")]
    Body(#[from] UnpackError),
    #[error("the request cannot be read: {0}")]
    Request(#[from] BadReadRequest),
    #[error(
        "the answer would have more than {MAX_ANSWER_BYTES} bytes; ask for fewer series or less time"
    )]
    TooLarge,
    #[error(transparent)]
    Store(#[from] StorageError),
}

impl IntoResponse for ReadError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Body(_) | Self::Request(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge | Self::Store(StorageError::TooManySeries { .. }) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Store(StorageError::Engine(_)) => {
                tracing::error!(error = %model::text::causes(&self), "a remote read failed");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        (status, self.to_string()).into_response()
    }
}

/// The samples that a client asks for.
pub(super) async fn read(State(app): State<Shared>, body: Bytes) -> Result<Response, ReadError> {
    let max_series = app.config.query.max_series;
    let answer = app.queries.read(move |store| answer(store, &body, max_series)).await?;
    Ok(match answer {
        Answer::Samples(packed) => {
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf")),
                (header::CONTENT_ENCODING, HeaderValue::from_static("snappy")),
                (VERSION, HeaderValue::from_static("0.1.0")),
            ];
            (headers, packed).into_response()
        }
        Answer::Chunks(frames) => {
            let kind = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
            ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], frames).into_response()
        }
    })
}

/// The body of an answer.
#[derive(Debug)]
enum Answer {
    /// A packed message.
    Samples(Vec<u8>),
    /// Frames, which are packed in themselves.
    Chunks(Vec<u8>),
}

fn answer(store: &Tsdb, body: &[u8], max_series: usize) -> Result<Answer, ReadError> {
    let request = remote::read_request(&remote::unpack(body, MAX_QUESTION_BYTES)?)?;
    if request.wants_chunks
        && let Some(frames) = frames(store, &request.queries, max_series)?
    {
        return Ok(Answer::Chunks(frames));
    }
    let mut left = MAX_ANSWER_BYTES;
    let mut results = Vec::with_capacity(request.queries.len());
    for query in &request.queries {
        let result = result(store, query, max_series, left)?;
        left -= result.len();
        results.push(result);
    }
    let packed = remote::pack(&remote::read_answer(&results)).ok_or(ReadError::TooLarge)?;
    Ok(Answer::Samples(packed))
}

/// The answer in frames; `None` when there are histograms.
fn frames(
    store: &Tsdb,
    queries: &[ReadQuery],
    max_series: usize,
) -> Result<Option<Vec<u8>>, ReadError> {
    let mut out = Vec::new();
    let mut column = Column::default();
    for (number, query) in queries.iter().enumerate() {
        let ReadQuery { start, end, ref matchers } = *query;
        let selection = store.select(&Select { matchers, start, end, max_series })?;
        let labels = selection.labels();
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by(|a, b| labels[*a].cmp(&labels[*b]));
        for series in order {
            selection.read(series, &mut column)?;
            if !column.histograms.is_empty() {
                return Ok(None);
            }
            let times = column.float_times.chunks(SAMPLES_PER_CHUNK);
            let chunks = times.zip(column.floats.chunks(SAMPLES_PER_CHUNK)).map(chunk);
            remote::put_chunked_series(&mut out, number as u64, &labels[series], chunks);
            if out.len() > MAX_ANSWER_BYTES {
                return Err(ReadError::TooLarge);
            }
        }
    }
    Ok(Some(out))
}

fn chunk((times, values): (&[Timestamp], &[f64])) -> Chunk {
    let samples: Vec<(Timestamp, f64)> =
        times.iter().copied().zip(values.iter().copied()).collect();
    let bound = |time: Option<&Timestamp>| time.copied().unwrap_or_default();
    Chunk {
        start: bound(times.first()),
        end: bound(times.last()),
        data: import::prometheus::encode_numbers(&samples),
    }
}

fn result(
    store: &Tsdb,
    query: &ReadQuery,
    max_series: usize,
    most_bytes: usize,
) -> Result<Vec<u8>, ReadError> {
    let ReadQuery { start, end, ref matchers } = *query;
    let selection = store.select(&Select { matchers, start, end, max_series })?;
    let mut encoder = Encoder::new(Protocol::V1);
    let mut column = Column::default();
    for (number, labels) in selection.labels().iter().enumerate() {
        selection.read(number, &mut column)?;
        for (&timestamp, &value) in column.float_times.iter().zip(&column.floats) {
            encoder.push(labels, timestamp, &Value::Float(value), None);
        }
        for (&timestamp, value) in column.histogram_times.iter().zip(&column.histograms) {
            encoder.push(labels, timestamp, &Value::Histogram(Arc::clone(value)), None);
        }
        if encoder.bytes() > most_bytes {
            return Err(ReadError::TooLarge);
        }
    }
    let result = encoder.finish();
    if result.len() > most_bytes { Err(ReadError::TooLarge) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use model::Labels;
    use remote::Message;
    use tsdb::{Batch, engine::MemoryEngine};

    use super::*;

    /// A field with a length below 128.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, bytes.len() as u8][..], bytes].concat()
    }

    /// Asks for the series of a metric from 1,000 to 1,030.
    fn question(metric: &str) -> Vec<u8> {
        let matcher = [field(2, b"__name__"), field(3, metric.as_bytes())].concat();
        let query = [vec![0x08, 0xe8, 0x07, 0x10, 0x86, 0x08], field(3, &matcher)].concat();
        field(1, &query)
    }

    fn store() -> Tsdb {
        let engine = Arc::new(MemoryEngine::new());
        let (store, _) = Tsdb::open(engine, tsdb::Options::default()).unwrap();
        for time in (990..1_060).step_by(10) {
            let labels = |job| Labels::from_pairs([("__name__", "x"), ("job", job)]);
            let samples = [("a", 1.5), ("b", -0.0)]
                .map(|(job, value)| (store.resolve(&labels(job)), Value::Float(value)));
            let batch = Batch { timestamp: time, samples: &samples, ..Batch::default() };
            assert!(store.commit(&batch).is_durable);
        }
        store
    }

    fn ask(questions: &[Vec<u8>], max_series: usize) -> Result<Vec<u8>, ReadError> {
        let body = remote::pack(&questions.concat()).unwrap();
        match answer(&store(), &body, max_series)? {
            Answer::Samples(packed) => Ok(remote::unpack(&packed, 10_000).unwrap()),
            Answer::Chunks(frames) => Ok(frames),
        }
    }

    #[test]
    fn a_client_that_prefers_chunks_gets_them_in_order() {
        let prefers_chunks = vec![0x12, 2, 1, 0];
        let mut rest = &ask(&[question("y"), question("x"), prefers_chunks], 10).unwrap()[..];
        for (job, value) in [("a", 1.5), ("b", -0.0_f64)] {
            // Each frame is short: its length takes one byte, and so do those of all in it.
            let (length, body) = rest.split_first().unwrap();
            let (message, after) = body[4..].split_at(usize::from(*length));
            rest = after;
            let chunk = message.iter().rposition(|byte| *byte == 0x22).unwrap();
            let (data, end) = message[chunk + 2..].split_at(usize::from(message[chunk + 1]));
            assert_eq!(end, [0x10, 1], "the second question");
            let label = [&[0x12, 1][..], job.as_bytes()].concat();
            assert!(message.windows(3).any(|window| window == label), "{job}");
            let mut samples = import::prometheus::Samples::default();
            import::prometheus::decode_chunk(1, data, &mut samples).unwrap();
            let times: Vec<_> = samples.floats.iter().map(|(time, _)| *time).collect();
            assert_eq!(times, [1_000, 1_010, 1_020, 1_030]);
            assert!(samples.floats.iter().all(|(_, v)| v.to_bits() == value.to_bits()));
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn each_question_is_answered_with_the_samples_of_its_time() {
        let message = ask(&[question("x"), question("y")], 10).unwrap();
        // The field of the first result with a length of two bytes or one, and an empty second result.
        let (results, second) = message.split_at(message.len() - 2);
        assert_eq!(second, [0x0a, 0]);
        let start = if results[1] < 0x80 { 2 } else { 3 };
        let first = Message::open(Protocol::V1, &results[start..], 0).unwrap();
        let series: Vec<_> = first.series().map(Result::unwrap).collect();
        assert_eq!(series.len(), 2);
        for (series, (job, value)) in series.iter().zip([("a", 1.5), ("b", -0.0_f64)]) {
            assert_eq!(series.labels().unwrap().get("job"), Some(job));
            let samples: Vec<_> = series.samples().map(Result::unwrap).collect();
            let times: Vec<_> = samples.iter().map(|(time, _)| *time).collect();
            assert_eq!(times, [1_000, 1_010, 1_020, 1_030]);
            assert!(samples.iter().all(|(_, v)| v.to_bits() == value.to_bits()), "{samples:?}");
        }
    }

    #[test]
    fn what_cannot_be_answered_says_why() {
        let status = |error: ReadError| error.into_response().status().as_u16();
        assert_eq!(status(ask(&[question("x")], 1).unwrap_err()), 422);
        assert_eq!(status(ask(&[vec![0x0a, 9]], 1).unwrap_err()), 400);
        assert_eq!(status(answer(&store(), b"no snappy", 1).unwrap_err()), 400);
    }
}
