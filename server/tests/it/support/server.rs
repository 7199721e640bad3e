//! The server as a child process.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStderr, Command},
    task::JoinSet,
};

use super::{Folder, eventually, http::Http};

/// A server that runs until it is stopped, killed or dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    log: Log,
    /// As an admin.
    pub(crate) http: Http,
    /// Where it listens for StatsD.
    pub(crate) statsd: SocketAddr,
}

/// Lines of the log so far, and the task that reads more.
#[derive(Debug)]
struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    reader: JoinSet<()>,
}

impl Log {
    fn follow(stderr: ChildStderr) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let mut reader = JoinSet::new();
        let written = Arc::clone(&lines);
        reader.spawn(async move {
            let mut input = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = input.next_line().await {
                written.lock().unwrap().push(line);
            }
        });
        Self { lines, reader }
    }

    /// Waits for the last line of a server that ended.
    async fn read_to_end(&mut self) {
        while self.reader.join_next().await.is_some() {}
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The fields of the first line whose message begins so.
    fn find(&self, message: &str) -> Option<Value> {
        let lines = self.lines.lock().unwrap();
        let mut fields = lines.iter().filter_map(|line| {
            Some(serde_json::from_str::<Value>(line).ok()?.get_mut("fields")?.take())
        });
        fields.find(|fields| fields["message"].as_str().is_some_and(|m| m.starts_with(message)))
    }
}

impl Server {
    /// Starts on the folder with an admin's token, and waits until it is ready.
    pub(crate) async fn start(folder: &Folder) -> Self {
        let token_file = folder.path("admin.token");
        if !token_file.exists() {
            let token = folder.token("tests", "admin").await;
            std::fs::write(&token_file, &token).unwrap();
        }
        let token = std::fs::read_to_string(token_file).unwrap();
        Self::start_with(folder, &[], &token).await
    }

    /// Starts with more settings from the environment.
    pub(crate) async fn start_with(
        folder: &Folder,
        environment: &[(&str, &str)],
        token: &str,
    ) -> Self {
        let mut child = folder
            .bellwether(&["serve", "--config", "bellwether.toml"])
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Log::follow(child.stderr.take().unwrap());
        let ready = eventually("the server is ready", async || {
            if let Some(fields) = log.find("Bellwether is ready") {
                return Ok(fields);
            }
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the server ended with {status}: {:#?}", log.lines());
            }
            Err(format!("{:#?}", log.lines()))
        })
        .await;
        let http = Http::new(&format!("http://{}", ready["http"].as_str().unwrap()));
        let statsd = ready["statsd"].as_str().unwrap().trim_matches(['[', ']']).parse().unwrap();
        Self { child, log, http: http.with_token(token), statsd }
    }

    /// Somebody who has shown nothing.
    pub(crate) fn stranger(&self) -> Http {
        Http::new(self.http.base())
    }

    pub(crate) fn log(&self) -> String {
        self.log.lines().join("\n")
    }

    /// The message of the first log line that begins so.
    pub(crate) async fn logged(&self, message: &str) -> String {
        eventually("a line of the log", async || {
            let found = self.log.find(message);
            found.map(|fields| fields["message"].as_str().unwrap().to_owned()).ok_or(self.log())
        })
        .await
    }

    /// The result of an instant query as (labels without the name, value).
    pub(crate) async fn vector(&self, expr: &str) -> BTreeMap<String, f64> {
        let answer = self.http.post_form("/api/v1/query", &[("query", expr)]).await.ok();
        let samples = answer["data"]["result"].as_array().unwrap();
        samples
            .iter()
            .map(|sample| {
                let mut labels = sample["metric"].clone();
                labels.as_object_mut().unwrap().remove("__name__");
                (labels.to_string(), sample["value"][1].as_str().unwrap().parse().unwrap())
            })
            .collect()
    }

    /// The value of an instant query that gives one number, if it gives any.
    pub(crate) async fn value(&self, expr: &str) -> Option<f64> {
        let vector = self.vector(expr).await;
        assert!(vector.len() <= 1, "{expr}: {vector:?}");
        vector.into_values().next()
    }

    /// Waits until an instant query gives this number.
    pub(crate) async fn expect_value(&self, expr: &str, expected: f64) {
        eventually(expr, async || match self.value(expr).await {
            Some(value) if value == expected => Ok(()),
            other => Err(format!("{other:?}, expected {expected}")),
        })
        .await;
    }

    /// A sum over the lines of `/metrics` that begin so; 0 without any.
    pub(crate) async fn own_metric(&self, start: &str) -> f64 {
        let metrics = self.http.get("/metrics").await.text;
        let lines = metrics.lines().filter(|line| line.starts_with(start));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends it as a power cut would.
    pub(crate) async fn kill_9(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Sends a signal by its name without `SIG`.
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.id();
        let script = format!("kill -{name} {id}");
        assert!(Command::new("sh").args(["-c", &script]).status().await.unwrap().success());
    }

    /// Asks it to stop and waits for its end; returns the log too.
    pub(crate) async fn terminate(mut self) -> (ExitStatus, String) {
        self.signal("TERM").await;
        let status = self.child.wait().await.unwrap();
        self.log.read_to_end().await;
        (status, self.log())
    }
}
