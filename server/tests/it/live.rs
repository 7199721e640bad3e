//! Server-sent events.

use serde_json::Value;

use crate::support::{Folder, Server};

#[tokio::test]
async fn every_flush_is_told_to_a_browser_that_listens() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let request = server.http.request(reqwest::Method::GET, "/api/app/live");
    let mut response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    while text.matches("\n\n").count() < 2 {
        let chunk = response.chunk().await.unwrap().expect("the stream goes on");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let times: Vec<i64> = text
        .split_terminator("\n\n")
        .map(|event| {
            let data =
                event.strip_prefix("event: tick\ndata: ").unwrap_or_else(|| panic!("{event}"));
            let tick: Value = serde_json::from_str(data).unwrap();
            assert_eq!(tick["type"], "tick");
            assert_eq!(tick["firing"], 0);
            tick["at_ms"].as_i64().unwrap()
        })
        .collect();
    assert!(times.is_sorted() && times.iter().all(|at| at % 1_000 == 0), "{times:?}");
}
