//! An HTTP endpoint that takes webhooks.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU16, Ordering},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};

use super::eventually;

/// A request that came in.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    /// The status it was answered with, or will be.
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Hook {
    /// The id that is the same for every attempt of a notification.
    pub(crate) fn key(&self) -> &str {
        self.headers["idempotency-key"].to_str().unwrap()
    }

    /// `firing` or `resolved`.
    pub(crate) fn alert_status(&self) -> &str {
        self.body["status"].as_str().unwrap()
    }
}

#[derive(Debug)]
struct Shared {
    hooks: Mutex<Vec<Hook>>,
    status: AtomicU16,
    /// Closed while answers are held back.
    gate: Semaphore,
}

/// The endpoint; it closes with the value.
#[derive(Debug)]
pub(crate) struct Webhook {
    pub(crate) url: String,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl Webhook {
    /// An endpoint that answers with a status.
    pub(crate) async fn start(status: u16) -> Self {
        let shared = Arc::new(Shared {
            hooks: Mutex::default(),
            status: AtomicU16::new(status),
            gate: Semaphore::new(1),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().route("/hook", post(take)).with_state(Arc::clone(&shared));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, _tasks: tasks }
    }

    /// Answers with another status from now on.
    pub(crate) fn answer_with(&self, status: u16) {
        self.shared.status.store(status, Ordering::Relaxed);
    }

    /// Takes requests from now on, but does not answer them.
    pub(crate) async fn hold_answers(&self) {
        self.shared.gate.acquire().await.unwrap().forget();
    }

    /// Answers again.
    pub(crate) fn release_answers(&self) {
        self.shared.gate.add_permits(1);
    }

    /// Everything that came in.
    pub(crate) fn hooks(&self) -> Vec<Hook> {
        self.shared.hooks.lock().unwrap().clone()
    }

    /// The requests that were, or will be, answered with success.
    pub(crate) fn accepted(&self) -> Vec<Hook> {
        self.hooks().into_iter().filter(|hook| hook.status == 200).collect()
    }

    /// Waits for an accepted notification of this status.
    pub(crate) async fn expect(&self, status: &str) -> Hook {
        eventually(status, async || {
            let accepted = self.accepted();
            let found = accepted.iter().find(|hook| hook.alert_status() == status);
            found.cloned().ok_or_else(|| format!("got {accepted:?}"))
        })
        .await
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let status = shared.status.load(Ordering::Relaxed);
    let body = serde_json::from_slice(&body).unwrap();
    shared.hooks.lock().unwrap().push(Hook { status, headers, body });
    let _open = shared.gate.acquire().await.unwrap();
    StatusCode::from_u16(status).unwrap()
}
