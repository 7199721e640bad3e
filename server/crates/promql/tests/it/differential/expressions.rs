//! Expressions as people write them in alerts, and series that match their selectors.

use std::collections::BTreeMap;

use model::{Labels, MatchOp, Matcher, labels::METRIC_NAME};
use promql::{Expr, parse, parser::Selector};

use super::{Random, Samples, data};

/// Typical ones, asked when no file is given.
const USUAL: &str = "
sum by (job) (rate(errors_total[5m])) / sum by (job) (rate(hits_total[5m])) * 100 > 0.1
(node_memory_free / node_memory_total * 100 < 90) and on (instance) rate(pages_total[2m]) > 0
max by (instance) (cpu_seconds) > 0.8 unless on (instance) maintenance == 1
absent(up_of_nothing{job=\"gone\"})
changes(restarts[15m]) > 2
predict_linear(disk_free{fstype!~\"tmpfs|fuse\"}[30m], 4 * 3600) < 1e9
histogram_quantile(0.99, sum by (le, job) (rate(duration_bucket[5m]))) > 0
avg_over_time(queue_length{state=~\"waiting|running\"}[10m]) > 2 * avg_over_time(queue_length[10m] offset 20m)
count by (cluster) (members) < 5
time() - last_success_seconds > 60
increase(oom_total[10m]) >= 1
label_replace(pods_ready == 0, \"pod\", \"$1\", \"instance\", \"(.*)\")
delta(pressure[15m]) > 1 or deriv(pressure[15m]) < 0
clamp_min(1 - rate(slow_total[5m]) / rate(all_total[5m]), 0) < 0.99
topk(2, sum by (instance) (rate(sent_total[5m])))
min_over_time(level[5m]) * on (instance) group_left (version) build_info
";

/// The expressions of a file, in the third column of each line, or the usual ones. What one of the
/// parsers does not know is left out.
pub(super) fn read(file: Option<&str>) -> Vec<Expr> {
    match file {
        None => USUAL.lines().filter_map(|line| parse(line).ok()).collect(),
        Some(text) => {
            let column = text.lines().filter_map(|line| line.split('\t').nth(2));
            column.filter_map(|expression| parse(&expression.replace("\\n", "\n")).ok()).collect()
        }
    }
}

/// Series that the selectors match, a few for each.
pub(super) fn series(expressions: &[Expr], random: &mut Random) -> Vec<Samples> {
    let mut all: BTreeMap<Labels, Samples> = BTreeMap::new();
    for selector in expressions.iter().flat_map(Expr::selectors) {
        for number in 1..=3 {
            let Some(labels) = matching(selector, number) else { continue };
            let name = labels.metric_name().unwrap_or_default();
            let counts =
                ["_total", "_count", "_sum", "_bucket"].iter().any(|end| name.ends_with(end));
            let samples = if counts {
                data::counter(labels.clone(), random)
            } else {
                data::gauge(labels.clone(), random)
            };
            all.entry(labels).or_insert(samples);
        }
    }
    all.into_values().collect()
}

/// Labels that a selector matches; nothing when they are hard to find.
fn matching(selector: &Selector, number: u64) -> Option<Labels> {
    let matchers = selector.all_matchers();
    let mut pairs: BTreeMap<String, String> = BTreeMap::from([
        ("job".to_owned(), "j".to_owned()),
        ("instance".to_owned(), format!("host{number}")),
        ("cluster".to_owned(), "c".to_owned()),
        ("version".to_owned(), "v".to_owned()),
    ]);
    for matcher in &matchers {
        let value = match matcher.op {
            MatchOp::Equal => Some(matcher.value.clone()),
            MatchOp::Regex => example(matcher, number),
            MatchOp::NotEqual | MatchOp::NotRegex => None,
        };
        pairs.extend(value.map(|value| (matcher.name.clone(), value)));
    }
    let name = pairs.get(METRIC_NAME)?;
    if name.ends_with("_bucket") {
        let bound = ["1", "5", "+Inf"][number as usize - 1].to_owned();
        pairs.entry("le".to_owned()).or_insert(bound);
        pairs.insert("instance".to_owned(), "host1".to_owned());
    }
    let labels =
        Labels::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    matchers.iter().all(|matcher| matcher.matches_labels(&labels)).then_some(labels)
}

/// A text that a regular expression matches.
fn example(matcher: &Matcher, number: u64) -> Option<String> {
    let parts: Vec<&str> = matcher.value.split('|').collect();
    let plain = |part: &str| {
        part.replace(['(', ')', '^', '$', '\\', '?'], "").replace(".*", "x").replace(".+", "x")
    };
    let first = number as usize % parts.len();
    let mut candidates = parts.iter().cycle().skip(first).take(parts.len()).map(|part| plain(part));
    candidates.find(|text| matcher.matches(text))
}
