//! A temporary folder with everything a server needs: settings, files beside them, and its data.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use tempfile::TempDir;
use tokio::process::Command;

use super::webhook::Webhook;

/// Free ports, flushes every second, and nothing that sends by itself.
const SETTINGS: &str = r#"
[http]
listen = "127.0.0.1:0"
[statsd]
udp = ["127.0.0.1:0"]
flush_interval = "1s"
[rules]
files = ["rules/*.yml"]
[alerting]
config = "alerting.yml"
[monitors]
files = ["monitors/*.yml"]
[runbooks]
dir = "runbooks"
[agent]
enabled = false
interval = "1s"
"#;

/// Nobody is told.
const ALERTING: &str = "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n";

/// The folder; it goes away with the value.
#[derive(Debug)]
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for name in ["rules", "monitors", "runbooks"] {
            std::fs::create_dir(folder.path(name)).unwrap();
        }
        let data = folder.path("data");
        let server = format!("[server]\ndata_dir = {:?}\njson = true\n", data.display());
        folder.write("bellwether.toml", &(server + SETTINGS));
        folder.write("alerting.yml", ALERTING);
        folder
    }

    /// The path of something in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Has every alert sent to a webhook, one notification for each, without waiting for more.
    pub(crate) fn notify(&self, hook: &Webhook) {
        self.write(
            "alerting.yml",
            &format!(
                "route:\n  receiver: hook\n  group_by: ['...']\n  group_wait: 0s\n  \
                 group_interval: 1s\nreceivers:\n  - name: hook\n    webhook_configs:\n      \
                 - url: {}\n",
                hook.url
            ),
        );
    }

    /// A text with the folder's own path taken out, so that it can be compared.
    pub(crate) fn without_path(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.path().display()), "")
    }

    /// The program, without the settings of whoever runs the tests.
    pub(crate) fn bellwether(&self, args: &[&str]) -> Command {
        program(self.0.path(), args)
    }

    /// Runs the program to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> Output {
        self.bellwether(args).output().await.unwrap()
    }

    /// Runs the program with something on its standard input; it must succeed.
    pub(crate) async fn run_with_input(&self, args: &[&str], input: &str) {
        let file = std::fs::File::open(self.write("input.txt", input)).unwrap();
        let output = self.bellwether(args).stdin(file).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// A secret for the API with a role.
    pub(crate) async fn token(&self, name: &str, role: &str) -> String {
        let config = self.path("bellwether.toml");
        let config = config.to_str().unwrap();
        let args = ["token", "create", name, "--role", role, "--config", config];
        let output = self.run(&args).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

fn program(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bellwether"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true).env_clear();
    command
}
