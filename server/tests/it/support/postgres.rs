//! A PostgreSQL server of the tests' own: a new cluster in a temporary folder, reached through its socket,
//! so that no port is needed.
//!
//! It sorts text as people do, which is not how bytes are sorted, so that nothing relies on the order of a
//! database that was made in another way.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
};

use super::{unprivileged, wait::eventually};

const PASSWORD: &str = "only for tests";

/// Runs the server until its input ends, which it does with the tests, however they end. Then it removes
/// the folder, unless it was told to keep it.
const UNTIL_THE_END: &str = r#"
folder=$1
shift
"$@" </dev/null &
server=$!
read -r word
kill -QUIT "$server"
wait "$server"
[ "$word" = keep ] || rm -rf "$folder"
"#;

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
pub(crate) struct Postgres {
    folder: TempDir,
    server: Option<Child>,
}

/// The folder of the programs.
#[expect(clippy::disallowed_methods, reason = "the test runner tells by it where its tools are")]
fn programs() -> PathBuf {
    if let Ok(folder) = std::env::var("BELLWETHER_TEST_POSTGRES_BIN") {
        return folder.into();
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    folders.retain(|folder| folder.join("initdb").exists());
    folders.sort();
    folders.pop().expect("PostgreSQL is missing; run `cargo xtask test` once, which installs it")
}

impl Postgres {
    /// Makes a cluster and starts it.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        unprivileged::hand_over(folder.path());
        let password = folder.path().join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        unprivileged::hand_over(&password);
        let mut postgres = Self { folder, server: None };
        let mut command = unprivileged::command(&programs().join("initdb"));
        command.arg("--pgdata").arg(postgres.data()).arg("--pwfile").arg(&password);
        command.args(["--username=admin", "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8"]);
        command.args(["--locale=C", "--locale-provider=icu", "--icu-locale=en"]);
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        postgres.resume().await;
        postgres
    }

    /// The address, without a password.
    pub(crate) fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The address of one of its databases, without a password.
    pub(crate) fn url_of(&self, database: &str) -> String {
        format!("postgres://admin@localhost/{database}?host={}", self.folder.path().display())
    }

    /// Makes a database and returns its address.
    pub(crate) async fn create_database(&self, name: &str) -> String {
        let output = self.psql(&format!("create database {name}")).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.url_of(name)
    }

    /// A file that holds the password.
    pub(crate) fn password_file(&self) -> PathBuf {
        self.folder.path().join("password")
    }

    /// The path of the socket's folder, by which the server is known.
    pub(crate) fn address(&self) -> String {
        self.folder.path().display().to_string()
    }

    /// Starts the server again.
    pub(crate) async fn resume(&mut self) {
        let mut command = unprivileged::command(Path::new("/bin/sh"));
        command.args(["-c", UNTIL_THE_END, "sh"]).arg(self.folder.path());
        command.arg(programs().join("postgres"));
        command.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path());
        command.args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=50"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.kill_on_drop(false);
        self.server = Some(command.spawn().unwrap());
        eventually("PostgreSQL answers", async || {
            let output = self.psql("select 1").output().await.unwrap();
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.success() { Ok(()) } else { Err(words) }
        })
        .await;
    }

    /// Ends the server at once, as a crash would.
    pub(crate) async fn kill(&mut self) {
        let mut server = self.server.take().unwrap();
        server.stdin.take().unwrap().write_all(b"keep\n").await.unwrap();
        server.wait().await.unwrap();
    }

    /// The answer of one of its databases to a statement.
    pub(crate) async fn ask(&self, database: &str, statement: &str) -> String {
        let mut command = self.psql(statement);
        let output = command.env("PGDATABASE", database).stdout(Stdio::piped()).output().await;
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A client that runs statements.
    pub(crate) fn psql(&self, statements: &str) -> Command {
        let mut command = self.tool("psql");
        command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--command", statements]);
        command
    }

    /// A program of PostgreSQL that knows how to reach the server.
    pub(crate) fn tool(&self, name: &str) -> Command {
        let mut command = unprivileged::command(&programs().join(name));
        command.env("PGPASSWORD", PASSWORD).env("PGUSER", "admin");
        command.env("PGHOST", self.folder.path()).env("PGDATABASE", "postgres");
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn data(&self) -> PathBuf {
        Path::new(self.folder.path()).join("data")
    }
}
