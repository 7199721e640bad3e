//! What cannot be used is counted by its reason and costs nothing else.

use crate::support::{Folder, Server};

#[tokio::test]
async fn a_bad_line_is_counted_by_its_reason_and_spoils_only_itself() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    server.send(
        "good:1|c\nbad:abc|c\n:1|c\nname\r\n\nnotype:1\ngood:2|c\nodd:1|q\nrate:1|c|@0\nrate:1|c|@-1\n\
         g:NaN|g\ng:inf|g\nstamp:1|c|Tsoon\n_e{9,9}:short|x\n_sc|check|9\ngood:4|c|#a:b,good:tag",
    );
    server.flushed().await;
    assert_eq!(server.value("sum(good)").await, Some(7.0));
    for (reason, expected) in [
        ("bad_value", 1.0),
        ("missing_name", 1.0),
        ("missing_value", 1.0),
        ("missing_type", 1.0),
        ("unknown_type", 1.0),
        ("bad_rate", 2.0),
        ("not_finite", 2.0),
        ("bad_timestamp", 1.0),
        ("bad_event", 1.0),
        ("bad_service_check", 1.0),
    ] {
        let metric = format!("bellwether_ingest_rejected_lines_total{{reason=\"{reason}\"}}");
        assert_eq!(server.own_metric(&metric).await, expected, "{reason}");
    }
    let connections = server.http.get("/connections").await.ok();
    let source = &connections["sources"][0];
    assert_eq!(source["address"], "127.0.0.1", "{connections}");
    assert_eq!(source["bad_lines"], 12, "{connections}");
    assert_eq!(connections["listeners"][0]["address"], server.statsd.to_string());
}

#[tokio::test]
async fn a_metric_that_is_sent_with_two_types_keeps_the_first_and_names_the_offender() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    server.send("depth:5|g");
    server.flushed().await;
    server.send("depth:1|c\ndepth:1|c");
    server.flushed().await;
    assert_eq!(server.value("depth").await, Some(5.0));
    let metric = "bellwether_ingest_rejected_lines_total{reason=\"type_conflict\"}";
    assert_eq!(server.own_metric(metric).await, 2.0);
    let offender = &server.http.get("/connections").await.ok()["top_offenders"][0];
    assert_eq!(offender["name"], "depth");
    assert_eq!(offender["reason"], "type_conflict");
    assert_eq!(offender["source"], "127.0.0.1");
}

/// Bytes without a pattern, the same in every run.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

#[tokio::test]
async fn hostile_datagrams_do_no_harm() {
    let folder = Folder::new();
    let mut server = Server::start(&folder).await;
    let long_name = format!("{}:1|c", "n".repeat(60_000));
    let colons = format!("colons{}1|c", ":".repeat(60_000));
    let pipes = format!("pipes:1{}", "|".repeat(60_000));
    let tags = format!("tags:1|c|#{}", "a:b,".repeat(15_000));
    let values = format!("values{}|ms", ":1".repeat(30_000));
    let numbers = format!("numbers:{}|c", "9".repeat(60_000));
    let largest = "x".repeat(65_507);
    for datagram in [
        "",
        "\n",
        ":",
        "|",
        "a:|",
        "a:1|",
        "a:1|c|",
        "a:1|c|@",
        "a:1|c|@0",
        "a:1|c|@1e-300",
        "a:1|c|@Infinity",
        "a:NaN|ms",
        "a:1e999|g",
        "a:-1|ms|@-0",
        "constructor:1|c",
        "__name__:1|c|#__name__:x",
        "a:1|c|#",
        "a:1|c|#,,,:,:",
        "_e{4294967295,1}:a|b",
        "_e{-1,-1}:|",
        "_e",
        "_sc",
        "_sc||",
        "\u{0}\u{0}:1|c",
        "ü:1|c|#ö:ä",
        &long_name,
        &colons,
        &pipes,
        &tags,
        &values,
        &numbers,
        &largest,
    ] {
        server.send(datagram);
        server.caught_up().await;
    }
    for seed in 1..200 {
        server.send(noise(1 + (seed as usize * 37) % 1_400, seed));
        let mut lines = b"mixed:1|c\n".to_vec();
        lines.extend(noise(300, seed + 1_000).iter().filter(|byte| **byte != b'\n'));
        lines.extend(b"\nmixed:1|c");
        server.send(lines);
        if seed % 20 == 0 {
            server.caught_up().await;
        }
    }
    server.flushed().await;
    assert!(server.is_running());
    assert_eq!(server.value("mixed").await, Some(398.0));
    assert_eq!(server.value("histogram_count(values)").await, Some(30_000.0));
    let names = server.http.get("/api/v1/label/__name__/values").await.ok();
    assert!(
        names["data"].as_array().unwrap().iter().all(|name| name.as_str().unwrap().len() < 2_000)
    );
    assert_eq!(server.http.get("/-/ready").await.status, 200);
    assert!(!server.log().contains("panic"), "{}", server.log());
}
