//! The wall clock of a real server is set forward and back, by a library that stands between the program
//! and the system; time itself goes on.

use std::{fs, path::PathBuf};

use crate::support::{Folder, Server, eventually};

#[expect(clippy::disallowed_methods, reason = "the test runner tells by it where its tools are")]
fn library() -> PathBuf {
    if let Ok(path) = std::env::var("BELLWETHER_TEST_FAKETIME") {
        return path.into();
    }
    let kinds = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut paths = kinds.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    let missing = "libfaketime is missing; run `cargo xtask test` once, which installs it";
    paths.find(|path| path.exists()).expect(missing)
}

/// A server whose wall clock is another one.
struct Clock {
    folder: Folder,
    server: Server,
}

impl Clock {
    async fn start(folder: Folder) -> Self {
        let token = folder.token("tests", "admin").await;
        let file = folder.write("clock", "+0");
        let library = library();
        let environment = [
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
        ];
        let server = Server::start_with(&folder, &environment, &token).await;
        Self { folder, server }
    }

    /// Sets the clock to so many seconds before or after that of the machine.
    fn set(&self, seconds: i64) {
        // Replaced in one step: the server looks at any moment.
        let new = self.folder.write("clock.new", &format!("{seconds:+}"));
        fs::rename(new, self.folder.path("clock")).unwrap();
    }

    async fn steps(&self, direction: &str) -> f64 {
        let name = format!("bellwether_clock_steps_total{{direction=\"{direction}\"}}");
        self.server.own_metric(&name).await
    }

    async fn expect_step(&self, direction: &str, expected: f64) {
        eventually("the step is counted", async || match self.steps(direction).await {
            steps if steps == expected => Ok(()),
            steps => Err(format!("{steps} steps {direction}")),
        })
        .await;
    }
}

const RULES: &str = "groups:\n  - name: shop\n    rules:\n      - alert: Gone\n        \
                     expr: absent(depth) or absent(jobs)\n";

/// How many alerts there were since the start.
async fn alerts(server: &Server) -> usize {
    let list = server.http.get("/api/app/alerts").await.ok();
    list["alerts"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_clock_set_forward_ends_no_series_fires_no_absent_and_is_not_caught_up() {
    let folder = Folder::new();
    let clock = Clock::start(folder).await;
    let server = &clock.server;
    server.send("depth:5|g\njobs:1|c");
    server.flushed().await;
    clock.folder.write("rules/shop.yml", RULES);
    assert_eq!(server.http.post("/-/reload").await.status, 200);
    server.flushed().await;
    let flushes = server.own_metric("bellwether_flush_total").await;

    // Longer than any series lives without a line.
    clock.set(30 * 86_400);
    clock.expect_step("forward", 1.0).await;
    // Nobody sends these two again, and nothing but time has passed for them.
    server.flushed().await;
    server.flushed().await;
    assert_eq!(server.value("depth").await, Some(5.0));
    assert_eq!(server.value("jobs").await, Some(1.0));
    assert_eq!(alerts(server).await, 0);
    let later = server.own_metric("bellwether_flush_total").await;
    assert!((1.0..60.0).contains(&(later - flushes)), "{flushes} and then {later} flushes");
    assert_eq!(server.own_metric("bellwether_flush_missed_total").await, 0.0);
    let logged = server.logged("the wall clock was set forward").await;
    assert!(logged.contains("flushes go on from there"), "{logged}");
}

#[tokio::test]
async fn a_clock_set_back_stops_nothing_and_is_counted() {
    let clock = Clock::start(Folder::new()).await;
    let server = &clock.server;
    clock.set(7_200);
    clock.expect_step("forward", 1.0).await;
    server.send("depth:5|g\njobs:1|c");
    server.flushed().await;

    clock.set(0);
    clock.expect_step("back", 1.0).await;
    server.send("depth:6|g\njobs:1|c");
    server.flushed().await;
    assert_eq!(server.value("jobs").await, Some(2.0), "the counter goes on");
    assert_eq!(server.value("depth").await, Some(6.0));
    assert!(server.own_metric("bellwether_store_refused_samples_total").await > 0.0);
    server.logged("the wall clock was set back").await;
    assert_eq!(server.own_metric("bellwether_store_healthy").await, 1.0);
    let (status, log) = clock.server.terminate().await;
    assert!(status.success(), "{log}");
}
