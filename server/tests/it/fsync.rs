//! A disk that says it could not keep what was written.

use std::process::Stdio;

use tokio::process::Command;

use crate::support::{
    Folder, Server, eventually,
    remote_writer::{now, write},
};

/// A library that makes the calls fail, made by the C compiler of the machine.
async fn shim(folder: &Folder) -> String {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fail_fsync.c");
    let library = folder.path("fail_fsync.so").display().to_string();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o", &library, source, "-ldl"]);
    let output = compiler.stdin(Stdio::null()).output().await;
    let output = output.expect("this test needs a C compiler: install gcc or clang as `cc`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

async fn is_healthy(server: &Server) -> bool {
    server.own_metric("bellwether_store_healthy").await == 1.0
}

#[tokio::test]
async fn an_fsync_that_failed_is_not_tried_again_on_the_same_handle_and_nothing_is_lost() {
    let folder = Folder::new();
    let token = folder.token("tests", "admin").await;
    folder.write("admin.token", &token);
    let (flag, log) = (folder.path("fail"), folder.path("fsyncs"));
    let data = folder.path("data").display().to_string();
    let library = shim(&folder).await;
    let environment = [
        ("LD_PRELOAD", &*library),
        ("FAIL_FSYNC_UNDER", &*data),
        ("FAIL_FSYNC_WHILE", flag.to_str().unwrap()),
        ("FAIL_FSYNC_LOG", log.to_str().unwrap()),
    ];
    let server = Server::start_with(&folder, &environment, &token).await;
    server.send("jobs:1|c");
    server.flushed().await;
    let at = now();
    assert!(write(&server.http, &[("written", at, 1.0)]).await);
    for round in 0..3 {
        std::fs::write(&flag, "").unwrap();
        eventually("the server notices", async || {
            server.send("jobs:1|c\n_e{5,4}:title|text");
            if is_healthy(&server).await { Err("it is healthy".to_owned()) } else { Ok(()) }
        })
        .await;
        assert!(!write(&server.http, &[("written", at + 1, 2.0)]).await, "not stored, not taken");
        server.flushed().await;
        let before = server.value("jobs").await.unwrap();
        server.send("jobs:1|c");
        server.flushed().await;
        assert_eq!(server.value("jobs").await, Some(before + 1.0), "it goes on in memory");
        std::fs::remove_file(&flag).unwrap();
        eventually("what waits is written", async || {
            if is_healthy(&server).await { Ok(()) } else { Err("it is not healthy".to_owned()) }
        })
        .await;
        assert!(write(&server.http, &[("written", at + 2 + round, 3.0)]).await);
    }
    let jobs = server.value("jobs").await;
    server.kill_9().await;

    let calls = std::fs::read_to_string(&log).unwrap();
    for file in ["samples.db-wal", "bellwether.db-wal"] {
        assert!(calls.contains(&format!("failed {data}/{file}")), "{file}: {calls}");
    }
    assert!(!calls.contains("again "), "{calls}");
    let server = Server::start(&folder).await;
    assert_eq!(server.value("jobs").await, jobs, "nothing that waited is missing");
    assert_eq!(server.value("resets(jobs[1h])").await, Some(0.0));
    server.expect_value("count_over_time(written[1h])", 4.0).await;
    server.terminate().await;
    let checked = folder.run(&["check", "--data", "data"]).await;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
