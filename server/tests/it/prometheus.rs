//! Prometheus's HTTP API as its clients use it.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Folder, Server, eventually};

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
    eventually("the rules have been evaluated on them", async || {
        let alerts = server.http.get("/api/v1/alerts").await.ok();
        if alerts["data"]["alerts"] == json!([]) { Err(alerts.to_string()) } else { Ok(()) }
    })
    .await;
    server
}

/// Fields that differ between two runs.
const VARYING: [&str; 5] =
    ["activeAt", "lastEvaluation", "evaluationTime", "revision", "buildDate"];
/// Times of samples after this are those of the run, in seconds.
const RECENT: f64 = 1.75e9;

/// The text with `…` for what differs between two runs.
fn steady(text: &str) -> String {
    let mut text = text.to_owned();
    for key in VARYING {
        let start = format!("\"{key}\":");
        let mut parts = text.split(&start);
        let mut steady = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find([',', '}']).unwrap();
            steady.extend([&*start, "…", &part[end..]]);
        }
        text = steady;
    }
    let is_recent = |time: &str| time.parse().is_ok_and(|seconds: f64| seconds > RECENT);
    let parts: Vec<String> = text
        .split('[')
        .map(|part| match part.split_once(',') {
            Some((time, rest)) if is_recent(time) => format!("…,{rest}"),
            _ => part.to_owned(),
        })
        .collect();
    parts.join("[")
}

#[tokio::test]
async fn answers_have_prometheus_form() {
    let folder = Folder::new();
    let server = server(&folder).await;
    let get = async |path: &str| {
        let answer = server.http.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        steady(&answer.text)
    };

    assert_snapshot!(get("/api/v1/query?query=1%2B1.5&time=1700000000.25").await, @r#"{"status":"success","data":{"resultType":"scalar","result":[1700000000.25,"2.5"]}}"#);
    assert_snapshot!(get("/api/v1/query?query=%22text%22&time=1700000000").await, @r#"{"status":"success","data":{"resultType":"string","result":[1700000000,"text"]}}"#);
    assert_snapshot!(get("/api/v1/query?query=orders_created").await, @r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"orders_created","shop":"a"},"value":[…,"1"]},{"metric":{"__name__":"orders_created","shop":"b"},"value":[…,"2"]}]}}"#);
    assert_snapshot!(get("/api/v1/query?query=orders_created&limit=1").await, @r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"orders_created","shop":"a"},"value":[…,"1"]}]},"warnings":["results truncated due to limit"]}"#);
    assert_snapshot!(get("/api/v1/query?query=wait").await, @r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"wait"},"histogram":[…,{"count":"3","sum":"7","buckets":[[0,"0.9785720620877001","1","1"],[0,"1.9571441241754002","2","1"],[0,"3.9142882483508004","4","1"]]}]}]}}"#);
    assert_snapshot!(get("/api/v1/query?query=sum(rate(orders_created[1m]))%3Ebool+0").await, @r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[…,"1"]}]},"infos":["PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"orders_created\" (1:10)"]}"#);
    assert_snapshot!(get("/api/v1/query_range?query=vector(3)&start=1700000000&end=1700000060&step=30").await, @r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1700000000,"3"],[1700000030,"3"],[1700000060,"3"]]}]}}"#);
    assert_snapshot!(get("/api/v1/series?match[]=orders_created&match[]=depth").await, @r#"{"status":"success","data":[{"__name__":"depth"},{"__name__":"orders_created","shop":"a"},{"__name__":"orders_created","shop":"b"}]}"#);
    assert_snapshot!(get("/api/v1/series?match[]=orders_created&limit=1").await, @r#"{"status":"success","data":[{"__name__":"orders_created","shop":"a"}],"warnings":["results truncated due to limit"]}"#);
    assert_snapshot!(get("/api/v1/labels?match[]=orders_created").await, @r#"{"status":"success","data":["__name__","shop"]}"#);
    assert_snapshot!(get("/api/v1/label/shop/values").await, @r#"{"status":"success","data":["a","b"]}"#);
    assert_snapshot!(get("/api/v1/label/shop/values?match[]=orders_created{shop!=%22a%22}").await, @r#"{"status":"success","data":["b"]}"#);
    assert_snapshot!(get("/api/v1/label/nothing/values").await, @r#"{"status":"success","data":[]}"#);
    assert_snapshot!(get("/api/v1/metadata?metric=orders_created").await, @r#"{"status":"success","data":{"orders_created":[{"type":"counter","help":"Sent as orders.created","unit":""}]}}"#);
    assert_snapshot!(get("/api/v1/metadata?metric=wait").await, @r#"{"status":"success","data":{"wait":[{"type":"histogram","help":"","unit":"milliseconds"}]}}"#);
    assert_snapshot!(get("/api/v1/rules?type=record").await, @r#"{"status":"success","data":{"groups":[{"name":"shop","file":"rules/shop.yml","rules":[{"name":"depth:double","query":"depth * 2","labels":{"kind":"double"},"health":"ok","lastEvaluation":…,"evaluationTime":…,"type":"recording"}],"interval":1.0,"limit":0},{"name":"monitors","file":"monitors","rules":[],"interval":1.0,"limit":0}]}}"#);
    assert_snapshot!(get("/api/v1/rules?type=alert").await, @r#"{"status":"success","data":{"groups":[{"name":"shop","file":"rules/shop.yml","rules":[{"state":"pending","name":"Deep","query":"depth > 3","duration":3600.0,"keepFiringFor":0.0,"labels":{"severity":"page"},"annotations":{"summary":"depth is {{ $value }}"},"alerts":[{"labels":{"alertname":"Deep","severity":"page"},"annotations":{"summary":"depth is 5"},"state":"pending","activeAt":…,"value":"5e+00"}],"health":"ok","lastEvaluation":…,"evaluationTime":…,"type":"alerting"}],"interval":1.0,"limit":0},{"name":"monitors","file":"monitors","rules":[],"interval":1.0,"limit":0}]}}"#);
    assert_snapshot!(get("/api/v1/alerts").await, @r#"{"status":"success","data":{"alerts":[{"labels":{"alertname":"Deep","severity":"page"},"annotations":{"summary":"depth is 5"},"state":"pending","activeAt":…,"value":"5e+00"}]}}"#);
    assert_snapshot!(get("/api/v1/targets").await, @r#"{"status":"success","data":{"activeTargets":[],"droppedTargetCounts":{},"droppedTargets":[]}}"#);
    assert_snapshot!(get("/api/v1/query_exemplars?query=wait").await, @r#"{"status":"success","data":[]}"#);
    assert_snapshot!(get("/api/v1/format_query?query=sum(rate(x[5m]))by(a)").await, @r#"{"status":"success","data":"sum by (a) (rate(x[5m]))"}"#);
    assert_snapshot!(get("/api/v1/status/buildinfo").await, @r#"{"status":"success","data":{"version":"3.5.0","revision":…,"branch":"","buildUser":"","buildDate":…,"goVersion":"","application":"Bellwether 0.1.0"}}"#);
}

#[tokio::test]
async fn errors_have_prometheus_envelope_with_the_place() {
    let folder = Folder::new();
    let server = server(&folder).await;
    let fail = async |path: &str| {
        let answer = server.http.get(path).await;
        format!("{} {}", answer.status, answer.text)
    };
    assert_snapshot!(fail("/api/v1/query?query=sum(").await, @r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:5: parse error: unexpected end of input, expected an expression"}"#);
    assert_snapshot!(fail("/api/v1/query?query=rat(depth[5m])").await, @r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:1: parse error: unknown function with name \"rat\", did you mean `rad`?"}"#);
    assert_snapshot!(fail("/api/v1/query?query=rate(depth)").await, @r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:6: parse error: expected type range vector in call to function \"rate\", got instant vector, did you mean `rate(depth[5m])`?"}"#);
    assert_snapshot!(fail("/api/v1/query").await, @r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": it is missing"}"#);
    assert_snapshot!(fail("/api/v1/query?query=1&time=yesterday").await, @r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"time\": cannot parse \"yesterday\" to a valid timestamp, expected seconds or RFC 3339"}"#);
    assert_snapshot!(fail("/api/v1/query?query=1&limit=-1").await, @r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"limit\": it must be a whole number, 0 or more"}"#);
    assert_snapshot!(fail("/api/v1/query_range?query=1&start=10&end=5&step=1").await, @r#"400 {"status":"error","errorType":"bad_data","error":"end timestamp must not be before start time"}"#);
    assert_snapshot!(fail("/api/v1/query_range?query=1&start=1&end=5&step=0").await, @r#"400 {"status":"error","errorType":"bad_data","error":"zero or negative query resolution step widths are not accepted, try a positive integer"}"#);
    assert_snapshot!(fail("/api/v1/query_range?query=1&start=1&end=50000&step=1").await, @r#"400 {"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11000 points per timeseries, try decreasing the query resolution (?step=XX)"}"#);
    assert_snapshot!(fail("/api/v1/query_range?query=depth[5m]&start=1&end=5&step=1").await, @r#"400 {"status":"error","errorType":"bad_data","error":"invalid expression type \"range vector\" for range query, must be Scalar or instant Vector"}"#);
    assert_snapshot!(fail("/api/v1/series").await, @r#"400 {"status":"error","errorType":"bad_data","error":"no match[] parameter provided"}"#);
    assert_snapshot!(fail("/api/v1/series?match[]={a=~%22.*%22}").await, @r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"match[]\": 1:1: parse error: vector selector must contain at least one non-empty matcher, add a condition such as `__name__=~\".+\"`"}"#);
    assert_snapshot!(fail("/api/v1/rules?type=all").await, @r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"type\": expected alert or record"}"#);
    // Found out only while it is evaluated.
    assert_snapshot!(fail("/api/v1/query?query=orders_created*on()orders_created").await, @r#"422 {"status":"error","errorType":"execution","error":"found duplicate series for the match group {} on the right hand-side of the operation: [{__name__=\"orders_created\", shop=\"a\"}, {__name__=\"orders_created\", shop=\"b\"}];many-to-many matching not allowed: matching labels must be unique on one side"}"#);
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
