//! A real Prometheus beside the server, where one is installed.

use std::{path::PathBuf, process::Stdio};

use reqwest::Method;
use tokio::process::{Child, Command};

use super::{Folder, eventually, http::Http};

/// A Prometheus that takes remote writes, exemplars too.
#[derive(Debug)]
pub(crate) struct Prometheus {
    pub(crate) http: Http,
    _child: Child,
}

impl Prometheus {
    /// Starts one with the text of its `prometheus.yml`; `None` when none is installed.
    pub(crate) async fn start(folder: &Folder, config: &str) -> Option<Self> {
        let folders = std::env::var_os("PATH")?;
        let mut all = std::env::split_paths(&folders).map(|folder| folder.join("prometheus"));
        let binary: PathBuf = all.find(|path| path.is_file())?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let config = folder.write("prometheus.yml", config);
        let child = Command::new(binary)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path("prometheus").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--web.enable-remote-write-receiver")
            .arg("--enable-feature=promql-per-step-stats,exemplar-storage")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let http = Http::new(&format!("http://{address}"));
        eventually("Prometheus is ready", async || {
            match http.request(Method::GET, "/-/ready").send().await {
                Ok(answer) if answer.status().is_success() => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        Some(Self { http, _child: child })
    }
}
