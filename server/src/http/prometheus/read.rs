//! `POST /api/v1/read`: Prometheus remote read, with samples.
//!
//! Errors are texts, as clients show them as they are.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::{Column, Storage, StorageError, Value, storage::Select};
use remote::{BadReadRequest, Encoder, Protocol, ReadQuery, UnpackError};
use tsdb::Tsdb;

use crate::http::Shared;

/// The largest question, unpacked.
const MAX_QUESTION_BYTES: usize = 1 << 20;
/// The largest answer, unpacked.
const MAX_ANSWER_BYTES: usize = 256 << 20;
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
    let packed = app.queries.read(move |store| answer(store, &body, max_series)).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf")),
        (header::CONTENT_ENCODING, HeaderValue::from_static("snappy")),
        (VERSION, HeaderValue::from_static("0.1.0")),
    ];
    Ok((headers, packed).into_response())
}

fn answer(store: &Tsdb, body: &[u8], max_series: usize) -> Result<Vec<u8>, ReadError> {
    let queries = remote::read_queries(&remote::unpack(body, MAX_QUESTION_BYTES)?)?;
    let mut left = MAX_ANSWER_BYTES;
    let mut results = Vec::with_capacity(queries.len());
    for query in &queries {
        let result = result(store, query, max_series, left)?;
        left -= result.len();
        results.push(result);
    }
    remote::pack(&remote::read_answer(&results)).ok_or(ReadError::TooLarge)
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
        answer(&store(), &body, max_series).map(|packed| remote::unpack(&packed, 10_000).unwrap())
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
