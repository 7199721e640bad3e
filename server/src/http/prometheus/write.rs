//! `POST /api/v1/write`: Prometheus remote write 1.0 and 2.0.
//!
//! Answers are texts, as senders log them as they are. 503 asks to come again; every other refusal is
//! final, because a sender repeats what it may until it gets through and everything behind waits.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use remote::{Protocol, UnpackError};
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    auth::Principal,
    config::remote_write::RemoteWrite,
    http::{Shared, guard::Editor},
    query::blocking,
    remote::{gather::Received, receive::ReceiveError},
};

/// How long a request may wait for its turn before it is asked to come again.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Packed bodies in memory at the same time, of all requests.
const MAX_BYTES_IN_FLIGHT: usize = 128 << 20;
/// In what unit these are counted.
const BYTES_PER_PERMIT: usize = 1 << 10;
/// How many buffers for messages are kept while nobody sends.
const MAX_KEPT_BUFFERS: usize = 2;
/// The largest that is kept: 10,000 series with their labels, the most that senders put together.
const MAX_KEPT_BYTES: usize = 4 << 20;
const RETRY_AFTER_SECONDS: &str = "5";

/// Bounds what requests take at the same time.
#[derive(Debug)]
pub(crate) struct WriteGate {
    requests: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    max_message: usize,
    /// Memory for messages, which would cost more to get from the system each time than to fill.
    buffers: Mutex<Vec<Vec<u8>>>,
}

impl WriteGate {
    pub(crate) fn new(config: &RemoteWrite) -> Self {
        Self {
            requests: Arc::new(Semaphore::new(config.max_concurrent)),
            bytes: Arc::new(Semaphore::new(MAX_BYTES_IN_FLIGHT / BYTES_PER_PERMIT)),
            max_message: config.max_message.0 as usize,
            buffers: Mutex::default(),
        }
    }

    /// Memory for a message, empty or with what is left of another one.
    fn buffer(&self) -> Vec<u8> {
        self.kept_buffers().pop().unwrap_or_default()
    }

    /// Takes memory back for the next message.
    fn keep(&self, buffer: Vec<u8>) {
        let mut kept = self.kept_buffers();
        if kept.len() < MAX_KEPT_BUFFERS && buffer.capacity() <= MAX_KEPT_BYTES {
            kept.push(buffer);
        }
    }

    // A list of buffers is never half changed.
    fn kept_buffers(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Snappy makes nothing larger by more than a sixth.
    fn max_body(&self) -> usize {
        32 + self.max_message + self.max_message / 6
    }
}

/// Why a request was not taken.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    fn busy(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }
}

/// Takes a request of either protocol.
pub(super) async fn write(
    _: Editor,
    State(app): State<Shared>,
    Extension(principal): Extension<Principal>,
    request: Request,
) -> Response {
    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let protocol = Protocol::of_headers(text(header::CONTENT_TYPE), text(header::CONTENT_ENCODING));
    let response = match &protocol {
        Ok(protocol) => match take(&app, *protocol, principal.name, request).await {
            Ok(received) => answer(*protocol, &received),
            Err(refusal) => refuse(Some(*protocol), refusal),
        },
        Err(error) => {
            let refusal = Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error.to_string());
            refuse(None, refusal)
        }
    };
    app.remote.stats.answered(protocol.ok(), response.status().as_u16());
    response
}

async fn take(
    app: &Shared,
    protocol: Protocol,
    writer: String,
    request: Request,
) -> Result<Received, Refusal> {
    if app.stopping.is_cancelled() {
        // Nobody would send it on any more.
        return Err(Refusal::busy("the server is stopping, try again"));
    }
    let gate = &app.write_gate;
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let size = announced.unwrap_or(gate.max_body());
    if size > gate.max_body() {
        return Err(too_large(size, gate.max_body()));
    }
    let permits = size.min(MAX_BYTES_IN_FLIGHT).div_ceil(BYTES_PER_PERMIT) as u32;
    let _room = timeout(PATIENCE, gate.bytes.acquire_many(permits))
        .await
        .map_err(|_| Refusal::busy("too many requests are on their way, try again"))?
        .expect("the semaphore is never closed");
    let body = read(request.into_body(), size).await?;
    let turn = timeout(PATIENCE, Arc::clone(&gate.requests).acquire_owned())
        .await
        .map_err(|_| Refusal::busy("too many requests wait for the store, try again"))?
        .expect("the semaphore is never closed");
    let (app, now) = (Arc::clone(app), app.clock.now());
    blocking(move || {
        let _turn = turn;
        let gate = &app.write_gate;
        let mut buffer = gate.buffer();
        let unpacked = remote::unpack_into(&body, gate.max_message, &mut buffer);
        let received = unpacked.map_err(Refusal::from).and_then(|message| {
            app.remote.receive(protocol, message, &writer, now).map_err(Refusal::from)
        });
        gate.keep(buffer);
        received
    })
    .await
}

async fn read(body: Body, most: usize) -> Result<Bytes, Refusal> {
    let body = timeout(BODY_TIMEOUT, Limited::new(body, most).collect()).await;
    let bad = |reason: &dyn std::fmt::Display| {
        Refusal::new(StatusCode::BAD_REQUEST, format!("the body did not arrive: {reason}"))
    };
    match body {
        Err(_) => Err(bad(&"it took longer than 30 s")),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(most + 1, most)),
        Ok(Err(error)) => Err(bad(&error)),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}

fn too_large(size: usize, most: usize) -> Refusal {
    let message = format!(
        "the body has {size} bytes or more, at most {most} are allowed; see \
         remote_write.max_message, or send fewer samples at a time"
    );
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

impl From<UnpackError> for Refusal {
    fn from(error: UnpackError) -> Self {
        let status = match error {
            UnpackError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            UnpackError::Damaged(_) => StatusCode::BAD_REQUEST,
        };
        Self::new(status, model::text::causes(&error))
    }
}

impl From<ReceiveError> for Refusal {
    fn from(error: ReceiveError) -> Self {
        let status = match error {
            ReceiveError::Wire(_) => StatusCode::BAD_REQUEST,
            ReceiveError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}

/// What could be taken was taken; a refusal of the rest is final.
fn answer(protocol: Protocol, received: &Received) -> Response {
    let written = received.samples + received.histograms;
    let mut response = if received.refusals.total() == 0 {
        StatusCode::NO_CONTENT.into_response()
    } else {
        (StatusCode::BAD_REQUEST, received.refusals.describe(written)).into_response()
    };
    if protocol == Protocol::V2 {
        let Received { samples, histograms, exemplars, .. } = *received;
        add_written(response.headers_mut(), [samples, histograms, exemplars]);
    }
    response
}

fn refuse(protocol: Option<Protocol>, refusal: Refusal) -> Response {
    let mut response = (refusal.status, refusal.message).into_response();
    let headers = response.headers_mut();
    if refusal.status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
    }
    if protocol == Some(Protocol::V2) {
        add_written(headers, [0; 3]);
    }
    response
}

/// What was written, which protocol 2.0 wants to be told.
fn add_written(headers: &mut HeaderMap, written: [u64; 3]) {
    let names = [
        "x-prometheus-remote-write-samples-written",
        "x-prometheus-remote-write-histograms-written",
        "x-prometheus-remote-write-exemplars-written",
    ];
    for (name, written) in names.into_iter().zip(written) {
        headers.insert(name, HeaderValue::from(written));
    }
}
