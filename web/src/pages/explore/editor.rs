//! The PromQL box with completion.

use leptos::task::spawn_local;
use leptos::{ev, html, prelude::*};

use super::Catalog;
use crate::completion::{Candidate, Wanted, context, pick, words};
use crate::icons::{Icon, IconName};
use crate::prom;
use crate::views::CollectViews;

/// Candidates shown at once.
const SHOWN: usize = 8;

/// What completion offers for the word under the cursor.
#[derive(Debug, Clone, PartialEq, Default)]
struct Offer {
    candidates: Vec<Candidate>,
    /// Where the word that would be replaced starts, in bytes.
    start: usize,
    /// Where it ends: the cursor.
    end: usize,
}

/// The box: Enter runs, Shift+Enter breaks the line, Tab takes the first candidate.
#[component]
pub(super) fn QueryEditor(
    draft: RwSignal<String>,
    catalog: Catalog,
    on_run: Callback<String>,
) -> impl IntoView {
    let area = NodeRef::<html::Textarea>::new();
    let completion = Completion {
        area,
        draft,
        catalog,
        offer: RwSignal::new(Offer::default()),
        selected: RwSignal::new(None),
        asked: StoredValue::new(0),
    };
    let run = move || {
        completion.close();
        on_run.run(draft.get_untracked());
    };
    let on_key = move |event: ev::KeyboardEvent| {
        if completion.key(&event) {
            event.prevent_default();
        } else if event.key() == "Enter" && !event.shift_key() {
            event.prevent_default();
            run();
        }
    };
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        run();
    };
    let rows = move || draft.with(|draft| draft.lines().count().clamp(1, 8));
    let active = move || completion.selected.get().map(|index| format!("completion-{index}"));
    view! {
        <form class="card query" on:submit=submit>
            <div class="query-box">
                <textarea
                    class="input mono"
                    node_ref=area
                    rows=rows
                    aria-label="PromQL expression"
                    placeholder="PromQL, such as sum by (service) (rate(http_requests_total[5m]))"
                    aria-autocomplete="list"
                    aria-haspopup="listbox"
                    aria-controls="completion"
                    aria-activedescendant=active
                    spellcheck="false"
                    autocomplete="off"
                    autocapitalize="none"
                    data-search="true"
                    data-testid="query"
                    prop:value=move || draft.get()
                    on:input=move |event| {
                        draft.set(event_target_value(&event));
                        completion.refresh();
                    }
                    on:keydown=on_key
                    on:blur=move |_| completion.close()
                ></textarea>
                <CompletionList completion/>
            </div>
            <button type="submit" class="button is-primary" data-testid="run">
                <Icon name=IconName::Play/>
                "Run"
            </button>
        </form>
    }
}

#[derive(Debug, Clone, Copy)]
struct Completion {
    area: NodeRef<html::Textarea>,
    draft: RwSignal<String>,
    catalog: Catalog,
    offer: RwSignal<Offer>,
    /// The candidate chosen with the arrow keys.
    selected: RwSignal<Option<usize>>,
    /// Numbers the questions to the server; only the answer to the last one counts.
    asked: StoredValue<u32>,
}

impl Completion {
    fn close(self) {
        self.offer.set(Offer::default());
        self.selected.set(None);
        self.asked.update_value(|asked| *asked += 1);
    }

    /// Whether a key was meant for the list.
    fn key(self, event: &ev::KeyboardEvent) -> bool {
        let count = self.offer.with_untracked(|offer| offer.candidates.len());
        if count == 0 {
            return false;
        }
        let selected = self.selected.get_untracked();
        match event.key().as_str() {
            "ArrowDown" => self.select(selected.map_or(0, |at| (at + 1) % count)),
            "ArrowUp" => self.select(selected.map_or(count - 1, |at| (at + count - 1) % count)),
            "Tab" => self.take(selected.unwrap_or(0)),
            // Enter runs the query unless a candidate was chosen.
            "Enter" => match selected {
                Some(index) => self.take(index),
                None => return false,
            },
            "Escape" => self.close(),
            _ => return false,
        }
        true
    }

    fn select(self, index: usize) {
        self.selected.set(Some(index));
    }

    /// Puts a candidate into the text.
    fn take(self, index: usize) {
        let offer = self.offer.get_untracked();
        let Some(candidate) = offer.candidates.get(index) else { return };
        let text = self.draft.get_untracked();
        let insert = match candidate.kind {
            "function" => format!("{}(", candidate.text),
            _ => candidate.text.clone(),
        };
        let (Some(before), Some(after)) = (text.get(..offer.start), text.get(offer.end..)) else {
            return;
        };
        let after = after.strip_prefix('(').filter(|_| insert.ends_with('(')).unwrap_or(after);
        let completed = format!("{before}{insert}");
        let cursor = completed.encode_utf16().count() as u32;
        self.draft.set(format!("{completed}{after}"));
        self.close();
        if let Some(area) = self.area.get_untracked() {
            // The text is set first: the cursor would otherwise jump to its end.
            area.set_value(&self.draft.get_untracked());
            drop(area.set_selection_range(cursor, cursor));
        }
    }

    /// Looks at the word under the cursor and offers what could become of it.
    fn refresh(self) {
        let Some(area) = self.area.get_untracked() else { return };
        let text = area.value();
        let units = area.selection_start().ok().flatten().unwrap_or(0) as usize;
        let end = byte_of(&text, units);
        let found = context(&text[..end]);
        self.selected.set(None);
        self.asked.update_value(|asked| *asked += 1);
        let number = self.asked.get_value();
        let (start, prefix) = (found.start, found.prefix.clone());
        let show = move |candidates: Vec<Candidate>| {
            let offer = Offer { candidates: pick(candidates, &prefix, SHOWN), start, end };
            if self.asked.try_get_value() == Some(number) {
                self.offer.set(offer);
            }
        };
        match found.wanted {
            Wanted::Nothing => self.offer.set(Offer::default()),
            // Without a letter there is no word to complete, except for labels and their values.
            Wanted::Name if found.prefix.is_empty() => self.offer.set(Offer::default()),
            Wanted::Name => {
                let mut candidates = words(&found.prefix);
                candidates.extend(self.metrics());
                show(candidates);
            }
            Wanted::Label { metric } => spawn_local(async move {
                let names = prom::label_names(&metric).await.unwrap_or_default();
                let is_label = |name: &String| name != "__name__";
                show(names.into_iter().filter(is_label).map(|text| plain(text, "label")).collect());
            }),
            Wanted::Value { metric, label } => spawn_local(async move {
                let values = prom::label_values(&label, &metric).await.unwrap_or_default();
                show(values.into_iter().map(|text| plain(text, "value")).collect());
            }),
        }
    }

    fn metrics(self) -> Vec<Candidate> {
        let names = self.catalog.names.get_untracked().unwrap_or_default();
        self.catalog.metadata.with_untracked(|metadata| {
            let help = |name: &String| {
                metadata.get(name).and_then(|entries| entries.first()).map(|m| m.help.clone())
            };
            names
                .into_iter()
                .map(|name| Candidate {
                    detail: help(&name).unwrap_or_default(),
                    kind: "metric",
                    text: name,
                })
                .collect()
        })
    }
}

fn plain(text: String, kind: &'static str) -> Candidate {
    Candidate { text, kind, detail: String::new() }
}

/// The byte offset of a position that the browser counts in UTF-16 units.
fn byte_of(text: &str, units: usize) -> usize {
    let mut seen = 0;
    for (index, c) in text.char_indices() {
        if seen >= units {
            return index;
        }
        seen += c.len_utf16();
    }
    text.len()
}

#[component]
fn CompletionList(completion: Completion) -> impl IntoView {
    let items = move || {
        completion.offer.with(|offer| {
            offer
                .candidates
                .iter()
                .enumerate()
                .map(|(index, candidate)| item(completion, index, candidate))
                .collect_views()
        })
    };
    let is_open = Memo::new(move |_| completion.offer.with(|offer| !offer.candidates.is_empty()));
    view! {
        <ul
            id="completion"
            class="completion"
            role="listbox"
            aria-label="Completions"
            data-testid="completion"
            hidden=move || !is_open.get()
        >
            {items}
        </ul>
    }
}

fn item(completion: Completion, index: usize, candidate: &Candidate) -> impl IntoView + use<> {
    view! {
        <li
            id=format!("completion-{index}")
            role="option"
            class="completion-item"
            aria-selected=move || (completion.selected.get() == Some(index)).to_string()
            on:pointerdown=move |event| {
                // The text keeps the focus.
                event.prevent_default();
                completion.take(index);
            }
        >
            <span class="mono">{candidate.text.clone()}</span>
            <span class="completion-detail">{candidate.detail.clone()}</span>
            <span class="completion-kind">{candidate.kind}</span>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_of_the_browser_become_byte_offsets() {
        assert_eq!(byte_of("up", 1), 1);
        assert_eq!(byte_of("é𝄞x", 1), 2);
        assert_eq!(byte_of("é𝄞x", 3), 6);
        assert_eq!(byte_of("é𝄞x", 99), 7);
    }
}
