//! A receiver of remote write 1.0 that answers as it is told and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use model::Timestamp;
use remote::{Message, Protocol};
use tokio::{net::TcpListener, task::JoinSet};

/// Labels, time and value of a sample.
pub(super) type Taken = (String, Timestamp, f64);

/// The statuses of the next answers; the last one stays.
#[derive(Debug)]
pub(super) struct Script(pub(super) Vec<u16>);

impl Script {
    pub(super) fn always(status: u16) -> Self {
        Self(vec![status])
    }

    fn next(&mut self) -> u16 {
        if self.0.len() > 1 { self.0.remove(0) } else { self.0[0] }
    }
}

#[derive(Debug)]
struct Shared {
    script: Script,
    asked: Vec<Taken>,
    taken: Vec<Taken>,
    headers: HeaderMap,
}

/// The receiver; it closes with the value.
#[derive(Debug)]
pub(super) struct ScriptedEndpoint {
    pub(super) url: String,
    shared: Arc<Mutex<Shared>>,
    _tasks: JoinSet<()>,
}

impl ScriptedEndpoint {
    pub(super) async fn start(script: Script) -> Self {
        let shared = Arc::new(Mutex::new(Shared {
            script,
            asked: Vec::new(),
            taken: Vec::new(),
            headers: HeaderMap::new(),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/write", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/write", post(take))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&shared));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, _tasks: tasks }
    }

    /// Answers otherwise from now on.
    pub(super) fn answer(&self, script: Script) {
        self.shared.lock().unwrap().script = script;
    }

    /// Every sample that came, in order, however often.
    pub(super) fn asked(&self) -> Vec<Taken> {
        self.shared.lock().unwrap().asked.clone()
    }

    /// The samples of requests that were answered with success.
    pub(super) fn taken(&self) -> Vec<Taken> {
        self.shared.lock().unwrap().taken.clone()
    }

    /// The headers of the last request.
    pub(super) fn headers(&self) -> HeaderMap {
        self.shared.lock().unwrap().headers.clone()
    }
}

async fn take(
    State(shared): State<Arc<Mutex<Shared>>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let bytes = remote::unpack(&body, 64 << 20).unwrap();
    let message = Message::open(Protocol::V1, &bytes, 0).unwrap();
    let mut rows = Vec::new();
    for series in message.series() {
        let series = series.unwrap();
        let labels = series.labels().unwrap().to_string();
        rows.extend(series.samples().map(|sample| {
            let (at, value) = sample.unwrap();
            (labels.clone(), at, value)
        }));
    }
    let mut shared = shared.lock().unwrap();
    // What is known of metrics comes in requests without samples, which are no part of the script.
    let status = if rows.is_empty() { 204 } else { shared.script.next() };
    shared.headers = headers;
    shared.asked.extend(rows.iter().cloned());
    if status == 204 {
        shared.taken.extend(rows);
    }
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(header::RETRY_AFTER, "1")]).into_response()
}
