//! What the series are made of, and how they are deleted.

use crate::support::{Folder, Server};

#[tokio::test]
async fn an_admin_deletes_series_for_good_and_sees_what_there_are() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    server.send("orders:1|c|#shop:north\norders:1|c|#shop:south\nvisits:1|c");
    server.flushed().await;
    server.expect_value("count(orders)", 2.0).await;

    let status = server.http.get("/api/v1/status/tsdb?limit=1000").await.ok();
    let data = &status["data"];
    let entry = |list: &str, name: &str| {
        let all = data[list].as_array().unwrap();
        all.iter().find(|entry| entry["name"] == name).map(|entry| entry["value"].clone())
    };
    assert_eq!(entry("seriesCountByMetricName", "orders"), Some(2.into()), "{status}");
    assert_eq!(entry("labelValueCountByLabelName", "shop"), Some(2.into()), "{status}");
    assert_eq!(entry("seriesCountByLabelValuePair", "shop=north"), Some(1.into()), "{status}");
    assert!(entry("memoryInBytesByLabelName", "shop").is_some(), "{status}");
    assert!(data["headStats"]["numSeries"].as_u64() >= Some(3), "{status}");
    let bad = server.http.get("/api/v1/status/tsdb?limit=0").await;
    assert_eq!((bad.status, &bad.json()["errorType"]), (400, &"bad_data".into()));
    let seen = server.http.get("/api/app/cardinality?limit=500").await.ok();
    let sources = seen["sources"].as_array().unwrap();
    assert!(sources.iter().any(|source| source["series"].as_u64() >= Some(3)), "{seen}");
    assert_eq!(seen["hour_growth"], serde_json::Value::Null, "{seen}");

    let viewer = server.http.with_token(&folder.token("dashboard", "viewer").await);
    let path = "/api/v1/admin/tsdb/delete_series?match[]=orders%7Bshop=%22north%22%7D";
    assert_eq!(viewer.post(path).await.status, 403);
    let everything = server.http.post("/api/v1/admin/tsdb/delete_series?match[]=%7Ba=~%22.*%22%7D");
    assert_eq!(everything.await.status, 400);
    let nothing = server.http.post("/api/v1/admin/tsdb/delete_series").await;
    assert_eq!(nothing.status, 400, "{}", nothing.text);

    let before = server.value("count_over_time(orders{shop=\"north\"}[10m])").await;
    assert!(before.is_some_and(|count| count >= 1.0), "{before:?}");
    let past = format!("{path}&end=1");
    assert_eq!(server.http.post(&past).await.status, 204);
    assert!(server.value("count_over_time(orders{shop=\"north\"}[10m])").await.is_some());
    assert_eq!(
        server.http.post("/api/v1/admin/tsdb/delete_series?match[]=visits").await.status,
        204
    );
    server.logged("series were deleted").await;
    let log = server.log();
    assert!(log.contains("audit") && log.contains("{__name__=\\\"visits"), "{log}");
    assert_eq!(server.http.post("/api/v1/admin/tsdb/clean_tombstones").await.status, 204);

    // What was deleted does not come back with the frames.
    server.kill_9().await;
    let server = Server::start(&folder).await;
    server.expect_value("count(orders)", 2.0).await;
    let metrics = server.http.get("/metrics").await.text;
    assert!(metrics.contains("bellwether_store_longest_hold_seconds"), "{metrics}");
}
