//! `/connections`: who sends, and what is refused most.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use serde::Serialize;

use super::Shared;
use crate::{
    app::App,
    listen::{self, Loss},
};

#[derive(Debug, Serialize)]
pub(super) struct Connections {
    listeners: Vec<Listener>,
    sources: Vec<api_types::Source>,
    remote_writers: Vec<RemoteWriter>,
    top_offenders: Vec<Offender>,
}

#[derive(Debug, Serialize)]
struct Listener {
    address: String,
    transport: &'static str,
    workers: usize,
    receive_buffer_bytes: Option<usize>,
    connections: usize,
    accepted_connections: u64,
    kernel_dropped_datagrams: u64,
    /// What did not get in, by reason.
    losses: BTreeMap<&'static str, u64>,
}

impl From<&listen::Listener> for Listener {
    fn from(listener: &listen::Listener) -> Self {
        Self {
            address: listener.endpoint.address(),
            transport: listener.endpoint.transport().as_str(),
            workers: listener.workers(),
            receive_buffer_bytes: listener.granted_buffer,
            connections: listener.connections(),
            accepted_connections: listener.accepted(),
            kernel_dropped_datagrams: listener.kernel_drops(),
            losses: Loss::ALL.map(|loss| (loss.as_str(), listener.lost(loss))).into(),
        }
    }
}

/// Who sends by remote write.
#[derive(Debug, Serialize)]
struct RemoteWriter {
    /// The name of the token or account.
    name: String,
    requests: u64,
    samples: u64,
    refused_samples: u64,
    last_seen_ms: i64,
}

#[derive(Debug, Serialize)]
struct Offender {
    name: String,
    source: String,
    reason: &'static str,
    lines: u64,
}

pub(super) async fn connections(State(app): State<Shared>) -> Json<Connections> {
    let books = app.sources.books();
    let offenders = app.pipeline.offenders();
    let address_of = |id| {
        let found = books.iter().find(|(known, _)| *known == id);
        let sender = found.and_then(|(_, books)| books.sender.as_ref());
        sender.map(|sender| sender.origin.to_string()).unwrap_or_default()
    };
    Json(Connections {
        listeners: app.listeners.iter().map(|listener| Listener::from(&**listener)).collect(),
        top_offenders: offenders
            .iter()
            .map(|offender| Offender {
                name: offender.name.to_string(),
                source: address_of(offender.source),
                reason: offender.reason.as_str(),
                lines: offender.lines,
            })
            .collect(),
        sources: app.source_rows(),
        remote_writers: remote_writers(&app),
    })
}

fn remote_writers(app: &App) -> Vec<RemoteWriter> {
    let writers = app.remote.stats.writers();
    writers
        .into_iter()
        .map(|(name, books)| RemoteWriter {
            name,
            requests: books.requests,
            samples: books.samples,
            refused_samples: books.refused,
            last_seen_ms: books.last_seen,
        })
        .collect()
}
