//! Real clients and servers in Python, from the virtualenv of `cargo xtask test`.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

use super::Server;

/// The virtualenv's interpreter.
#[expect(clippy::disallowed_methods, reason = "the test runner tells by it where its tools are")]
fn interpreter() -> PathBuf {
    let path = std::env::var("BELLWETHER_TEST_PYTHON").map_or_else(
        |_| Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("py").join("bin/python"),
        PathBuf::from,
    );
    assert!(
        path.exists(),
        "{} is missing; run `cargo xtask test` once, which makes the virtualenv",
        path.display()
    );
    path
}

/// A command that runs a script.
pub(crate) fn python(script: &str, args: &[&str]) -> Command {
    let mut command = Command::new(interpreter());
    command.arg("-c").arg(script).args(args).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Gives scripts `port` and `settle()`, which waits until the server has read what was sent.
const PRELUDE: &str = include_str!("prelude.py");

/// Runs a script that sends to a server, to its end.
pub(crate) async fn send_to(server: &Server, script: &str) {
    let port = server.statsd.port().to_string();
    let script = format!("{PRELUDE}\n{script}");
    let output = python(&script, &[&port]).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
