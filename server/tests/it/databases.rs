//! The agent counts connections of real database servers.

use std::process::Stdio;

use crate::{
    mariadb::MariaDb,
    support::{Folder, Server, postgres::Postgres},
};

/// Settings of the built-in agent, with one database server.
fn watch(folder: &Folder, url: &str, password_file: &std::path::Path) {
    let settings = std::fs::read_to_string(folder.path("bellwether.toml")).unwrap();
    let password_file = password_file.display().to_string();
    let agent = format!(
        "[agent]\ninterval = \"1s\"\nhost = \"box\"\ndatabases = [{{ url = {url:?}, password_file = \
         {password_file:?} }}]\n"
    );
    let (before, _) = settings.split_once("[agent]").unwrap();
    folder.write("bellwether.toml", &format!("{before}{agent}"));
}

#[tokio::test]
async fn connections_of_postgresql_are_counted_by_state() {
    let mut postgres = Postgres::start().await;
    let folder = Folder::new();
    watch(&folder, &postgres.url(), &postgres.password_file());
    let server = Server::start(&folder).await;
    let of =
        |metric: &str| format!("host_database_{metric}{{host=\"box\", system=\"postgresql\"}}");
    server.expect_value(&of("up"), 1.0).await;
    server.expect_value(&of("connections_used"), 1.0).await;
    server.expect_value(&of("connections_max"), 50.0).await;
    server.expect_value(&of("connections_used_ratio"), 0.02).await;

    assert!(postgres.psql("create table locked (id int)").status().await.unwrap().success());
    let holds = "begin; lock table locked; select pg_sleep(600)";
    let _holder = postgres.psql(holds).spawn().unwrap();
    server.expect_value(&of("connections_used"), 2.0).await;
    let _waiter = postgres.psql("select * from locked").spawn().unwrap();
    server.expect_value(&of("connections_waiting"), 1.0).await;
    server.expect_value("host_database_connections{state=\"active\"}", 3.0).await;
    let known = server.vector(&of("up")).await.into_keys().next().unwrap();
    assert!(known.contains(&format!("\"server\":\"{}\"", postgres.address())), "{known}");

    postgres.kill().await;
    server.expect_value(&of("up"), 0.0).await;
    postgres.resume().await;
    server.expect_value(&of("up"), 1.0).await;
    let log = server.log();
    assert!(log.contains("cannot be counted") && log.contains("answers again"), "{log}");
    assert!(!log.contains("only for tests"), "{log}");
}

#[tokio::test]
async fn connections_of_mariadb_are_counted_by_the_server_and_an_agent_alone() {
    let mariadb = MariaDb::start().await;
    let folder = Folder::new();
    watch(&folder, &mariadb.url(), &mariadb.password_file());
    let server = Server::start(&folder).await;
    let of = |metric: &str, host: &str| format!("host_database_{metric}{{host=\"{host}\"}}");
    server.expect_value(&of("connections_used", "box"), 1.0).await;
    server.expect_value(&of("connections_max", "box"), 40.0).await;

    let statsd = server.statsd.to_string();
    let password_file = mariadb.password_file().display().to_string();
    let url = mariadb.url();
    let agent = |host: &'static str, more: &[&str]| {
        let args = ["agent", "--statsd", &statsd, "--interval", "1s", "--host", host, "--database"];
        let mut command = folder.bellwether(&args);
        command.arg(&url).args(more).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let _alone = agent("alone", &["--database-password-file", &password_file]);
    server.expect_value(&of("connections_used", "box"), 2.0).await;
    server.expect_value(&of("up", "alone"), 1.0).await;
    server.expect_value("sum(host_database_connections{host=\"alone\"})", 2.0).await;

    // Without the password it says so, and the rest of the host is told all the same.
    let _locked_out = agent("locked-out", &[]);
    server.expect_value(&of("up", "locked-out"), 0.0).await;
    server.expect_value("count(host_load1{host=\"locked-out\"})", 1.0).await;
}
