//! A MariaDB server of a test's own, in a temporary folder and reached through its socket.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, process::Child};

use crate::support::{eventually, unprivileged};

const PASSWORD: &str = "only for tests";
/// Small: nothing is stored.
const OPTIONS: [&str; 3] =
    ["--no-defaults", "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M"];

/// A server that runs until it is dropped, with the user `watcher`.
#[derive(Debug)]
pub(crate) struct MariaDb {
    folder: TempDir,
    _server: Child,
}

#[expect(clippy::disallowed_methods, reason = "the test runner tells by it where its tools are")]
fn program() -> PathBuf {
    let path = std::env::var("BELLWETHER_TEST_MARIADBD")
        .map_or_else(|_| PathBuf::from("/usr/sbin/mariadbd"), PathBuf::from);
    assert!(path.exists(), "MariaDB is missing; run `cargo xtask test` once, which installs it");
    path
}

/// The statements that make the system's own tables; newer packages name the files otherwise.
fn system_tables() -> String {
    let folders = [("/usr/share/mysql", "mysql"), ("/usr/share/mariadb", "mariadb")];
    let names = folders.iter().flat_map(|(folder, _)| {
        folders.iter().map(move |(_, name)| Path::new(folder).join(format!("{name}_system_tables")))
    });
    let found = names.into_iter().find_map(|path| {
        let read = |ending: &str| std::fs::read_to_string(format!("{}{ending}", path.display()));
        Some(read(".sql").ok()? + &read("_data.sql").ok()?)
    });
    found.expect("the package of the server has these statements")
}

impl MariaDb {
    /// Makes an empty database and starts its server.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::write(path.join("password"), PASSWORD).unwrap();
        let data = path.join("data");
        std::fs::create_dir(&data).unwrap();
        unprivileged::hand_over(path);
        unprivileged::hand_over(&data);
        let data = format!("--datadir={}", data.display());

        let statements = format!(
            "create database mysql;\nuse mysql;\nset @auth_root_socket = null;\n\
             set @skip_auth_anonymous = 1;\n{}\nflush privileges;\n\
             create user 'watcher'@'localhost' identified by '{PASSWORD}';\n",
            system_tables()
        );
        let mut command = unprivileged::command(&program());
        command.args(OPTIONS).arg("--bootstrap").arg(&data).stdin(Stdio::piped());
        let mut bootstrap = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut input = bootstrap.stdin.take().unwrap();
        input.write_all(statements.as_bytes()).await.unwrap();
        drop(input);
        assert!(bootstrap.wait().await.unwrap().success());

        let mut command = unprivileged::command(&program());
        command.args(OPTIONS).args(["--skip-networking", "--max-connections=40"]).arg(&data);
        command.arg(format!("--socket={}", path.join("m.sock").display()));
        command.arg(format!("--pid-file={}", path.join("pid").display()));
        let server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mariadb = Self { folder, _server: server };
        eventually("MariaDB takes connections", async || {
            let connected = std::os::unix::net::UnixStream::connect(mariadb.address());
            connected.map(drop).map_err(|error| error.to_string())
        })
        .await;
        mariadb
    }

    /// The address, without a password.
    pub(crate) fn url(&self) -> String {
        format!("mysql://watcher@localhost/?socket={}", self.address())
    }

    /// A file that holds the password.
    pub(crate) fn password_file(&self) -> PathBuf {
        self.folder.path().join("password")
    }

    /// The path of the socket, by which the server is known.
    pub(crate) fn address(&self) -> String {
        self.folder.path().join("m.sock").display().to_string()
    }
}
