//! Monitors as a table: the uptime board.

use std::cmp::Ordering;
use std::sync::Arc;

use api_types::{MonitorRow, Uptime, Uptimes};
use chart::Unit;
use leptos::prelude::*;

use crate::components::mark;
use crate::components::sort::{Direction, Sort, SortHead, compare};
use crate::components::uptime_bars::uptime_bars;
use crate::format::{availability, duration, points};
use crate::state::clock::{moment, use_clock};
use crate::state::range::use_range;
use crate::url;
use crate::views::CollectViews;

/// How every percentage of availability is defined; the tooltip of each.
pub(crate) const DEFINITION: &str = "(up + degraded) / (up + degraded + down), by time. Time when nobody looked is left \
     out and shown as coverage. An outage starts at the first failed check of the run that confirmed it. The change \
     compares with the same elapsed part of the period before, in percentage points.";

/// What monitors can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Name,
    Latency,
    Day,
    Week,
    Month,
    Quarter,
}

fn ordering(column: Column, a: &MonitorRow, b: &MonitorRow) -> Ordering {
    let by = |pick: fn(&Uptimes) -> &Uptime| compare(pick(&a.uptime).ratio, pick(&b.uptime).ratio);
    match column {
        Column::Name => a.name.cmp(&b.name),
        Column::Latency => compare(a.latency_seconds, b.latency_seconds),
        Column::Day => by(|uptimes| &uptimes.day),
        Column::Week => by(|uptimes| &uptimes.week),
        Column::Month => by(|uptimes| &uptimes.month),
        Column::Quarter => by(|uptimes| &uptimes.quarter),
    }
}

/// State, 90 days and availability of each monitor.
#[component]
pub(crate) fn MonitorTable(
    #[prop(into)] monitors: Signal<Arc<Vec<MonitorRow>>>,
    #[prop(into)] caption: String,
) -> impl IntoView {
    let sort = RwSignal::new(Sort::<Column>::SERVER);
    let rows = move || {
        monitors.with(|monitors| {
            let mut sorted: Vec<&MonitorRow> = monitors.iter().collect();
            sort.get().apply(&mut sorted, |column, a, b| ordering(column, a, b));
            sorted.into_iter().map(row).collect_views()
        })
    };
    let head = |label: &'static str, column, class: &'static str| {
        view! { <SortHead label column first=Direction::Ascending sort class/> }
    };
    view! {
        <div class="table-scroll">
            <table class="table monitors-table">
                <caption class="sr">{caption}</caption>
                <thead>
                    <tr>
                        <SortHead label="Monitor" column=Column::Name first=Direction::Ascending sort/>
                        <th scope="col" class="col-state">"State"</th>
                        <th scope="col" class="col-bars">"Last 90 days"</th>
                        {head("Day", Column::Day, "is-number col-uptime")}
                        {head("Week", Column::Week, "is-number col-uptime col-minor")}
                        {head("Month", Column::Month, "is-number col-uptime")}
                        {head("Quarter", Column::Quarter, "is-number col-uptime col-minor")}
                        {head("Latency", Column::Latency, "is-number col-latency col-minor")}
                    </tr>
                </thead>
                <tbody data-testid="monitors">{rows}</tbody>
            </table>
        </div>
    }
}

fn row(monitor: &MonitorRow) -> impl IntoView + use<> {
    let range = use_range();
    let now = use_clock().now_ms();
    let path = url::monitor(&monitor.name);
    let since =
        format!("Since {}, for {}", moment(monitor.since_ms), duration(now - monitor.since_ms));
    let latency = monitor.latency_seconds.unwrap_or(f64::NAN);
    let note = if monitor.detail.is_empty() { &monitor.target } else { &monitor.detail };
    let Uptimes { day, week, month, quarter } = monitor.uptime;
    view! {
        <tr data-testid="monitor-row">
            <td class="cell-main">
                <a href=move || range.link(&path)>{monitor.name.clone()}</a>
                <span class="cell-note">{note.clone()}</span>
            </td>
            <td class="col-state" title=since>{mark::monitor(monitor.state).view()}</td>
            <td class="col-bars">{uptime_bars(&monitor.days)}</td>
            {uptime_cell(&day, "is-number")}
            {uptime_cell(&week, "is-number col-minor")}
            {uptime_cell(&month, "is-number")}
            {uptime_cell(&quarter, "is-number col-minor")}
            <td class="is-number col-minor" title=Unit::Seconds.exact(latency)>{Unit::Seconds.format(latency)}</td>
        </tr>
    }
}

fn uptime_cell(uptime: &Uptime, class: &'static str) -> impl IntoView + use<> {
    view! { <td class=class title=explain(uptime)>{percentage(uptime)} {change(uptime)}</td> }
}

/// The percentage, louder the more is missing.
fn percentage(uptime: &Uptime) -> impl IntoView + use<> {
    let class = match uptime.ratio {
        Some(ratio) if ratio < 0.99 => "uptime is-critical",
        Some(ratio) if ratio < 0.999 => "uptime is-warning",
        _ => "uptime",
    };
    let text = uptime.ratio.map_or_else(|| "–".to_owned(), availability);
    view! { <span class=class>{text}</span> }
}

/// The change in percentage points, with an arrow for its direction.
pub(crate) fn change(uptime: &Uptime) -> impl IntoView + use<> {
    let (class, text) = match uptime.change_points {
        None => ("delta", String::new()),
        Some(change) => {
            let text = points(change);
            let class = match text.chars().next() {
                Some('+') => "delta is-better",
                Some('−') => "delta is-worse",
                _ => "delta",
            };
            (class, text)
        }
    };
    view! { <span class=class>{text}</span> }
}

/// The tooltip of a percentage: its parts and its definition.
pub(crate) fn explain(uptime: &Uptime) -> String {
    let down = if uptime.down_ms > 0 {
        format!("{} down. ", duration(uptime.down_ms))
    } else {
        String::new()
    };
    let coverage = availability(uptime.coverage);
    format!("{down}Coverage {coverage}. {DEFINITION}")
}
