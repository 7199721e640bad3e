//! `bellwether backup` of a server that is busy, and `bellwether restore`.

use std::{fs, path::Path, time::Duration};

use serde_json::Value;
use tokio::task::JoinSet;

use crate::support::{
    Folder, Server,
    remote_writer::{now, write},
    webhook::Webhook,
};

/// Everything that a query, an alert list and the accounts answer, as text.
async fn answers(server: &Server, at: i64) -> String {
    let time = format!("{}.{:03}", at / 1000, at % 1000);
    let mut all = String::new();
    for query in [
        format!("/api/v1/query?query={{__name__=~\"jobs|work|written_.*\"}}[2h]&time={time}"),
        format!("/api/v1/query?query=histogram_quantile(0.9,work)&time={time}"),
        format!(
            "/api/v1/query_range?query=written_1&start={}&end={time}&step=15",
            at / 1000 - 3_600
        ),
        "/api/v1/metadata?metric=jobs".to_owned(),
    ] {
        let answer = server.http.get(&query).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        all += &answer.text;
        all.push('\n');
    }
    let alerts = server.http.get("/api/app/alerts").await.ok();
    all + &alerts["alerts"][0]["id"].to_string()
}

async fn run(folder: &Folder, args: &[&str]) -> Value {
    let output = folder.run(args).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn refused(folder: &Folder, args: &[&str]) -> String {
    let output = folder.run(args).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    folder.without_path(std::str::from_utf8(&output.stderr).unwrap())
}

/// A folder whose server takes data of every kind.
async fn busy() -> (Folder, Server, Webhook) {
    let hook = Webhook::start(200).await;
    let folder = Folder::new();
    folder.notify(&hook);
    folder.write(
        "rules/shop.yml",
        "groups:\n  - name: shop\n    rules:\n      - alert: Deep\n        expr: depth > 10\n",
    );
    let server = Server::start(&folder).await;
    let end = now();
    for series in 0..20 {
        let name = format!("written_{series}");
        let rows: Vec<_> = (0..500)
            .map(|i| (name.as_str(), end - 3_600_000 + i * 7_000, (i * i) as f64 / 3.0))
            .collect();
        assert!(write(&server.http, &rows).await);
    }
    server.send("depth:50|g\njobs:1|c\nwork:7|ms");
    hook.expect("firing").await;
    server.flushed().await;
    (folder, server, hook)
}

#[tokio::test]
async fn a_backup_of_a_busy_server_restores_to_the_same_answers_byte_for_byte() {
    let (folder, server, _hook) = busy().await;
    for target in ["copy", "copy.tar"] {
        // It goes on while the backup is made.
        let mut sender = JoinSet::new();
        sender.spawn({
            let (http, mut value) = (server.http.clone(), 0.0);
            async move {
                loop {
                    value += 1.0;
                    write(&http, &[("during", now(), value)]).await;
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        });
        let config = ["--config", "bellwether.toml", "--json"];
        let mut args = vec!["backup", target];
        args.extend(config);
        let made = run(&folder, &args).await;
        drop(sender);
        assert!(made["files"].as_array().unwrap().len() >= 2, "{made}");
    }
    let made = |target: &str| folder.path(target);
    let checked = folder.run(&["check", "--data", "copy"]).await;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let at = now();
    server.flushed().await;
    let expected = answers(&server, at - 5_000).await;
    let during = server.value("count_over_time(during[1h])").await.unwrap();
    let (status, _) = server.terminate().await;
    assert!(status.success());

    // The first is older than what is asked for by at most what came since.
    for target in ["copy", "copy.tar"] {
        let original = fs::read(folder.path("data/bellwether.db")).unwrap();
        let said = refused(&folder, &["restore", target, "--config", "bellwether.toml"]).await;
        assert!(said.contains("holds samples.db, bellwether.db already"), "{said}");
        assert!(said.contains("--force"), "{said}");
        assert_eq!(fs::read(folder.path("data/bellwether.db")).unwrap(), original);
        let force = ["restore", target, "--force", "--json", "--config", "bellwether.toml"];
        run(&folder, &force).await;
        assert!(!Path::new(&made("data/samples.db-wal")).exists());
        let server = Server::start(&folder).await;
        let restored = server.value("count_over_time(during[1h])").await.unwrap_or_default();
        assert!((0.0..=during).contains(&restored), "{restored} of {during}");
        let found = answers(&server, at - 5_000).await;
        // The counters that went on since the backup are not in it.
        let written = |text: &str| text.lines().nth(2).unwrap().to_owned();
        assert_eq!(written(&found), written(&expected));
        assert_eq!(found.lines().last(), expected.lines().last(), "the alert is the same episode");
        server.kill_9().await;
    }
}

#[tokio::test]
async fn a_backup_without_writers_is_the_same_in_every_answer() {
    let (folder, server, _hook) = busy().await;
    let (status, _) = server.terminate().await;
    assert!(status.success());
    run(&folder, &["backup", "copy.tar", "--config", "bellwether.toml", "--json"]).await;
    let at = now();
    let server = Server::start(&folder).await;
    let expected = answers(&server, at).await;
    drop(server);
    run(&folder, &["restore", "copy.tar", "--data", "elsewhere", "--json"]).await;
    let elsewhere = folder.path("elsewhere");
    let token = fs::read_to_string(folder.path("admin.token")).unwrap();
    let environment = [("BELLWETHER_SERVER__DATA_DIR", elsewhere.to_str().unwrap())];
    let server = Server::start_with(&folder, &environment, &token).await;
    assert_eq!(answers(&server, at).await, expected);
}

#[tokio::test]
async fn what_cannot_be_backed_up_or_restored_is_refused_and_leaves_nothing() {
    let (folder, server, _hook) = busy().await;
    let said = refused(&folder, &["backup", "copy", "--data", "nowhere"]).await;
    assert!(said.contains("nowhere holds no samples.db"), "{said}");
    let said = refused(&folder, &["backup", "missing/copy", "--data", "data"]).await;
    assert!(said.contains("cannot make a folder in missing"), "{said}");
    run(&folder, &["backup", "copy", "--data", "data", "--json"]).await;
    let said = refused(&folder, &["backup", "copy", "--data", "data"]).await;
    assert!(said.contains("copy exists already"), "{said}");

    let said = refused(&folder, &["restore", "copy", "--force", "--data", "data"]).await;
    assert!(said.contains(&format!("is in use by process {}", server.id())), "{said}");
    let said = refused(&folder, &["restore", "rules", "--data", "other"]).await;
    assert!(said.contains("rules is not a backup of Bellwether"), "{said}");
    folder.write("file.tar", "nothing");
    let said = refused(&folder, &["restore", "file.tar", "--data", "other"]).await;
    assert!(said.contains("file.tar is not a backup of Bellwether"), "{said}");

    let path = folder.path("copy/samples.db");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let said = refused(&folder, &["restore", "copy", "--data", "other"]).await;
    assert!(said.contains("samples.db of the backup copy is damaged"), "{said}");
    fs::remove_file(&path).unwrap();
    let said = refused(&folder, &["restore", "copy", "--data", "other"]).await;
    assert!(said.contains("the backup is incomplete: cannot read copy/samples.db"), "{said}");
    let left: Vec<_> = fs::read_dir(folder.path("other")).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "only the claim: {left:?}");

    // A crash in the middle of a restore.
    folder.write("other/restore.unfinished", "");
    let said = refused(&folder, &["serve", "--data", "other", "--http", "127.0.0.1:0"]).await;
    assert!(said.contains("was interrupted"), "{said}");
}
