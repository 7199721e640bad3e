//! From the buffer over the wire: one request of an endpoint at a time, in order.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use db::outgoing::RequestRow;
use model::Clock;
use notify::net;
use remote::Protocol;
use reqwest::{
    Client, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT},
    redirect,
};
use tokio_util::sync::CancellationToken;

use super::endpoint::{Authorization, Endpoint, Loss, Source};
use crate::config::remote_write::EndpointTable;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_mins(1);
/// An endpoint may ask for more patience than we have by ourselves, within bounds.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(10);
/// How much of an answer is read, and how much of it is shown.
const MAX_ANSWER_BYTES: usize = 16 << 10;
const SHOWN_CHARS: usize = 300;

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Retry { reason: String, after: Option<Duration> },
    Rejected { reason: String },
}

/// Sends what is queued for one endpoint.
#[derive(Debug)]
pub(super) struct Sender {
    endpoint: Arc<Endpoint>,
    buffer: db::Outgoing,
    clock: Arc<dyn Clock>,
    client: Client,
}

impl Sender {
    /// # Errors
    /// When the certificates cannot be read or used, in words.
    pub(super) fn try_new(
        endpoint: Arc<Endpoint>,
        table: &EndpointTable,
        buffer: db::Outgoing,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        net::install_crypto();
        let mut builder = Client::builder()
            .timeout(table.timeout.0)
            .connect_timeout(CONNECT_TIMEOUT.min(table.timeout.0))
            .no_proxy()
            .redirect(redirect::Policy::none());
        if !endpoint.allow_link_local {
            builder = builder.dns_resolver(net::CheckingResolver);
        }
        if let Some(path) = &table.ca_file {
            let at = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
            let pem = std::fs::read(path).map_err(|error| at(&error))?;
            let certificates =
                reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| at(&error))?;
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(|error| model::text::causes(&error))?;
        Ok(Self { endpoint, buffer, clock, client })
    }

    /// Sends until `stop`. A request that was under way then is sent again by the next process.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        loop {
            let step = async {
                match self.buffer.first(&self.endpoint.name).await {
                    Ok(Some(request)) => self.step(&request, &mut pause).await,
                    Ok(None) => self.endpoint.queued.notified().await,
                    Err(error) => {
                        let error = model::text::causes(&error);
                        tracing::error!(
                            endpoint = self.endpoint.name,
                            error,
                            "cannot read the buffer"
                        );
                        tokio::time::sleep(MAX_PAUSE).await;
                    }
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = step => {}
            }
        }
    }

    async fn step(&self, request: &RequestRow, pause: &mut Duration) {
        let books = &self.endpoint.books;
        let name = &*self.endpoint.name;
        books.set_oldest(request.created);
        self.endpoint.on_its_way.store(request.seq, Ordering::Relaxed);
        let outcome = self.send(request).await;
        let is_over = !matches!(outcome, Outcome::Retry { .. });
        let is_removed = is_over && self.remove(request).await;
        self.endpoint.on_its_way.store(0, Ordering::Relaxed);
        match outcome {
            Outcome::Done => {
                books.sent_requests.fetch_add(1, Ordering::Relaxed);
                books.sent_samples.fetch_add(request.samples, Ordering::Relaxed);
                *pause = FIRST_PAUSE;
                if books.recover() {
                    tracing::info!(endpoint = name, "samples are sent again");
                }
            }
            Outcome::Rejected { reason } => {
                books.lose(Loss::Rejected, request.samples);
                *pause = FIRST_PAUSE;
                books.fail(&reason, self.clock.now());
                let samples = request.samples;
                tracing::warn!(
                    endpoint = name,
                    samples,
                    reason,
                    "samples were refused and dropped"
                );
            }
            Outcome::Retry { reason, after } => {
                books.retries.fetch_add(1, Ordering::Relaxed);
                if books.fail(&reason, self.clock.now()) {
                    tracing::warn!(endpoint = name, reason, "samples cannot be sent and wait");
                }
                let wait = after.map_or(*pause, |after| after.min(MAX_RETRY_AFTER).max(*pause));
                *pause = (*pause * 2).min(MAX_PAUSE);
                tokio::time::sleep(wait).await;
            }
        }
        if is_over && !is_removed {
            // It would be sent again at once.
            tokio::time::sleep(FIRST_PAUSE).await;
        }
    }

    /// Removes a request that is settled. False when it is still there.
    async fn remove(&self, request: &RequestRow) -> bool {
        match self.buffer.remove(&request.endpoint, request.seq).await {
            Ok(()) => {
                let bytes = request.body.len() as u64;
                self.endpoint.books.take_backlog(1, request.samples, bytes);
                true
            }
            Err(error) => {
                let error = model::text::causes(&error);
                tracing::error!(
                    endpoint = self.endpoint.name,
                    error,
                    "a request that was sent cannot be removed, it is sent again"
                );
                false
            }
        }
    }

    async fn send(&self, request: &RequestRow) -> Outcome {
        let Endpoint { url, allow_link_local, .. } = &*self.endpoint;
        if !allow_link_local && net::is_forbidden_literal(url) {
            let host = url.host_str().unwrap_or_default().to_owned();
            return retry(net::ForbiddenAddress(host).to_string());
        }
        // What waits may be from before a change of the settings.
        let protocol = Protocol::ALL.into_iter().find(|known| known.as_str() == request.protocol);
        let protocol = protocol.unwrap_or(self.endpoint.protocol);
        let post = self
            .client
            .post(url.clone())
            .headers(self.endpoint.headers.clone())
            .header(USER_AGENT, concat!("bellwether/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, protocol.content_type())
            .header(CONTENT_ENCODING, "snappy")
            .header("x-prometheus-remote-write-version", protocol.version_header())
            .body(request.body.clone());
        let post = match &self.endpoint.authorization {
            Authorization::None => Ok(post),
            Authorization::Basic(name, password) => {
                secret(password).await.map(|password| post.basic_auth(name, Some(password)))
            }
            Authorization::Bearer(token) => {
                secret(token).await.map(|token| post.bearer_auth(token))
            }
        };
        match post {
            Err(reason) => retry(reason),
            Ok(post) => match post.send().await {
                Ok(response) => judge(response).await,
                Err(error) => retry(model::text::causes(&error.without_url())),
            },
        }
    }
}

fn retry(reason: String) -> Outcome {
    Outcome::Retry { reason, after: None }
}

async fn secret(source: &Source) -> Result<String, String> {
    match source {
        Source::Text(secret) => Ok(secret.expose().to_owned()),
        Source::File(path) => {
            let text = tokio::fs::read_to_string(path).await;
            let text = text.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            Ok(text.trim().to_owned())
        }
    }
}

/// 2xx is done; 5xx and 429 may pass; everything else never will.
async fn judge(response: Response) -> Outcome {
    let status = response.status();
    if status.is_success() {
        return Outcome::Done;
    }
    let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let reason = format!("{status}: {}", shown(response).await);
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        Outcome::Retry { reason, after }
    } else {
        Outcome::Rejected { reason }
    }
}

/// The beginning of an answer, in one line.
async fn shown(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= MAX_ANSWER_BYTES {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(SHOWN_CHARS).collect()
}
