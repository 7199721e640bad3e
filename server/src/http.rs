//! HTTP: the UI, Prometheus's API, our own API and the health pages.
//!
//! Handlers extract, authorize, call and convert; what they show is computed elsewhere.

mod alerts;
mod assets;
mod cardinality;
mod connections;
pub(crate) mod error;
mod events;
mod guard;
mod health;
mod heartbeat;
mod hosts;
mod live;
mod monitors;
mod overview;
pub(crate) mod prometheus;
mod render;
mod runbooks;
mod services;
mod session;
mod status;
mod track;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    extract::Request,
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
    serve::{Listener, ListenerExt as _},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::app::App;

/// What every handler can reach.
pub(crate) type Shared = Arc<App>;

/// The largest body of a request.
const MAX_BODY_BYTES: usize = 16 << 20;

/// RFC 3339 in UTC; empty for a time beyond the calendar.
pub(crate) fn rfc3339(at: model::Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at).map(|time| time.to_string()).unwrap_or_default()
}

/// All routes.
pub(crate) fn router(app: Shared) -> Router {
    let public = Router::new()
        .route("/-/healthy", get(health::healthy))
        .route("/-/ready", get(health::ready))
        .route("/heartbeat/{token}", get(heartbeat::beat).post(heartbeat::beat))
        .route("/api/app/session", get(session::show).post(session::sign_in))
        .route("/api/app/session", delete(session::sign_out))
        .route("/api/app/setup", post(session::set_up));
    let private = Router::new()
        .nest("/api/v1", prometheus::routes())
        .merge(prometheus::federation())
        .route("/api/app/overview", get(overview::overview))
        .route("/api/app/services/{name}", get(services::service))
        .route("/api/app/hosts/{name}", get(hosts::host))
        .route("/api/app/alerts", get(alerts::list))
        .route("/api/app/alerts/{id}", get(alerts::detail))
        .route("/api/app/events", get(events::list).post(events::post))
        .route("/api/app/checks", get(events::checks))
        .route("/api/app/checks/{id}", get(events::check))
        .route("/api/app/monitors", get(monitors::list))
        .route("/api/app/monitors/{name}", get(monitors::page))
        .route("/api/app/runbooks", get(runbooks::list))
        .route("/api/app/runbooks/{name}", get(runbooks::page))
        .route("/api/app/cardinality", get(cardinality::cardinality))
        .route("/api/app/status", get(status::status))
        .route("/api/app/live", get(live::stream))
        .route("/render/{picture}", get(render::chart))
        .route("/-/reload", post(health::reload))
        .route("/info", get(health::info))
        .route("/connections", get(connections::connections))
        .route("/metrics", get(health::metrics))
        .route_layer(middleware::from_fn(guard::require_viewer));
    public
        .merge(private)
        .fallback(assets::serve)
        .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), guard::identify))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), track::track))
        .with_state(app)
}

/// Binds the address.
///
/// # Errors
/// When the address is taken or not ours.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// The router, once there is something to route to. The port is bound before the store is opened, so
/// that a wrong address is told at once; until then requests hear that the server is starting.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<OnceLock<Router>>);

impl Gate {
    /// From now on requests are answered.
    pub(crate) fn open(&self, app: Shared) {
        // It is opened once, by the start.
        drop(self.0.set(router(app)));
    }

    async fn answer(self, request: Request) -> Response {
        match self.0.get() {
            Some(router) => match router.clone().oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            None if request.uri().path() == "/-/healthy" => health::alive().into_response(),
            None => {
                let message = "Not ready: the server is starting\n";
                (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], message)
                    .into_response()
            }
        }
    }
}

/// Connections that send what is written at once. Otherwise the end of an answer that is written in
/// parts waits until the client says that it got the part before, which takes it up to 40 ms.
fn prompt(listener: TcpListener) -> impl Listener<Io = TcpStream, Addr = SocketAddr> {
    listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection sends its answers in larger parts");
        }
    })
}

/// Serves until `stop`; requests in flight are finished.
pub(crate) async fn serve(listener: TcpListener, gate: Gate, stop: CancellationToken) {
    let app = Router::new().fallback(move |request: Request| gate.answer(request));
    let listener = prompt(listener);
    let served = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await;
    if let Err(error) = served {
        tracing::error!(%error, "serving HTTP failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_an_answer_does_not_wait_for_the_client() {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (connection, _) = Listener::accept(&mut prompt(listener)).await;
        assert!(connection.nodelay().unwrap());
    }
}
