//! The server's own request metrics: sent as StatsD to our own listener, the way any service would.

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;

use super::Shared;

/// Measures a request and sends what it measured.
pub(super) async fn track(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let started = Instant::now();
    let response = next.run(request).await;
    // The stream of live events lasts as long as its page is open: that is no duration of a request.
    let route = route.as_deref().unwrap_or("assets");
    let is_measured = route != "/api/app/live";
    if let Some(statsd) = app.self_statsd.as_ref().filter(|_| is_measured) {
        let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
        statsd.request(method.as_str(), route, response.status().as_u16(), milliseconds);
    }
    response
}
