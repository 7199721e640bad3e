//! An alert: what it means, the chart at the moment, what happened, and what to do.

mod timeline;

use api_types::{AlertDetail, AlertState, AlertSummary, Panel, Runbook};
use chart::{Band, Unit};
use leptos::prelude::*;

use crate::charts::PanelCard;
use crate::components::blocks::Blocks;
use crate::components::link::RangeLink;
use crate::components::loaded::Loaded;
use crate::components::mark;
use crate::components::page_head::PageHead;
use crate::fetch::use_fetch;
use crate::format::{ago, duration};
use crate::state::clock::{moment, now_ms, use_clock};
use crate::state::range::{DEFAULT, Range, RangeState};
use crate::url;
use crate::views::CollectViews;
use timeline::timeline;

/// Shown before the moment an alert became active, and after it was over.
const MARGIN_MS: i64 = 30 * 60 * 1_000;

/// Left: verdict, chart, timeline, labels. Right: the runbook.
#[component]
pub(crate) fn AlertPage() -> impl IntoView {
    let id = url::use_param("id");
    let page =
        use_fetch::<AlertDetail>(move || format!("/api/app/alerts/{}", url::encode(&id.get())));
    let summary = page.part(|page| Some(page.summary.clone()));
    // The chart shows the moment of the alert unless the reader chooses another range.
    let default = page.part(|page| Some(default_range(&page.summary)));
    RangeState::provide_with(Signal::derive(move || default.get().unwrap_or(DEFAULT)));

    let title = move || {
        summary
            .with(|summary| summary.as_ref().map_or_else(|| "Alert".to_owned(), |s| s.name.clone()))
    };
    let state =
        move || summary.get().map(|summary| mark::alert(summary.state, &summary.severity).view());
    let target =
        move || summary.get().map(|summary| view! { <span class="muted">{summary.target}</span> });
    let panel = page.part(|page| page.panel.clone());
    let bands = page.part(|page| vec![band(&page.summary)]);
    let history = page.part(|page| (page.transitions.clone(), page.notifications.clone()));
    let words = page.part(|page| (page.description.clone(), page.impact.clone()));
    let rule = page.part(|page| (page.expr.clone(), page.source.clone(), page.hold.clone()));
    let labels = page.part(|page| page.summary.labels.clone());
    let runbook = page.part(|page| (page.runbook.clone(), page.runbook_url.clone()));
    let panel_unit =
        move || panel.with(|panel| panel.as_ref().map_or(Unit::None, |panel| panel.unit));
    view! {
        <PageHead title=Signal::derive(title) has_range=true>
            {state} {target}
        </PageHead>
        <Loaded fetched=page>
            <div class="with-aside">
                <div class="stack">
                    {move || summary.get().map(|summary| verdict(&summary, panel_unit()))}
                    {move || about(words.get())}
                    {move || panel.get().map(|panel| chart_card(panel, Signal::derive(move || bands.get())))}
                    {move || timeline(history.get(), panel_unit())}
                    {move || rule_card(rule.get(), labels.get())}
                </div>
                <aside class="stack" aria-label="Runbook">{move || runbook_card(runbook.get())}</aside>
            </div>
        </Loaded>
    }
}

/// The range in which an alert is seen whole.
fn default_range(alert: &AlertSummary) -> Range {
    match alert.resolved_at_ms {
        Some(resolved) if alert.state == AlertState::Resolved => Range::Fixed {
            from_ms: alert.active_since_ms - MARGIN_MS,
            to_ms: (resolved + MARGIN_MS).min(now_ms()),
        },
        _ => Range::reaching(now_ms() - alert.active_since_ms + MARGIN_MS),
    }
}

/// The time it fired, or has been active when it did not.
fn band(alert: &AlertSummary) -> Band {
    let from = alert.firing_since_ms.unwrap_or(alert.active_since_ms);
    let to = alert.resolved_at_ms.map_or(f64::MAX, |at| at as f64);
    Band { from_ms: from as f64, to_ms: to }
}

/// The value against its threshold, and for how long.
fn verdict(alert: &AlertSummary, unit: Unit) -> impl IntoView + use<> {
    let now = use_clock().now_ms();
    let since = alert.firing_since_ms.unwrap_or(alert.active_since_ms);
    let (age, at) = match alert.resolved_at_ms {
        Some(at) if alert.state == AlertState::Resolved => (ago(now - at), at),
        _ => (format!("for {}", duration(now - since)), since),
    };
    let word = mark::alert(alert.state, &alert.severity).word;
    let level = alert.threshold.zip(alert.comparison.clone()).map(|(threshold, comparison)| {
        view! {
            <span class="level muted num" title=unit.exact(threshold)>
                {format!("{comparison} {}", unit.format(threshold))}
            </span>
        }
    });
    let facts = [("Severity", alert.severity.clone()), ("Owner", alert.owner.clone())];
    let facts = facts
        .into_iter()
        .filter(|fact| !fact.1.is_empty())
        .map(|(name, value)| view! { <div class="fact"><dt>{name}</dt><dd>{value}</dd></div> })
        .collect_views();
    view! {
        <section class="card alert-verdict" data-testid="verdict">
            <p class="alert-summary">{alert.summary.clone()}</p>
            <p class="alert-value">
                <span class="value num" title=unit.exact(alert.value)>{unit.format(alert.value)}</span>
                {level}
                <span class="muted" title=moment(at)>{format!("{word} {age}")}</span>
            </p>
            <dl class="facts is-inline">
                {facts}
                <div class="fact"><dt>"Since"</dt><dd class="num">{moment(since)}</dd></div>
            </dl>
        </section>
    }
}

fn about((description, impact): (String, String)) -> Option<impl IntoView> {
    if description.is_empty() && impact.is_empty() {
        return None;
    }
    let part = |title: &'static str, text: String| {
        (!text.is_empty()).then(|| view! { <div><h2>{title}</h2><p>{text}</p></div> })
    };
    Some(view! {
        <section class="card words">
            {part("What happens", description)} {part("Impact", impact)}
        </section>
    })
}

fn chart_card(panel: Panel, bands: Signal<Vec<Band>>) -> impl IntoView {
    view! {
        <h2 class="sr">"Chart"</h2>
        <PanelCard panel height=260.0 bands/>
    }
}

fn rule_card(
    (expr, source, hold): (String, String, String),
    labels: Vec<(String, String)>,
) -> impl IntoView {
    let labels = labels
        .into_iter()
        .map(|(name, value)| view! { <li class="label">{name}"="<strong>{value}</strong></li> })
        .collect_views();
    let explore = url::explore(&expr);
    let hold = (!hold.is_empty())
        .then(|| view! { <div class="fact"><dt>"For"</dt><dd class="num">{hold}</dd></div> });
    view! {
        <section class="card">
            <header class="card-head">
                <h2>"Rule"</h2>
                <span class="grow"></span>
                <RangeLink path=explore class="quiet-link">"Explore"</RangeLink>
            </header>
            <pre class="command" tabindex="0"><code>{expr}</code></pre>
            <dl class="facts is-inline">
                {hold}
                <div class="fact"><dt>"From"</dt><dd>{source}</dd></div>
            </dl>
            <h3 class="sub">"Labels"</h3>
            <ul class="labels">{labels}</ul>
        </section>
    }
}

/// The runbook, or the link to it, or how to get one.
fn runbook_card((runbook, link): (Option<Runbook>, String)) -> impl IntoView {
    if let Some(runbook) = runbook {
        let path = url::runbook(&runbook.row.name);
        return view! {
            <section class="card runbook">
                <header class="card-head">
                    <h2>{runbook.row.title.clone()}</h2>
                    <span class="grow"></span>
                    <RangeLink path class="quiet-link">"Open"</RangeLink>
                </header>
                <Blocks title=runbook.row.title blocks=runbook.blocks/>
            </section>
        }
        .into_any();
    }
    // A link from a rule file may be anything; only addresses of the web become links.
    if link.starts_with("https://") || link.starts_with("http://") {
        return view! {
            <section class="card runbook">
                <header class="card-head"><h2>"Runbook"</h2></header>
                <p><a href=link.clone() rel="noopener noreferrer" target="_blank">{link.clone()}</a></p>
            </section>
        }
        .into_any();
    }
    view! {
        <section class="card empty">
            <p class="empty-title">"No runbook"</p>
            <p>"Write one into config/runbooks and name it in the rule:"</p>
            <pre class="command" tabindex="0"><code>"annotations:\n  runbook_url: /runbooks/NAME"</code></pre>
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(state: AlertState, resolved_at_ms: Option<i64>) -> AlertSummary {
        AlertSummary {
            id: String::new(),
            name: String::new(),
            state,
            severity: String::new(),
            target: String::new(),
            summary: String::new(),
            value: 1.0,
            unit: Unit::None,
            threshold: None,
            comparison: None,
            active_since_ms: 1_000_000,
            firing_since_ms: Some(1_300_000),
            resolved_at_ms,
            owner: String::new(),
            labels: Vec::new(),
        }
    }

    #[test]
    fn the_time_it_fired_is_shaded() {
        assert_eq!(
            band(&alert(AlertState::Firing, None)),
            Band { from_ms: 1_300_000.0, to_ms: f64::MAX }
        );
        let over = band(&alert(AlertState::Resolved, Some(2_000_000)));
        assert_eq!(over, Band { from_ms: 1_300_000.0, to_ms: 2_000_000.0 });
    }
}
