//! One place that samples are sent on to, and its books.

use std::{
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use model::Timestamp;
use notify::secret::Secret;
use remote::Protocol;
use reqwest::{
    Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use tokio::sync::Notify;

use super::filter::Filter;
use crate::{config::remote_write::EndpointTable, remote::books::lock};

/// How a request shows who sends it.
#[derive(Debug, Clone)]
pub(super) enum Authorization {
    None,
    Basic(String, Source),
    Bearer(Source),
}

/// Where a secret is.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Text(Secret),
    /// Read before every request, because others renew it.
    File(PathBuf),
}

/// Why samples were dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// More waited than the buffer holds.
    BufferFull,
    /// The endpoint refused them for good.
    Rejected,
    /// More waited in memory than is allowed, because the buffer cannot be written fast enough.
    QueueFull,
}

impl Loss {
    pub(crate) const ALL: [Self; 3] = [Self::BufferFull, Self::Rejected, Self::QueueFull];

    /// The reason as a label value.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BufferFull => "buffer_full",
            Self::Rejected => "rejected",
            Self::QueueFull => "queue_full",
        }
    }
}

/// What is counted of an endpoint since the start, and what waits for it now.
#[derive(Debug, Default)]
pub(crate) struct EndpointBooks {
    pub(crate) sent_requests: AtomicU64,
    pub(crate) sent_samples: AtomicU64,
    pub(crate) retries: AtomicU64,
    lost: [AtomicU64; Loss::ALL.len()],
    pub(crate) backlog_requests: AtomicU64,
    pub(crate) backlog_samples: AtomicU64,
    pub(crate) backlog_bytes: AtomicU64,
    /// When the request was made that waits longest; meaningless when none waits.
    oldest: AtomicI64,
    /// Since when requests fail, and why.
    failing: Mutex<Option<(Timestamp, String)>>,
}

impl EndpointBooks {
    /// Samples dropped for a reason.
    pub(crate) fn lost(&self, loss: Loss) -> u64 {
        self.lost[loss as usize].load(Ordering::Relaxed)
    }

    pub(super) fn lose(&self, loss: Loss, samples: u64) {
        self.lost[loss as usize].fetch_add(samples, Ordering::Relaxed);
    }

    /// How long the oldest request has waited, in milliseconds.
    pub(crate) fn age_ms(&self, now: Timestamp) -> i64 {
        match self.backlog_requests.load(Ordering::Relaxed) {
            0 => 0,
            _ => (now - self.oldest.load(Ordering::Relaxed)).max(0),
        }
    }

    /// Since when requests fail, and why; `None` when the last one went well.
    pub(crate) fn failing(&self) -> Option<(Timestamp, String)> {
        lock(&self.failing).clone()
    }

    /// Notes a failure; true when the requests before went well.
    pub(super) fn fail(&self, reason: &str, now: Timestamp) -> bool {
        let mut failing = lock(&self.failing);
        let since = failing.as_ref().map(|(since, _)| *since);
        *failing = Some((since.unwrap_or(now), reason.to_owned()));
        since.is_none()
    }

    /// Notes a success; true when the request before failed.
    pub(super) fn recover(&self) -> bool {
        lock(&self.failing).take().is_some()
    }

    pub(super) fn add_backlog(&self, requests: u64, samples: u64, bytes: u64, oldest: Timestamp) {
        if self.backlog_requests.fetch_add(requests, Ordering::Relaxed) == 0 {
            self.set_oldest(oldest);
        }
        self.backlog_samples.fetch_add(samples, Ordering::Relaxed);
        self.backlog_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn take_backlog(&self, requests: u64, samples: u64, bytes: u64) {
        let less = |number: &AtomicU64, amount: u64| {
            // It never fails: the closure always has an answer.
            let _ = number.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |value| {
                Some(value.saturating_sub(amount))
            });
        };
        less(&self.backlog_requests, requests);
        less(&self.backlog_samples, samples);
        less(&self.backlog_bytes, bytes);
    }

    pub(super) fn set_oldest(&self, created: Timestamp) {
        self.oldest.store(created, Ordering::Relaxed);
    }
}

/// Where samples go.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) books: EndpointBooks,
    pub(super) url: Url,
    pub(super) protocol: Protocol,
    pub(super) filter: Filter,
    pub(super) headers: HeaderMap,
    pub(super) authorization: Authorization,
    pub(super) allow_link_local: bool,
    pub(super) max_samples: u64,
    pub(super) buffer_bytes: u64,
    /// The place of the request that is on its way, which must not be dropped; 0 for none.
    pub(super) on_its_way: AtomicU64,
    /// Says that a request was queued.
    pub(super) queued: Notify,
}

impl Endpoint {
    /// # Errors
    /// What is wrong with the settings, in words; validated ones are fine.
    pub(super) fn try_new(table: &EndpointTable) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &table.headers {
            let bad = || format!("the header `{name}` is not valid");
            let mut value = HeaderValue::try_from(value).map_err(|_| bad())?;
            value.set_sensitive(true);
            headers.insert(HeaderName::try_from(name).map_err(|_| bad())?, value);
        }
        Ok(Self {
            name: table.name(),
            books: EndpointBooks::default(),
            url: table.parsed_url().ok_or("the url is not valid")?,
            protocol: table.parsed_protocol().ok_or("the protocol is not valid")?,
            filter: Filter::try_new(&table.keep, &table.drop)?,
            headers,
            authorization: authorization(table),
            allow_link_local: table.allow_link_local,
            max_samples: table.max_samples_per_send as u64,
            buffer_bytes: table.buffer.0,
            on_its_way: AtomicU64::new(0),
            queued: Notify::new(),
        })
    }
}

fn authorization(table: &EndpointTable) -> Authorization {
    let source = |text: &Option<String>, file: &Option<PathBuf>| {
        let text = text.as_ref().map(|text| Source::Text(Secret::new(text.clone())));
        text.or_else(|| file.clone().map(Source::File))
    };
    if let Some(token) = source(&table.bearer_token, &table.bearer_token_file) {
        return Authorization::Bearer(token);
    }
    match (&table.username, source(&table.password, &table.password_file)) {
        (Some(name), Some(password)) => Authorization::Basic(name.clone(), password),
        _ => Authorization::None,
    }
}
