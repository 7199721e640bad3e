//! `POST /api/v1/read`: Prometheus remote read, with samples.
//!
//! Errors are texts, as clients show them as they are.

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
            encoder.push(labels, timestamp, &Value::Histogram(value.clone()), None);
        }
        if encoder.bytes() > most_bytes {
            return Err(ReadError::TooLarge);
        }
    }
    let result = encoder.finish();
    if result.len() > most_bytes { Err(ReadError::TooLarge) } else { Ok(result) }
}
