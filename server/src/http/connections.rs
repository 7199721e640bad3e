//! `/connections`: who sends, and what is refused most.

use axum::{Json, extract::State};
use serde::Serialize;

use super::Shared;

#[derive(Debug, Serialize)]
pub(super) struct Connections {
    listeners: Vec<Listener>,
    sources: Vec<api_types::Source>,
    top_offenders: Vec<Offender>,
}

#[derive(Debug, Serialize)]
struct Listener {
    address: String,
    transport: &'static str,
    receive_buffer_bytes: usize,
    kernel_dropped_datagrams: u64,
    read_errors: u64,
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
        found.and_then(|(_, books)| books.address).map(|a| a.to_string()).unwrap_or_default()
    };
    Json(Connections {
        listeners: app
            .listeners
            .iter()
            .map(|listener| Listener {
                address: listener.address.to_string(),
                transport: "udp",
                receive_buffer_bytes: listener.granted_buffer,
                kernel_dropped_datagrams: listener.kernel_drops(),
                read_errors: listener.read_errors(),
            })
            .collect(),
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
    })
}
