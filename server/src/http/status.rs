//! `/api/app/status`: the server's own health.

use api_types::{Counter, Receiver, Status};
use axum::{Json, extract::State};
use notify::config::Integration;

use super::Shared;
use crate::{
    app::App,
    telemetry::{Reading, Readings},
};

pub(super) async fn status(State(app): State<Shared>) -> Json<Status> {
    let readings = app.telemetry().await;
    Json(Status {
        version: format!("{} ({})", env!("CARGO_PKG_VERSION"), env!("BELLWETHER_COMMIT")),
        started_ms: app.started_at,
        problems: app.problems(),
        counters: counters(&readings),
        sources: app.source_rows(),
        receivers: receivers(&app),
    })
}

fn counters(readings: &Readings) -> Vec<Counter> {
    readings.0.iter().map(counter).collect()
}

fn counter(reading: &Reading) -> Counter {
    let name = reading.definition.name;
    let mut words = name.split('_').skip(1);
    let part = match words.next() {
        Some("ingest" | "flush" | "remote") => "Ingest",
        Some("store" | "query") => "Store",
        Some("rules" | "alerts" | "lease") => "Rules",
        Some("outbox") => "Notifications",
        _ => "Monitors",
    };
    let labels: Vec<String> =
        reading.labels.iter().map(|(_, value)| value.replace('_', " ")).collect();
    let label = (!labels.is_empty()).then(|| format!(" ({})", labels.join(", ")));
    let words = name.trim_start_matches("bellwether_").trim_end_matches("_total");
    let unit = match () {
        () if name.ends_with("_seconds") => quantity::Unit::Seconds,
        () if name.contains("_bytes") => quantity::Unit::Bytes,
        () => quantity::Unit::None,
    };
    Counter {
        part: part.to_owned(),
        name: format!("{}{}", sentence(words), label.unwrap_or_default()),
        text: unit.format(reading.value),
        help: reading.definition.help.to_owned(),
        is_bad: reading.definition.is_loss && reading.value > 0.0,
    }
}

/// `live_series` as `Live series`.
fn sentence(words: &str) -> String {
    let text = words.replace('_', " ");
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn receivers(app: &App) -> Vec<Receiver> {
    let config = app.receivers();
    notify::receivers::destinations(&config)
        .into_iter()
        .map(|(destination, integration)| Receiver {
            name: destination.receiver.clone(),
            kind: destination.kind.as_str().to_owned(),
            target: target(integration),
        })
        .collect()
}

/// Where a receiver sends to; a webhook's path may be a secret.
fn target(integration: &Integration) -> String {
    match integration {
        Integration::Email(email) => format!("{} through {}:{}", email.to, email.host, email.port),
        Integration::Webhook(webhook) => webhook.url.to_string(),
    }
}
