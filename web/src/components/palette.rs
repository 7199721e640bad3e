//! The command palette: everything that has a page, a few letters away.

use api_types::{AlertList, Overview, RunbookRow};
use leptos::task::spawn_local;
use leptos::{ev, html, prelude::*};
use leptos_router::hooks::use_navigate;

use crate::api;
use crate::icons::{Icon, IconName};
use crate::search;
use crate::shell::PAGES;
use crate::state::range::use_range;
use crate::url;
use crate::views::CollectViews;

/// So many entries are shown.
const SHOWN: usize = 12;

/// A page to go to.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    icon: IconName,
    kind: &'static str,
    name: String,
    path: String,
}

/// Opens the palette, as a context.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PaletteState {
    is_open: RwSignal<bool>,
}

impl PaletteState {
    pub(crate) fn provide() -> Self {
        let state = Self { is_open: RwSignal::new(false) };
        provide_context(state);
        state
    }

    pub(crate) fn open(self) {
        self.is_open.set(true);
    }
}

/// The dialog; Ctrl-K (⌘K) opens it.
#[component]
pub(crate) fn Palette() -> impl IntoView {
    let state: PaletteState = expect_context();
    let dialog = NodeRef::<html::Dialog>::new();
    let input = NodeRef::<html::Input>::new();
    let entries = RwSignal::new(pages());
    let query = RwSignal::new(String::new());
    let selected = RwSignal::new(0_usize);
    let found = Memo::new(move |_| entries.with(|entries| find(entries, &query.get())));

    Effect::new(move || {
        let Some(dialog) = dialog.get() else { return };
        if state.is_open.get() && !dialog.open() {
            query.set(String::new());
            selected.set(0);
            // Fails only for a dialog that is open already.
            drop(dialog.show_modal());
            load(entries);
        } else if !state.is_open.get() && dialog.open() {
            dialog.close();
        }
    });
    let shortcut = window_event_listener(ev::keydown, move |event| {
        if (event.ctrl_key() || event.meta_key()) && event.key().eq_ignore_ascii_case("k") {
            event.prevent_default();
            state.is_open.update(|is_open| *is_open = !*is_open);
        }
    });
    on_cleanup(move || shortcut.remove());

    let navigate = use_navigate();
    let range = use_range();
    let go = Callback::new(move |index: usize| {
        if let Some(entry) = found.with_untracked(|found| found.get(index).cloned()) {
            state.is_open.set(false);
            navigate(
                &untrack(|| range.link(&entry.path)),
                leptos_router::NavigateOptions::default(),
            );
        }
    });
    let on_key = move |event: ev::KeyboardEvent| {
        let count = found.with_untracked(Vec::len);
        match event.key().as_str() {
            "ArrowDown" => selected.update(|at| *at = (*at + 1) % count.max(1)),
            "ArrowUp" => selected.update(|at| *at = (*at + count.max(1) - 1) % count.max(1)),
            "Enter" => go.run(selected.get_untracked()),
            _ => return,
        }
        event.prevent_default();
    };
    let options = move || {
        found.with(|found| {
            found
                .iter()
                .enumerate()
                .map(|(index, entry)| option(index, entry, selected, go))
                .collect_views()
        })
    };
    view! {
        <dialog
            class="palette"
            node_ref=dialog
            aria-label="Go to"
            on:close=move |_| state.is_open.set(false)
            on:click=move |event| {
                // The dialog itself is hit only outside of its content.
                if dialog.get_untracked().is_some_and(|dialog| event.target().as_ref() == Some(dialog.as_ref())) {
                    state.is_open.set(false);
                }
            }
        >
            <div class="palette-box">
                <div class="search is-large">
                    <Icon name=IconName::Search/>
                    <input
                        class="input"
                        type="text"
                        node_ref=input
                        role="combobox"
                        aria-expanded="true"
                        aria-controls="palette-list"
                        aria-activedescendant=move || format!("palette-{}", selected.get())
                        aria-label="Go to a page, service, host, alert or runbook"
                        placeholder="Go to a page, service, host, alert or runbook"
                        data-testid="palette-input"
                        autocomplete="off"
                        spellcheck="false"
                        autofocus
                        prop:value=move || query.get()
                        on:input=move |event| {
                            query.set(event_target_value(&event));
                            selected.set(0);
                        }
                        on:keydown=on_key
                    />
                </div>
                <ul id="palette-list" class="palette-list" role="listbox" aria-label="Results">{options}</ul>
                <Show when=move || found.with(Vec::is_empty)>
                    <p class="palette-none" role="status">"Nothing has this name."</p>
                </Show>
            </div>
        </dialog>
    }
}

fn option(
    index: usize,
    entry: &Entry,
    selected: RwSignal<usize>,
    go: Callback<usize>,
) -> impl IntoView + use<> {
    view! {
        <li
            id=format!("palette-{index}")
            role="option"
            class="palette-item"
            aria-selected=move || (selected.get() == index).to_string()
            on:pointermove=move |_| selected.set(index)
            on:click=move |_| go.run(index)
        >
            <Icon name=entry.icon/>
            <span class="palette-name">{entry.name.clone()}</span>
            <span class="palette-kind">{entry.kind}</span>
        </li>
    }
}

fn pages() -> Vec<Entry> {
    PAGES
        .iter()
        .map(|page| Entry {
            icon: page.icon,
            kind: "Page",
            name: page.name.to_owned(),
            path: page.path.to_owned(),
        })
        .collect()
}

/// The entries that answer a query, the best first.
fn find(entries: &[Entry], query: &str) -> Vec<Entry> {
    let mut ranked: Vec<(u32, &Entry)> = entries
        .iter()
        .filter_map(|entry| {
            let in_name = search::rank(query, &entry.name);
            // The kind may be part of the query: "host web".
            let in_both = || {
                search::rank(query, &format!("{} {}", entry.name, entry.kind)).map(|rank| rank + 10)
            };
            in_name.or_else(in_both).map(|rank| (rank, entry))
        })
        .collect();
    ranked.sort_by_key(|ranked| ranked.0);
    ranked.into_iter().take(SHOWN).map(|ranked| ranked.1.clone()).collect()
}

/// Asks for everything that has a page; what cannot be had is missing from the list.
fn load(entries: RwSignal<Vec<Entry>>) {
    spawn_local(async move {
        let mut all = pages();
        if let Ok(overview) = api::get::<Overview>("/api/app/overview", None).await {
            let entry =
                |icon, kind, name: &str, path| Entry { icon, kind, name: name.to_owned(), path };
            all.extend(
                overview
                    .services
                    .iter()
                    .map(|s| entry(IconName::Services, "Service", &s.name, url::service(&s.name))),
            );
            all.extend(
                overview
                    .hosts
                    .iter()
                    .map(|h| entry(IconName::Hosts, "Host", &h.name, url::host(&h.name))),
            );
            all.extend(
                overview
                    .monitors
                    .iter()
                    .map(|m| entry(IconName::Uptime, "Monitor", &m.name, url::monitor(&m.name))),
            );
        }
        if let Ok(list) = api::get::<AlertList>("/api/app/alerts", None).await {
            all.extend(list.alerts.into_iter().map(|alert| Entry {
                icon: IconName::Alerts,
                kind: "Alert",
                path: url::alert(&alert.id),
                name: if alert.target.is_empty() {
                    alert.name
                } else {
                    format!("{} · {}", alert.name, alert.target)
                },
            }));
        }
        if let Ok(runbooks) = api::get::<Vec<RunbookRow>>("/api/app/runbooks", None).await {
            all.extend(runbooks.into_iter().map(|runbook| Entry {
                icon: IconName::Runbooks,
                kind: "Runbook",
                path: url::runbook(&runbook.name),
                name: runbook.title,
            }));
        }
        entries.try_set(all);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: &'static str, name: &str) -> Entry {
        Entry { icon: IconName::Hosts, kind, name: name.to_owned(), path: String::new() }
    }

    #[test]
    fn names_win_over_kinds() {
        let entries = [entry("Host", "web-1"), entry("Service", "hosting")];
        let names: Vec<String> = find(&entries, "host").into_iter().map(|e| e.name).collect();
        assert_eq!(names, ["hosting", "web-1"]);
        assert_eq!(find(&entries, "web host")[0].name, "web-1");
    }
}
