//! What each part of a query does: how much it reads, how long it takes, and how near the limits are.

use std::sync::Arc;

use chart::Unit;
use leptos::prelude::*;

use crate::api::Failure;
use crate::components::delayed::Delayed;
use crate::components::host_table::meter;
use crate::fetch::Request;
use crate::format::count;
use crate::icons::{Icon, IconName};
use crate::prom::{self, Explained, Part};
use crate::state::range::{Range, use_range};
use crate::views::CollectViews;

/// From this share of a limit on it is told.
const NEAR: f64 = 0.8;

/// Parts that are nested deeper are not moved in further.
const DEEPEST: usize = 12;

/// An explained query with its text, as a whole: the text in the box may have gone on.
#[derive(Debug, Clone)]
struct Answer {
    query: String,
    explained: Explained,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    answer: RwSignal<Option<Arc<Answer>>>,
    failure: RwSignal<Option<Failure>>,
}

/// Asks while the view is open, again for another query or range and for another run; not at each flush,
/// because explaining computes everything.
fn use_explained(query: Signal<String>, runs: Signal<u32>, is_open: RwSignal<bool>) -> Asked {
    let range = use_range();
    let asked = Asked { answer: RwSignal::new(None), failure: RwSignal::new(None) };
    let request = Request::new();
    Effect::new(move |previous: Option<Option<(String, u32, Range)>>| {
        let known = previous.flatten();
        if !is_open.get() {
            request.cancel();
            return known.filter(|_| asked.answer.with_untracked(Option::is_some));
        }
        let wanted = (query.get(), runs.get(), range.range());
        if known.as_ref() == Some(&wanted) {
            return known;
        }
        request.cancel();
        asked.answer.set(None);
        asked.failure.set(None);
        let (query, span) = (wanted.0.clone(), untrack(|| range.span()));
        request.start(
            |signal| async move {
                let explained = prom::explain(&query, span, signal.as_ref()).await?;
                Ok(Answer { query, explained })
            },
            move |result| match result {
                Ok(answer) => asked.answer.set(Some(Arc::new(answer))),
                Err(failure) => asked.failure.set(Some(failure)),
            },
        );
        Some(wanted)
    });
    asked
}

/// A card that opens on its title.
#[component]
pub(super) fn Explain(
    query: Signal<String>,
    runs: Signal<u32>,
    is_open: RwSignal<bool>,
) -> impl IntoView {
    let asked = use_explained(query, runs, is_open);
    let content = move || {
        if !is_open.get() {
            return None;
        }
        let body = match (asked.failure.get(), asked.answer.get()) {
            (Some(failure), _) => {
                view! { <p class="explain-note is-error" role="alert">{failure.message}</p> }
                    .into_any()
            }
            (None, Some(answer)) => explained(&answer).into_any(),
            (None, None) => {
                view! { <Delayed><div class="skeleton is-short"></div></Delayed> }.into_any()
            }
        };
        Some(view! { <div id="explain" data-testid="explain">{body}</div> })
    };
    view! {
        <section class="card is-list explain">
            <h2>
                <button
                    type="button"
                    class="disclosure"
                    aria-expanded=move || is_open.get().to_string()
                    aria-controls=move || is_open.get().then_some("explain")
                    data-testid="explain-toggle"
                    on:click=move |_| is_open.update(|is_open| *is_open = !*is_open)
                >
                    <Icon name=IconName::ChevronDown/>
                    "Explain"
                    <span class="disclosure-note">"what each part reads and takes"</span>
                </button>
            </h2>
            {content}
        </section>
    }
}

fn explained(answer: &Arc<Answer>) -> impl IntoView + use<> {
    // The part that the reader looks at, marked in the text.
    let looked_at = RwSignal::new(None);
    let Explained { plan, cache, .. } = &answer.explained;
    let total: f64 = plan.iter().map(|part| part.seconds).sum();
    let rows = plan
        .iter()
        .enumerate()
        .map(|(number, part)| row(number, part, total, looked_at))
        .collect_views();
    let sum = |pick: fn(&Part) -> u64| plan.iter().map(pick).sum::<u64>();
    let (series, samples) = (sum(|part| part.series), sum(|part| part.samples));
    let cached = match cache {
        None => "not kept",
        Some(steps) if steps.kept == 0 => "nothing yet",
        Some(steps) if steps.kept == steps.steps => "all steps",
        Some(_) => "some steps",
    };
    let steps = cache
        .map(|steps| format!("{} of {}", count(steps.kept), count(steps.steps)))
        .unwrap_or_default();
    let text = {
        let answer = Arc::clone(answer);
        move || marked(&answer, looked_at.get())
    };
    view! {
        <pre class="explain-query" tabindex="0" data-testid="explain-query">{text}</pre>
        <dl class="facts is-inline explain-facts">
            {used(&answer.explained).into_iter().map(Used::fact).collect_views()}
            {fact("Work", Unit::Seconds.format(total), "by all threads".to_owned())}
            {fact("In the cache", cached.to_owned(), steps)}
        </dl>
        {used(&answer.explained).into_iter().filter_map(Used::warning).collect_views()}
        <table class="table is-dense plan" role="table" data-testid="plan">
            <caption class="sr">"Parts of the query"</caption>
            <thead role="rowgroup">
                <tr role="row">
                    <th scope="col" role="columnheader">"Part"</th>
                    <th scope="col" role="columnheader" class="is-number">"Series read"</th>
                    <th scope="col" role="columnheader" class="is-number">"Samples read"</th>
                    <th scope="col" role="columnheader" class="is-number">"Rows out"</th>
                    <th scope="col" role="columnheader" class="is-number">"Time"</th>
                    <th scope="col" role="columnheader">"Share"</th>
                </tr>
            </thead>
            <tbody role="rowgroup">{rows}</tbody>
            <tfoot role="rowgroup">
                <tr role="row">
                    <th scope="row" role="rowheader">"Total"</th>
                    {number_cell("series", series)}
                    {number_cell("samples", samples)}
                    <td role="cell" class="plan-rows"></td>
                    <td role="cell" class="is-number plan-time">{Unit::Seconds.format(total)}</td>
                    <td role="cell" class="plan-share"></td>
                </tr>
            </tfoot>
        </table>
        <p class="hint explain-hint">
            "All steps were computed for this, kept or not. The chart takes the steps that are kept from the cache. Times are those of a part without the parts below it."
        </p>
    }
}

/// The text of the query with one part of it marked.
fn marked(answer: &Answer, looked_at: Option<usize>) -> Vec<AnyView> {
    let text = &answer.query;
    let part = looked_at.and_then(|number| answer.explained.plan.get(number));
    let cut = part.and_then(|part| {
        Some((text.get(..part.start)?, text.get(part.start..part.end)?, text.get(part.end..)?))
    });
    let (before, inside, after) = cut.unwrap_or((text, "", ""));
    vec![
        before.to_owned().into_any(),
        view! { <mark>{inside.to_owned()}</mark> }.into_any(),
        after.to_owned().into_any(),
    ]
}

fn row(
    number: usize,
    part: &Part,
    total: f64,
    looked_at: RwSignal<Option<usize>>,
) -> impl IntoView + use<> {
    let share = if total > 0.0 { part.seconds / total } else { 0.0 };
    let look = move || looked_at.set(Some(number));
    let indent = format!("{}em", part.depth.min(DEEPEST));
    view! {
        <tr
            role="row"
            class:is-looked-at=move || looked_at.get() == Some(number)
            on:mouseenter=move |_| look()
        >
            <th scope="row" role="rowheader">
                <span class="plan-part" class:is-below=part.depth != 0 style:margin-left=indent>
                    <span class="sr">{format!("Level {}: ", part.depth + 1)}</span>
                    <button
                        type="button"
                        class="link-button mono"
                        title="Show it in the query"
                        on:click=move |_| look()
                        on:focus=move |_| look()
                    >
                        {part.what.clone()}
                    </button>
                </span>
            </th>
            {number_cell("series", part.series)}
            {number_cell("samples", part.samples)}
            {number_cell("rows", part.rows)}
            <td
                role="cell"
                class="is-number plan-time"
                title=Unit::Seconds.exact(part.seconds)
            >
                {time(part.seconds)}
            </td>
            <td role="cell" class="plan-share" class:is-none=part.seconds == 0.0>
                <span class="meter-cell">
                    {meter(Some(share), "")}
                    <span class="meter-text num">{percent(share)}</span>
                </span>
            </td>
        </tr>
    }
}

/// A number with its word, which only a narrow screen shows; nothing for nothing.
fn number_cell(word: &'static str, number: u64) -> impl IntoView + use<> {
    let is_none = number == 0;
    let shown_word = match (word, number) {
        ("samples", 1) => "sample",
        ("rows", 1) => "row",
        _ => word,
    };
    let text = if is_none { "–".to_owned() } else { Unit::None.format(number as f64) };
    view! {
        <td
            role="cell"
            class=format!("is-number plan-{word}")
            class:is-none=is_none
            title=count(number)
            data-word=shown_word
        >
            {text}
        </td>
    }
}

fn time(seconds: f64) -> String {
    if seconds > 0.0 { Unit::Seconds.format(seconds) } else { "–".to_owned() }
}

/// A share in whole percent; little is not nothing.
fn percent(share: f64) -> String {
    match (share * 100.0).round() {
        0.0 if share > 0.0 => "<1%".to_owned(),
        0.0 => "–".to_owned(),
        whole => format!("{whole}%"),
    }
}

/// What the query takes of something that has a limit.
#[derive(Debug, Clone, PartialEq)]
struct Used {
    name: &'static str,
    setting: &'static str,
    amount: String,
    limit: String,
    share: f64,
}

fn used(explained: &Explained) -> Vec<Used> {
    let Explained { plan, samples, timings, limits, .. } = explained;
    let series = plan.iter().map(|part| part.series).max().unwrap_or(0);
    let of = |name, setting, unit: Unit, amount: f64, limit: f64| Used {
        name,
        setting,
        amount: unit.format(amount),
        limit: unit.format(limit),
        share: if limit > 0.0 { amount / limit } else { 0.0 },
    };
    let (peak, most) = (samples.peak_samples as f64, limits.samples as f64);
    vec![
        of("Took", "query.timeout", Unit::Seconds, timings.exec_total_time, limits.seconds),
        of("Samples in memory", "query.max_samples", Unit::None, peak, most),
        of(
            "Series of a selector",
            "query.max_series",
            Unit::None,
            series as f64,
            limits.series as f64,
        ),
    ]
}

impl Used {
    fn is_near(&self) -> bool {
        self.share >= NEAR
    }

    fn fact(self) -> impl IntoView {
        let note = format!("of {}", self.limit);
        fact(self.name, self.amount, note)
    }

    fn warning(self) -> Option<impl IntoView> {
        let Self { name, setting, share, .. } = &self;
        self.is_near().then(|| {
            let text = format!("{name}: {} of what {setting} allows.", percent(*share));
            view! { <p class="explain-note mark is-warning">{text}</p> }
        })
    }
}

fn fact(name: &'static str, value: String, note: String) -> impl IntoView {
    view! {
        <div class="fact">
            <dt>{name}</dt>
            <dd class="num">{value} " " <span class="muted fact-note">{note}</span></dd>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prom::{Limits, SampleCounts, Timings};

    #[test]
    fn what_is_near_a_limit_is_found() {
        let explained = Explained {
            plan: vec![
                Part { series: 10, ..Part::default() },
                Part { series: 80, ..Part::default() },
            ],
            samples: SampleCounts { peak_samples: 790 },
            timings: Timings { exec_total_time: 29.0 },
            cache: None,
            limits: Limits { samples: 1_000, series: 100, seconds: 30.0 },
        };
        let near: Vec<_> =
            used(&explained).into_iter().filter(Used::is_near).map(|used| used.setting).collect();
        assert_eq!(near, ["query.timeout", "query.max_series"]);
    }

    #[test]
    fn little_is_not_nothing() {
        for (share, expected) in [(0.0, "–"), (0.001, "<1%"), (0.5, "50%"), (1.0, "100%")] {
            assert_eq!(percent(share), expected);
        }
    }
}
