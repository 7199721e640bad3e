//! Remote write by hand: samples of any time, acknowledged or not.

use model::{Labels, Timestamp, Value};
use remote::{Encoder, Protocol};
use reqwest::{Method, RequestBuilder};

use super::http::Http;

/// A sample: name of the metric, time, value.
pub(crate) type Row<'a> = (&'a str, Timestamp, f64);

/// A request with these samples.
pub(crate) fn request(http: &Http, rows: &[Row<'_>]) -> RequestBuilder {
    let rows: Vec<_> = rows
        .iter()
        .map(|(name, at, value)| (Labels::from_pairs([("__name__", *name)]), *at, *value))
        .collect();
    let mut encoder = Encoder::new(Protocol::V2);
    for (labels, at, value) in &rows {
        encoder.push(labels, *at, &Value::Float(*value), None);
    }
    let body = remote::pack(&encoder.finish()).unwrap();
    http.request(Method::POST, "/api/v1/write")
        .header("content-type", Protocol::V2.content_type())
        .header("content-encoding", "snappy")
        .body(body)
}

/// Sends samples; true when they were acknowledged.
pub(crate) async fn write(http: &Http, rows: &[Row<'_>]) -> bool {
    match request(http, rows).send().await {
        Ok(answer) => answer.status().is_success(),
        Err(_) => false,
    }
}

/// Now, in milliseconds since the Unix epoch.
pub(crate) fn now() -> Timestamp {
    jiff::Timestamp::now().as_millisecond()
}
