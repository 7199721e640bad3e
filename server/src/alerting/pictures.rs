//! The chart in a notification: the hour before, with the threshold and what happened.

use chart::{
    Window,
    still::{self, Still, StillMark},
};
use db::{
    Meta,
    meta::events::{EventRow, EventSearch},
};
use model::{Labels, Timestamp, text::causes};
use notify::{
    Alert,
    receivers::{BoxFuture, Pictures},
};
use promql::Range;

use crate::{
    query::{Queries, QueryOptions},
    render,
};

/// Events marked in a chart at most.
const MARKS: u32 = 20;

/// How much of the past is shown.
const SPAN_MS: i64 = 3_600_000;
const STEP_MS: i64 = 30_000;

/// Draws charts from the store.
#[derive(Debug)]
pub(crate) struct StorePictures {
    pub(crate) queries: Queries,
    pub(crate) meta: Meta,
}

impl Pictures for StorePictures {
    fn chart<'a>(&'a self, alert: &'a Alert) -> BoxFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            let end = alert.ends_at.unwrap_or(alert.updated_at).max(alert.starts_at);
            let drawn = self.draw(alert, end).await;
            if drawn.is_none() {
                tracing::debug!(alert = %alert.labels, "there is nothing to draw");
            }
            drawn
        })
    }
}

impl StorePictures {
    async fn draw(&self, alert: &Alert, end: Timestamp) -> Option<Vec<u8>> {
        let expr = promql::parse(&alert_expr(alert)?).ok()?;
        let condition = super::condition::condition(&expr);
        let quantity = condition.map_or_else(|| expr.to_string(), |condition| condition.quantity);
        let range = Range { start: end - SPAN_MS, end, step_ms: STEP_MS };
        let answered = self.queries.range(&quantity, range, QueryOptions::default()).await;
        let (output, _) = answered.ok()?;
        let series =
            render::lines(&output.value, range, |labels| belongs_to(labels, &alert.labels));
        if series.is_empty() {
            return None;
        }
        let picture = Still {
            title: alert.name().to_owned(),
            subtitle: alert.target().to_owned(),
            start_ms: range.start,
            step_ms: STEP_MS,
            window: Window::new(range.start as f64, range.end as f64),
            series,
            unit: alert.unit,
            thresholds: alert.threshold.iter().map(|threshold| threshold.bound).collect(),
            marks: self.marks(alert, range).await,
            ..Still::default()
        };
        crate::query::blocking(move || still::png(&picture)).await.ok()
    }

    /// What happened to the service of an alert, or else to its host. Without them the chart is still good.
    async fn marks(&self, alert: &Alert, range: Range) -> Vec<StillMark> {
        let label = |name: &str| alert.labels.get(name).map(str::to_owned);
        let (service, host) = (label("service"), label("host"));
        if service.is_none() && host.is_none() {
            return Vec::new();
        }
        let search = EventSearch {
            start: range.start,
            end: range.end,
            words: Vec::new(),
            host: host.filter(|_| service.is_none()),
            tags: service.map(|name| ("service".to_owned(), Some(name))).into_iter().collect(),
            source: None,
            alert_types: Vec::new(),
            before: None,
            limit: MARKS,
        };
        let events = self.meta.events(&search).await.unwrap_or_else(|error| {
            tracing::warn!(error = %causes(&error), "a chart is drawn without its events");
            Vec::new()
        });
        let mark = |event: EventRow| StillMark { at_ms: event.at as f64, name: event.title };
        events.into_iter().map(mark).collect()
    }
}

/// The rule's expression is part of the link to the explore page.
fn alert_expr(alert: &Alert) -> Option<String> {
    let (_, query) = alert.generator_url.split_once('?')?;
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
    pairs.into_iter().find(|(name, _)| name == "q").map(|(_, expr)| expr)
}

/// Whether a series of the quantity is the one that the alert is about: no label says otherwise.
fn belongs_to(series: &Labels, alert: &Labels) -> bool {
    series
        .iter()
        .filter(|(name, _)| *name != model::labels::METRIC_NAME)
        .all(|(name, value)| alert.get(name).is_none_or(|of_alert| of_alert == value))
}
