//! A runbook.

use api_types::Runbook;
use leptos::prelude::*;

use crate::components::alert_table::AlertTable;
use crate::components::blocks::Blocks;
use crate::components::loaded::Loaded;
use crate::components::page_head::PageHead;
use crate::fetch::use_fetch;
use crate::url;

/// The alerts that need it now, then its content.
#[component]
pub(crate) fn RunbookPage() -> impl IntoView {
    let name = url::use_param("name");
    let page =
        use_fetch::<Runbook>(move || format!("/api/app/runbooks/{}", url::encode(&name.get())));
    let title = page.part(|page| page.row.title.clone());
    let alerts = page.part(|page| page.row.alerts.clone());
    let active = page.list(|page| page.active.clone());
    let blocks = page.part(|page| page.blocks.clone());
    let used_by = move || {
        let alerts = alerts.get();
        (!alerts.is_empty())
            .then(|| view! { <p class="hint">{format!("Used by {}", alerts.join(", "))}</p> })
    };
    let heading =
        move || title.with(|title| if title.is_empty() { name.get() } else { title.clone() });
    view! {
        <PageHead title=Signal::derive(heading) has_range=true/>
        <Loaded fetched=page>
            <div class="stack">
                <Show when=move || active.with(|active| !active.is_empty())>
                    <section class="card is-list">
                        <header class="card-head"><h2>"Active now"</h2></header>
                        <AlertTable alerts=active caption="Alerts that use this runbook and are not over"/>
                    </section>
                </Show>
                <section class="card runbook">
                    {move || view! { <Blocks title=title.get() blocks=blocks.get()/> }}
                    {used_by}
                </section>
            </div>
        </Loaded>
    }
}
