//! `/api/v1/query`, `/api/v1/query_range`, `/api/v1/format_query`.

use std::time::Duration;

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use promql::{Level, Output, Range};
use serde_json::json;
use tokio::time::Instant;

use super::{
    envelope::{Failure, Success},
    params::Params,
    stream::Answer,
    value::{Seconds, result_count},
};
use crate::{
    http::Shared,
    query::{QueryOptions, SharedTexts},
};

/// The value of an expression at one time.
pub(super) async fn instant(
    State(app): State<Shared>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, Failure> {
    let text = params.required("query")?;
    let at = params.time("time")?.unwrap_or_else(|| app.clock.now());
    let limit = params.limit()?;
    let wants = Wants::of(&params);
    let started = Instant::now();
    let output = app.queries.instant(text, at, options(&params, wants)?).await?;
    let cost = Cost { took: started.elapsed(), kept_steps: None };
    Ok(answer(&app, text, (output, None), limit, wants, cost).into_response(&headers))
}

/// The values of an expression at every step.
pub(super) async fn range(
    State(app): State<Shared>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, Failure> {
    let text = params.required("query")?;
    let missing = |name| Failure::parameter(name, "it is missing");
    let start = params.time("start")?.ok_or_else(|| missing("start"))?;
    let end = params.time("end")?.ok_or_else(|| missing("end"))?;
    let step_ms = params.duration_ms("step")?.ok_or_else(|| missing("step"))?;
    let limit = params.limit()?;
    let range = Range { start, end, step_ms };
    let wants = Wants::of(&params);
    let options = options(&params, wants)?;
    let kept_steps =
        wants.plan.then(|| app.queries.kept_steps(text, range, options.lookback)).flatten();
    let started = Instant::now();
    let answered = app.queries.range(text, range, options).await?;
    let cost = Cost { took: started.elapsed(), kept_steps };
    Ok(answer(&app, text, answered, limit, wants, cost).into_response(&headers))
}

/// The expression, parsed and printed again.
pub(super) async fn format(params: Params) -> Result<Response, Failure> {
    let expr = promql::parse(params.required("query")?)
        .map_err(|error| Failure::parameter("query", error))?;
    Ok(Success::new(expr.to_string()).into_response())
}

/// What is told beside the result.
#[derive(Debug, Clone, Copy)]
struct Wants {
    /// `stats`: what the query cost.
    stats: bool,
    /// `stats=all`: for each step, too.
    steps: bool,
    /// `explain`: what each part of the expression did.
    plan: bool,
}

impl Wants {
    fn of(params: &Params) -> Self {
        let is_on = |name| params.get(name).is_some_and(|value| value != "0");
        let stats = params.get("stats");
        Self { stats: stats.is_some(), steps: stats == Some("all"), plan: is_on("explain") }
    }
}

/// What a query cost beside what its parts say.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// From the question to the result, with the time it waited for its turn.
    took: Duration,
    /// How many steps the cache has, of how many; `None` when it has no part in the query.
    kept_steps: Option<(u64, u64)>,
}

fn options(params: &Params, wants: Wants) -> Result<QueryOptions, Failure> {
    let duration = |name| {
        Ok::<_, Failure>(match params.duration_ms(name)? {
            Some(ms) if ms <= 0 => return Err(Failure::parameter(name, "it must be positive")),
            Some(ms) => Some(Duration::from_millis(ms as u64)),
            None => None,
        })
    };
    Ok(QueryOptions {
        timeout: duration("timeout")?,
        lookback: duration("lookback_delta")?,
        skips_cache: params.get("nocache").is_some_and(|value| value != "0"),
        explains: wants.plan || wants.stats,
        counts_steps: wants.stats,
    })
}

fn answer(
    app: &Shared,
    text: &str,
    (output, texts): (Output, SharedTexts),
    limit: usize,
    wants: Wants,
    cost: Cost,
) -> Answer {
    let mut warnings = output.annotations.render(Level::Warning, text);
    warnings.extend(output.left_out.iter().cloned());
    if result_count(&output.value) > limit {
        warnings.push("results truncated due to limit".to_owned());
    }
    let infos = output.annotations.render(Level::Info, text);
    let stats = (wants.stats || wants.plan).then(|| stats(app, &output, wants, cost));
    Answer { output, limit, texts, warnings, infos, stats }
}

/// `data.stats` as Prometheus has it, and with `explain` a list `plan` beside it, what of the answer is
/// kept, and what a query may take.
fn stats(app: &Shared, output: &Output, wants: Wants, cost: Cost) -> serde_json::Value {
    let nodes = output.plan.as_ref().map_or(&[][..], |plan| &plan.nodes);
    let seconds = nodes.iter().map(|node| node.work.time).sum::<Duration>().as_secs_f64();
    let mut samples = json!({ "peakSamples": output.stats.peak_samples });
    if wants.stats {
        let total: u64 = output.steps.iter().map(|(_, samples)| samples).sum();
        samples["totalQueryableSamples"] = total.into();
    }
    if wants.steps {
        let steps = output.steps.iter().map(|(at, samples)| json!([Seconds(*at), samples]));
        samples["totalQueryableSamplesPerStep"] = steps.collect();
    }
    let mut stats = json!({
        "timings": {
            "evalTotalTime": seconds,
            "resultSortTime": 0,
            "queryPreparationTime": 0,
            "innerEvalTime": seconds,
            "execQueueTime": 0,
            "execTotalTime": cost.took.as_secs_f64(),
        },
        "samples": samples,
    });
    if wants.plan {
        let plan = nodes.iter().map(|node| {
            json!({
                "depth": node.depth,
                "start": node.span.start,
                "end": node.span.end,
                "what": node.what,
                "series": node.work.series,
                "samples": node.work.samples,
                "rows": node.work.rows,
                "seconds": node.work.time.as_secs_f64(),
            })
        });
        stats["plan"] = plan.collect();
        stats["cache"] = match cost.kept_steps {
            Some((kept, steps)) => json!({ "kept": kept, "steps": steps }),
            None => serde_json::Value::Null,
        };
        let most = app.queries.engine().options();
        stats["limits"] = json!({
            "samples": most.max_samples,
            "series": most.max_series,
            "seconds": app.queries.timeout().as_secs_f64(),
        });
    }
    stats
}
