//! The data of a chart as a table, for screen readers and for copying.

use chart::Unit;
use leptos::prelude::*;

use super::data::ChartData;
use crate::state::clock::moment;
use crate::views::CollectViews;

/// Rows shown at most; longer series show the newest.
const ROWS: usize = 120;

/// Columns shown at most, for charts with very many lines.
const COLUMNS: usize = 20;

/// The newest points of a chart, newest first.
pub(super) fn data_table(data: &ChartData, title: &str, unit: Unit) -> impl IntoView + use<> {
    let lines = &data.lines[..data.lines.len().min(COLUMNS)];
    let head = lines
        .iter()
        .map(|line| view! { <th scope="col" class="is-number">{line.name.clone()}</th> })
        .collect_views();
    let rows = (0..data.len())
        .rev()
        .take(ROWS)
        .map(|point| {
            let cells = lines.iter().map(|line| {
                let value = line.values.get(point).copied().unwrap_or(f64::NAN);
                view! { <td class="is-number" title=unit.exact(value)>{unit.format(value)}</td> }
            });
            view! {
                <tr>
                    <th scope="row" class="num">{moment(data.time_of(point))}</th>
                    {cells.collect_views()}
                </tr>
            }
        })
        .collect_views();
    view! {
        <div class="data-table" tabindex="0" role="region" aria-label=format!("{title}, values")>
            <table class="table is-dense">
                <thead>
                    <tr>
                        <th scope="col">"Time"</th>
                        {head}
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}
