//! The disk of the data folder is full, and then has room again.

use serde_json::Value;

use crate::support::{
    Folder, Server,
    disk::Disk,
    eventually,
    remote_writer::{now, write},
};

const MAX_WAITING_BYTES: f64 = 262_144.0;

/// Settings under which everything that writes is at work, on the disk.
fn folder_on(disk: &Disk) -> Folder {
    let folder = Folder::new();
    let settings = std::fs::read_to_string(folder.path("bellwether.toml")).unwrap();
    let data = format!("data_dir = {:?}", disk.path().display());
    let before = format!("data_dir = {:?}", folder.path("data").display());
    let settings = settings.replace(&before, &data)
        + "[store]\nmax_waiting = \"256KiB\"\n[[remote_write.endpoint]]\nname = \"gone\"\n\
           url = \"http://127.0.0.1:9/write\"\n";
    folder.write("bellwether.toml", &settings);
    folder.write(
        "rules/shop.yml",
        "groups:\n  - name: shop\n    rules:\n      - alert: Deep\n        expr: depth > 10\n",
    );
    folder.write(
        "monitors/self.yml",
        "monitors:\n  - name: nobody\n    kind: tcp\n    address: 127.0.0.1:9\n    interval: 1s\n",
    );
    folder
}

/// The value at each second of a range, oldest first.
async fn points(server: &Server, metric: &str) -> Vec<f64> {
    let query = format!("/api/v1/query?query={metric}[10m]");
    let answer = server.http.get(&query).await.ok();
    let values = answer["data"]["result"][0]["values"].as_array().cloned().unwrap_or_default();
    values.iter().map(|pair| pair[1].as_str().unwrap().parse().unwrap()).collect()
}

async fn problems(server: &Server) -> String {
    let status = server.http.get("/api/app/status").await.ok();
    status["problems"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

#[tokio::test]
async fn while_there_is_no_room_the_server_goes_on_in_memory_and_then_writes_everything() {
    let mut disk = Disk::new().await;
    let folder = folder_on(&disk);
    let mut server = Server::start(&folder).await;
    server.send("depth:1|g\njobs:1|c");
    server.flushed().await;
    assert_eq!(server.own_metric("bellwether_store_healthy").await, 1.0);
    assert!(write(&server.http, &[("written", now(), 1.0)]).await);

    disk.fill(&server).await;
    eventually("the server notices", async || {
        server.send("depth:50|g\njobs:1|c");
        match server.own_metric("bellwether_store_healthy").await {
            0.0 => Ok(()),
            _ => Err("samples are still written".to_owned()),
        }
    })
    .await;
    let healthy = server.stranger().get("/-/healthy").await;
    assert_eq!(healthy.status, 200);
    assert!(healthy.text.contains("samples cannot be written"), "{}", healthy.text);
    let ready = server.stranger().get("/-/ready").await;
    assert!(ready.text.starts_with("Bellwether is ready, but samples cannot"), "{}", ready.text);
    assert!(problems(&server).await.contains("Samples cannot be written"));
    // What would have to be acknowledged is refused, and comes again later.
    assert!(!write(&server.http, &[("written", now(), 2.0)]).await);

    // Everything goes on in memory: counters, queries, events, alerts, monitors, the outgoing queue.
    server.flushed().await;
    for _ in 0..5 {
        let before = server.value("jobs").await.unwrap();
        server.send("jobs:1|c\ndepth:60|g\n_e{5,4}:title|text");
        server.flushed().await;
        assert_eq!(server.value("jobs").await, Some(before + 1.0));
    }
    assert!(server.own_metric("bellwether_store_waiting_flushes").await >= 5.0);
    server.expect_value("depth", 60.0).await;
    let (jobs, seen) = (server.value("jobs").await, points(&server, "jobs").await);

    disk.make_room(&server).await;
    eventually("what waits is written", async || {
        match server.own_metric("bellwether_store_healthy").await {
            1.0 => Ok(()),
            _ => Err(problems(&server).await),
        }
    })
    .await;
    assert!(server.is_running());
    assert_eq!(server.own_metric("bellwether_store_waiting_flushes").await, 0.0);
    assert_eq!(server.own_metric("bellwether_store_dropped_samples_total").await, 0.0);
    assert_eq!(server.stranger().get("/-/healthy").await.text, "Bellwether is healthy.\n");
    assert!(write(&server.http, &[("written", now(), 3.0)]).await);
    eventually("the alert is stored", async || {
        let list = server.http.get("/api/app/alerts").await.ok();
        let alerts = list["alerts"].as_array().unwrap();
        if alerts.iter().any(|a| a["name"] == "Deep") { Ok(()) } else { Err(list.to_string()) }
    })
    .await;
    server.kill_9().await;

    let server = Server::start(&folder).await;
    assert_eq!(server.value("jobs").await, jobs, "nothing that waited is missing");
    assert!(points(&server, "jobs").await.starts_with(&seen), "and nothing is there twice");
    assert_eq!(server.value("resets(jobs[1h])").await, Some(0.0));
}

#[tokio::test]
async fn beyond_the_bound_the_oldest_flushes_are_dropped_and_counted() {
    let mut disk = Disk::new().await;
    let folder = folder_on(&disk);
    let mut server = Server::start(&folder).await;
    server.send("jobs:1|c");
    server.flushed().await;
    disk.fill(&server).await;
    let mut round = 0_u32;
    eventually("flushes are dropped", async || {
        // Thousands of series with values that cannot be packed fill the bound within seconds.
        for part in 0..100 {
            round += 1;
            let lines: Vec<String> = (0..40)
                .map(|line| {
                    format!("g{part}_{line}:{}|g", f64::from(round).sin() + f64::from(line))
                })
                .collect();
            server.send(lines.join("\n"));
        }
        server.caught_up().await;
        server.send("jobs:1|c");
        match server.own_metric("bellwether_store_dropped_samples_total").await {
            0.0 => Err("nothing was dropped".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    assert!(server.own_metric("bellwether_store_waiting_bytes").await <= 2.0 * MAX_WAITING_BYTES);
    assert!(problems(&server).await.contains("samples were dropped"));
    let jobs = server.value("jobs").await;
    disk.make_room(&server).await;
    eventually("what was kept is written", async || {
        match server.own_metric("bellwether_store_healthy").await {
            1.0 => Ok(()),
            _ => Err(problems(&server).await),
        }
    })
    .await;
    assert!(server.is_running());
    server.kill_9().await;
    let server = Server::start(&folder).await;
    assert!(server.value("jobs").await >= jobs);
    assert_eq!(server.value("resets(jobs[1h])").await, Some(0.0));
}
