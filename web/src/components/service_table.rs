//! Services as a table.

use std::cmp::Ordering;
use std::sync::Arc;

use api_types::ServiceRow;
use chart::Unit;
use leptos::prelude::*;

use crate::components::mark;
use crate::components::sort::{Direction, Sort, SortHead, compare};
use crate::components::sparkline::sparkline;
use crate::format::{ago, availability};
use crate::state::clock::use_clock;
use crate::state::range::use_range;
use crate::url;
use crate::views::CollectViews;

/// What services can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Name,
    Health,
    Rate,
    Errors,
    P95,
    Uptime,
}

fn ordering(column: Column, a: &ServiceRow, b: &ServiceRow) -> Ordering {
    match column {
        Column::Name => a.name.cmp(&b.name),
        Column::Health => a.health.cmp(&b.health),
        Column::Rate => compare(a.rate, b.rate),
        Column::Errors => compare(a.error_ratio, b.error_ratio),
        Column::P95 => compare(a.p95_seconds, b.p95_seconds),
        Column::Uptime => compare(a.uptime_day, b.uptime_day),
    }
}

/// State, rate, errors and duration of each service.
#[component]
pub(crate) fn ServiceTable(#[prop(into)] services: Signal<Arc<Vec<ServiceRow>>>) -> impl IntoView {
    let sort = RwSignal::new(Sort::<Column>::SERVER);
    let rows = move || {
        services.with(|services| {
            let mut sorted: Vec<&ServiceRow> = services.iter().collect();
            sort.get().apply(&mut sorted, |column, a, b| ordering(column, a, b));
            sorted.into_iter().map(row).collect_views()
        })
    };
    let number = |label: &'static str, column, first| {
        view! { <SortHead label column first sort class="is-number"/> }
    };
    view! {
        <div class="table-scroll">
            <table class="table services-table">
                <caption class="sr">"Services"</caption>
                <thead>
                    <tr>
                        <SortHead label="Service" column=Column::Name first=Direction::Ascending sort/>
                        <SortHead label="State" column=Column::Health first=Direction::Descending sort class="col-state"/>
                        {number("Requests", Column::Rate, Direction::Descending)}
                        <th scope="col" class="col-spark">"Last hour"</th>
                        {number("Errors", Column::Errors, Direction::Descending)}
                        {number("p95", Column::P95, Direction::Descending)}
                        <SortHead
                            label="Uptime today"
                            column=Column::Uptime
                            first=Direction::Ascending
                            sort
                            class="is-number col-minor"
                        />
                    </tr>
                </thead>
                <tbody data-testid="services">{rows}</tbody>
            </table>
        </div>
    }
}

fn row(service: &ServiceRow) -> impl IntoView + use<> {
    let range = use_range();
    let path = url::service(&service.name);
    let now = use_clock().now_ms();
    let seen = service.last_seen_ms.map(|at| format!("Last sample {}", ago(now - at)));
    let uptime = service.uptime_day.map_or_else(|| "–".to_owned(), availability);
    view! {
        <tr data-testid="service-row">
            <td class="cell-main" title=seen>
                <a href=move || range.link(&path)>{service.name.clone()}</a>
            </td>
            <td class="col-state">{mark::health(service.health).view()}</td>
            {number_cell(Unit::PerSecond, service.rate, "is-number")}
            <td class="col-spark">{sparkline(&service.sparkline)}</td>
            {number_cell(Unit::Ratio, service.error_ratio, "is-number")}
            {number_cell(Unit::Seconds, service.p95_seconds, "is-number")}
            <td class="is-number col-minor">{uptime}</td>
        </tr>
    }
}

/// A number to read at a glance, in full when pointed at.
pub(crate) fn number_cell(
    unit: Unit,
    value: Option<f64>,
    class: &'static str,
) -> impl IntoView + use<> {
    let value = value.unwrap_or(f64::NAN);
    view! { <td class=class title=unit.exact(value)>{unit.format(value)}</td> }
}
