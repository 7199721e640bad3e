//! The queries that are compared, as in the table of targets.

/// A query that every server gets.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) work: &'static str,
    /// The path without what differs from server to server.
    pub(crate) path: String,
    pub(crate) is_cached: bool,
    /// In milliseconds, where there is an absolute one.
    pub(crate) target: Option<f64>,
    /// As a share of what Prometheus needs.
    pub(crate) share: Option<f64>,
    /// Native histograms, which not all servers know.
    pub(crate) needs_histograms: bool,
}

const RATE: &str = "sum by (service)(rate(shop_requests_total[5m]))";
const HOUR: i64 = 3_600;

/// All rows, for data that end at `end` in seconds.
pub(crate) fn all(end: i64) -> Vec<Row> {
    let row = |work, path: String, target| Row {
        work,
        path,
        is_cached: false,
        target: Some(target),
        share: None,
        needs_histograms: false,
    };
    let range = |query: &str, hours: i64, step: i64| {
        let query = escape(query);
        let start = end - hours * HOUR + step;
        format!("/api/v1/query_range?query={query}&start={start}&end={end}&step={step}")
    };
    let instant = |query: &str| format!("/api/v1/query?query={}&time={end}", escape(query));
    let one = "shop_load{instance=\"10.0.4.7:9100\"}";
    let one_and_all = escape("{job=\"shop\"}");
    let span = format!("start={}&end={end}", end - HOUR);
    vec![
        row("one series, last hour, step 10 s", range(one, 1, 10), 0.15),
        row("sum by (rate), 1,000 series, 6 h", range(RATE, 6, 30), 14.0),
        row("sum by (rate), 1,000 series, 24 h", range(RATE, 24, 30), 28.0),
        Row { is_cached: true, ..row("the same again, cached", range(RATE, 24, 30), 1.5) },
        row("topk(10), instant, 10,000 series", instant("topk(10, {job=\"shop\"})"), 5.0),
        row("max_over_time 24 h, 100 series", instant("max_over_time(shop_load[24h])"), 3.0),
        row(
            "quantile_over_time 24 h, 100 series",
            instant("quantile_over_time(0.99, shop_load[24h])"),
            8.0,
        ),
        row("values of a label", format!("/api/v1/label/service/values?{span}"), 0.1),
        row("series of 1,000", format!("/api/v1/series?match[]=shop_requests_total&{span}"), 1.0),
        row("series of 10,000", format!("/api/v1/series?match[]={one_and_all}&{span}"), 10.0),
        Row {
            target: None,
            share: Some(0.5),
            needs_histograms: true,
            ..row(
                "histogram_quantile, 100 native histograms, 6 h",
                range("histogram_quantile(0.99, sum(rate(shop_wait_seconds[5m])))", 6, 30),
                0.0,
            )
        },
    ]
}

fn escape(text: &str) -> String {
    serde_urlencoded::to_string([("", text)]).unwrap_or_default()[1..].to_owned()
}
