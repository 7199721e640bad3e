//! `/api/v1/query`, `/api/v1/query_range`, `/api/v1/format_query`.

use std::time::Duration;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use promql::{Level, Output, Range};

use super::{
    envelope::{Failure, Success},
    params::Params,
    value::{Data, result_count},
};
use crate::{http::Shared, query::QueryOptions};

/// The value of an expression at one time.
pub(super) async fn instant(
    State(app): State<Shared>,
    params: Params,
) -> Result<Response, Failure> {
    let text = params.required("query")?;
    let at = params.time("time")?.unwrap_or_else(|| app.clock.now());
    let limit = params.limit()?;
    let output = app.queries.instant(text, at, options(&params)?).await?;
    Ok(answer(text, &output, limit))
}

/// The values of an expression at every step.
pub(super) async fn range(State(app): State<Shared>, params: Params) -> Result<Response, Failure> {
    let text = params.required("query")?;
    let missing = |name| Failure::parameter(name, "it is missing");
    let start = params.time("start")?.ok_or_else(|| missing("start"))?;
    let end = params.time("end")?.ok_or_else(|| missing("end"))?;
    let step_ms = params.duration_ms("step")?.ok_or_else(|| missing("step"))?;
    let limit = params.limit()?;
    let range = Range { start, end, step_ms };
    let output = app.queries.range(text, range, options(&params)?).await?;
    Ok(answer(text, &output, limit))
}

/// The expression, parsed and printed again.
pub(super) async fn format(params: Params) -> Result<Response, Failure> {
    let expr = promql::parse(params.required("query")?)
        .map_err(|error| Failure::parameter("query", error))?;
    Ok(Success::new(expr.to_string()).into_response())
}

fn options(params: &Params) -> Result<QueryOptions, Failure> {
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
        explains: false,
    })
}

fn answer(text: &str, output: &Output, limit: usize) -> Response {
    let mut warnings = output.annotations.render(Level::Warning, text);
    warnings.extend(output.left_out.iter().cloned());
    if result_count(&output.value) > limit {
        warnings.push("results truncated due to limit".to_owned());
    }
    let infos = output.annotations.render(Level::Info, text);
    Success::new(Data(&output.value, limit)).with_remarks(warnings, infos).into_response()
}
