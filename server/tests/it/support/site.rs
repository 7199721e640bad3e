//! A web site that can go down.

use std::net::SocketAddr;

use axum::{Router, routing::get};
use tokio::{net::TcpListener, task::JoinSet};

/// The site.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    tasks: JoinSet<()>,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        let router = Router::new().route("/health", get(|| async { "fine" }));
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, tasks }
    }

    /// Closes its port.
    pub(crate) async fn go_down(&mut self) {
        self.tasks.shutdown().await;
    }
}
