//! Hosts as a table.

use std::cmp::Ordering;
use std::sync::Arc;

use api_types::HostRow;
use chart::Unit;
use leptos::prelude::*;

use crate::components::mark;
use crate::components::service_table::number_cell;
use crate::components::sort::{Direction, Sort, SortHead, compare};
use crate::format::ago;
use crate::state::clock::use_clock;
use crate::state::range::use_range;
use crate::url;
use crate::views::CollectViews;

/// What hosts can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Name,
    Health,
    Cpu,
    Memory,
    Disk,
    Load,
    Network,
}

fn ordering(column: Column, a: &HostRow, b: &HostRow) -> Ordering {
    match column {
        Column::Name => a.name.cmp(&b.name),
        Column::Health => a.health.cmp(&b.health),
        Column::Cpu => compare(a.cpu_ratio, b.cpu_ratio),
        Column::Memory => compare(a.memory_ratio, b.memory_ratio),
        Column::Disk => compare(a.disk_ratio, b.disk_ratio),
        Column::Load => compare(a.load_per_cpu, b.load_per_cpu),
        Column::Network => compare(a.network_bytes_per_second, b.network_bytes_per_second),
    }
}

/// State and resources of each host.
#[component]
pub(crate) fn HostTable(#[prop(into)] hosts: Signal<Arc<Vec<HostRow>>>) -> impl IntoView {
    let sort = RwSignal::new(Sort::<Column>::SERVER);
    let rows = move || {
        hosts.with(|hosts| {
            let mut sorted: Vec<&HostRow> = hosts.iter().collect();
            sort.get().apply(&mut sorted, |column, a, b| ordering(column, a, b));
            sorted.into_iter().map(row).collect_views()
        })
    };
    let head = |label: &'static str, column, class: &'static str| {
        view! { <SortHead label column first=Direction::Descending sort class/> }
    };
    view! {
        <div class="table-scroll">
            <table class="table hosts-table">
                <caption class="sr">"Hosts"</caption>
                <thead>
                    <tr>
                        <SortHead label="Host" column=Column::Name first=Direction::Ascending sort/>
                        <SortHead label="State" column=Column::Health first=Direction::Descending sort class="col-state"/>
                        {head("CPU", Column::Cpu, "is-number")}
                        {head("Memory", Column::Memory, "is-number")}
                        {head("Disk", Column::Disk, "is-number")}
                        {head("Load / CPU", Column::Load, "is-number col-minor")}
                        {head("Network", Column::Network, "is-number col-minor")}
                    </tr>
                </thead>
                <tbody data-testid="hosts">{rows}</tbody>
            </table>
        </div>
    }
}

fn row(host: &HostRow) -> impl IntoView + use<> {
    let range = use_range();
    let path = url::host(&host.name);
    let now = use_clock().now_ms();
    let seen = host.last_seen_ms.map(|at| format!("Last sample {}", ago(now - at)));
    view! {
        <tr data-testid="host-row">
            <td class="cell-main" title=seen>
                <a href=move || range.link(&path)>{host.name.clone()}</a>
            </td>
            <td class="col-state">{mark::health(host.health).view()}</td>
            {meter_cell(host.cpu_ratio)}
            {meter_cell(host.memory_ratio)}
            {meter_cell(host.disk_ratio)}
            {number_cell(Unit::None, host.load_per_cpu, "is-number col-minor")}
            {number_cell(Unit::BytesPerSecond, host.network_bytes_per_second, "is-number col-minor")}
        </tr>
    }
}

/// A share from 0 to 1 as percent over a bar.
fn meter_cell(ratio: Option<f64>) -> impl IntoView + use<> {
    let value = ratio.unwrap_or(f64::NAN);
    view! {
        <td class="is-number" title=Unit::Ratio.exact(value)>
            <span class="meter-cell">
                {meter(ratio, "")}
                <span class="meter-text">{Unit::Ratio.format(value)}</span>
            </span>
        </td>
    }
}

/// A bar that is full at 1; the text beside it says the number.
pub(crate) fn meter(ratio: Option<f64>, class: &str) -> impl IntoView + use<> {
    let width = format!("{:.1}%", ratio.unwrap_or(0.0).clamp(0.0, 1.0) * 100.0);
    let class = format!("meter {class}");
    view! {
        <span class=class aria-hidden="true">
            <i style:width=width></i>
        </span>
    }
}
