//! Prometheus's HTTP API as its clients use it.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Folder, Server};

const RULES: &str = r#"
groups:
  - name: shop
    interval: 1s
    rules:
      - record: depth:double
        expr: depth * 2
        labels: { kind: double }
      - alert: Deep
        expr: depth > 3
        for: 1h
        labels: { severity: page }
        annotations: { summary: "depth is {{ $value }}" }
"#;

/// A server with a few series of every kind.
async fn server(folder: &Folder) -> Server {
    folder.write("rules/shop.yml", RULES);
    let server = Server::start(folder).await;
    server.send("orders.created:1|c|#shop:a\norders.created:2|c|#shop:b\ndepth:5|g\nwait:1:2:4|ms");
    server.flushed().await;
    server
}

/// All numbers and texts that differ between two runs, by the keys under which they stand.
fn without_times(mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Array(items) => {
                // A sample is a time and a text.
                if let [time @ Value::Number(_), Value::String(_) | Value::Object(_)] =
                    &mut items[..]
                {
                    *time = json!("TIME");
                }
                items.iter_mut().for_each(walk);
            }
            Value::Object(fields) => {
                for key in ["activeAt", "lastEvaluation", "evaluationTime", "revision", "buildDate"]
                {
                    if let Some(field) = fields.get_mut(key) {
                        *field = json!("…");
                    }
                }
                fields.values_mut().for_each(walk);
            }
            _ => {}
        }
    }
    walk(&mut value);
    value
}

#[tokio::test]
async fn answers_have_prometheus_form() {
    let folder = Folder::new();
    let server = server(&folder).await;
    let get = async |path: &str| without_times(server.http.get(path).await.ok()).to_string();

    assert_snapshot!(get("/api/v1/query?query=1%2B1.5&time=1700000000.25").await, @r"");
    assert_snapshot!(get("/api/v1/query?query=%22text%22&time=1700000000").await, @r"");
    assert_snapshot!(get("/api/v1/query?query=orders_created").await, @r"");
    assert_snapshot!(get("/api/v1/query?query=orders_created&limit=1").await, @r"");
    assert_snapshot!(get("/api/v1/query?query=wait").await, @r"");
    assert_snapshot!(get("/api/v1/query?query=rate(depth[1m])*0").await, @r"");
    assert_snapshot!(get("/api/v1/query_range?query=vector(3)&start=1700000000&end=1700000060&step=30").await, @r"");
    assert_snapshot!(get("/api/v1/series?match[]=orders_created&match[]=depth").await, @r"");
    assert_snapshot!(get("/api/v1/series?match[]=orders_created&limit=1").await, @r"");
    assert_snapshot!(get("/api/v1/labels?match[]=orders_created").await, @r"");
    assert_snapshot!(get("/api/v1/label/shop/values").await, @r"");
    assert_snapshot!(get("/api/v1/label/shop/values?match[]=orders_created{shop!=%22a%22}").await, @r"");
    assert_snapshot!(get("/api/v1/label/nothing/values").await, @r"");
    assert_snapshot!(get("/api/v1/metadata?metric=orders_created").await, @r"");
    assert_snapshot!(get("/api/v1/metadata?metric=wait").await, @r"");
    assert_snapshot!(get("/api/v1/rules?type=record").await, @r"");
    assert_snapshot!(get("/api/v1/rules?type=alert").await, @r"");
    assert_snapshot!(get("/api/v1/alerts").await, @r"");
    assert_snapshot!(get("/api/v1/targets").await, @r"");
    assert_snapshot!(get("/api/v1/query_exemplars?query=wait").await, @r"");
    assert_snapshot!(get("/api/v1/format_query?query=sum(rate(x[5m]))by(a)").await, @r"");
    assert_snapshot!(get("/api/v1/status/buildinfo").await, @r"");
}

#[tokio::test]
async fn errors_have_prometheus_envelope_with_the_place() {
    let folder = Folder::new();
    let server = server(&folder).await;
    let fail = async |path: &str| {
        let answer = server.http.get(path).await;
        format!("{} {}", answer.status, answer.text)
    };
    assert_snapshot!(fail("/api/v1/query?query=sum(").await, @r"");
    assert_snapshot!(fail("/api/v1/query?query=rat(depth[5m])").await, @r"");
    assert_snapshot!(fail("/api/v1/query?query=rate(depth)").await, @r"");
    assert_snapshot!(fail("/api/v1/query").await, @r"");
    assert_snapshot!(fail("/api/v1/query?query=1&time=yesterday").await, @r"");
    assert_snapshot!(fail("/api/v1/query?query=1&limit=-1").await, @r"");
    assert_snapshot!(fail("/api/v1/query_range?query=1&start=10&end=5&step=1").await, @r"");
    assert_snapshot!(fail("/api/v1/query_range?query=1&start=1&end=5&step=0").await, @r"");
    assert_snapshot!(fail("/api/v1/query_range?query=1&start=1&end=50000&step=1").await, @r"");
    assert_snapshot!(fail("/api/v1/query_range?query=depth[5m]&start=1&end=5&step=1").await, @r"");
    assert_snapshot!(fail("/api/v1/series").await, @r"");
    assert_snapshot!(fail("/api/v1/series?match[]={a=~%22.*%22}").await, @r"");
    assert_snapshot!(fail("/api/v1/rules?type=all").await, @r"");
    // Found out only while it is evaluated.
    assert_snapshot!(fail("/api/v1/query?query=orders_created*on()orders_created").await, @r"");
}

#[tokio::test]
async fn a_form_counts_as_much_as_a_query_string() {
    let folder = Folder::new();
    let server = server(&folder).await;
    let post =
        async |path: &str, form: &[(&str, &str)]| server.http.post_form(path, form).await.ok();
    let sum = post("/api/v1/query", &[("query", "sum(orders_created)")]).await;
    assert_eq!(sum["data"]["result"][0]["value"][1], "3");
    let long = format!("sum(orders_created{{shop=~\"{}a\"}})", "x|".repeat(20_000));
    let sum = post("/api/v1/query", &[("query", &long)]).await;
    assert_eq!(sum["data"]["result"][0]["value"][1], "1");
    let range = [("query", "vector(1)"), ("start", "0"), ("end", "10"), ("step", "5s")];
    let values = post("/api/v1/query_range", &range).await;
    assert_eq!(values["data"]["result"][0]["values"], json!([[0, "1"], [5, "1"], [10, "1"]]));
    let series = post("/api/v1/series", &[("match[]", "depth"), ("match[]", "wait")]).await;
    assert_eq!(series["data"].as_array().map(Vec::len), Some(2), "{series}");
    let labels = post("/api/v1/labels", &[("match[]", "orders_created")]).await;
    assert_eq!(labels["data"], json!(["__name__", "shop"]));
}
