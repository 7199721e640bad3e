//! All runbooks.

use api_types::RunbookRow;
use leptos::prelude::*;

use crate::components::empty::Empty;
use crate::components::link::RangeLink;
use crate::components::list_tools::SearchField;
use crate::components::loaded::Loaded;
use crate::components::page_head::PageHead;
use crate::fetch::use_fetch;
use crate::format::plural;
use crate::search::matches;
use crate::url;
use crate::views::CollectViews;

/// The list with search.
#[component]
pub(crate) fn RunbooksPage() -> impl IntoView {
    let list = use_fetch::<Vec<RunbookRow>>(|| "/api/app/runbooks".to_owned());
    let all = list.list(Clone::clone);
    let query = RwSignal::new(String::new());
    let shown = Memo::new(move |_| {
        let query = query.get();
        all.with(|all| {
            all.iter().filter(|runbook| passes(runbook, &query)).cloned().collect::<Vec<_>>()
        })
    });
    let none = move || {
        if all.with(|all| all.is_empty()) {
            view! {
                <Empty
                    title="No runbooks yet"
                    text="A runbook is a Markdown file that an alert's runbook_url names."
                    command="config/runbooks/disk-full.md"
                />
            }
        } else {
            view! { <Empty title="Nothing matches" text="Change the search."/> }
        }
    };
    view! {
        <PageHead title=Signal::stored("Runbooks".to_owned())/>
        <Loaded fetched=list>
            <section class="card is-list">
                <div class="list-tools"><SearchField query label="Search runbooks"/></div>
                <Show when=move || shown.with(|shown| !shown.is_empty()) fallback=none>
                    <ul class="rows" data-testid="runbooks">
                        {move || shown.get().into_iter().map(runbook_row).collect_views()}
                    </ul>
                </Show>
            </section>
        </Loaded>
    }
}

fn passes(runbook: &RunbookRow, query: &str) -> bool {
    let mut texts = vec![runbook.name.as_str(), &runbook.title, &runbook.summary];
    texts.extend(runbook.alerts.iter().map(String::as_str));
    matches(query, &texts)
}

/// A runbook in a list.
pub(super) fn runbook_row(runbook: RunbookRow) -> impl IntoView {
    let alerts = plural(runbook.alerts.len(), "alert", "alerts");
    let names = runbook.alerts.join(", ");
    view! {
        <li class="row">
            <div class="row-main">
                <RangeLink path=url::runbook(&runbook.name)>{runbook.title}</RangeLink>
                <p class="row-note">{runbook.summary}</p>
            </div>
            <span class="muted num" title=names>{alerts}</span>
        </li>
    }
}
