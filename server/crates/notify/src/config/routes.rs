//! The route tree of the file and the matchers of routes and inhibition rules.

use std::collections::BTreeSet;

use model::{MatchOp, Matcher};
use yaml::Node;

use super::{
    RouteConfig,
    parse::{text_map, texts},
    reader::Reader,
    section::Section,
};
use crate::matchers as notation;

/// The most levels a route tree may have.
const MAX_DEPTH: usize = 64;

/// What routes may name.
#[derive(Debug)]
pub(super) struct Names<'a> {
    pub(super) receivers: BTreeSet<&'a str>,
    pub(super) intervals: BTreeSet<&'a str>,
}

/// The keys under which matchers are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct MatcherKeys {
    pub(super) list: &'static str,
    pub(super) equal: &'static str,
    pub(super) regex: &'static str,
}

pub(super) fn root(reader: &Reader, node: &Node, names: &Names<'_>) -> Option<RouteConfig> {
    let root = route(reader, node, names, 0)?;
    if root.receiver.is_none() {
        reader.problem(node.place, "the first route needs a `receiver`");
    }
    if !root.matchers.is_empty() {
        reader.problem(node.place, "the first route takes every alert and cannot have matchers");
    }
    if !root.mute_time_intervals.is_empty() || !root.active_time_intervals.is_empty() {
        reader.problem(node.place, "the first route cannot have time intervals; use a child route");
    }
    if root.continues {
        reader.problem(node.place, "the first route cannot have `continue`");
    }
    Some(root)
}

fn route(reader: &Reader, node: &Node, names: &Names<'_>, depth: usize) -> Option<RouteConfig> {
    if depth > MAX_DEPTH {
        reader.problem(node.place, format!("routes are nested more than {MAX_DEPTH} deep"));
        return None;
    }
    let section = reader.section(node, "a route")?;
    let receiver = section.text("receiver").map(str::to_owned);
    if let (Some(node), Some(name)) = (section.get("receiver"), &receiver)
        && !names.receivers.contains(name.as_str())
    {
        reader.problem(node.place, format!("receiver `{name}` is not defined"));
    }
    let keys = MatcherKeys { list: "matchers", equal: "match", regex: "match_re" };
    let route = RouteConfig {
        receiver,
        group_by: group_by(&section),
        matchers: matchers(&section, keys),
        continues: section.bool("continue").unwrap_or(false),
        group_wait: section.duration("group_wait"),
        group_interval: section.positive_duration("group_interval"),
        repeat_interval: section.positive_duration("repeat_interval"),
        mute_time_intervals: intervals(&section, "mute_time_intervals", names),
        active_time_intervals: intervals(&section, "active_time_intervals", names),
        routes: section
            .list("routes")
            .iter()
            .filter_map(|node| route(reader, node, names, depth + 1))
            .collect(),
    };
    section.finish();
    Some(route)
}

fn group_by(section: &Section<'_>) -> Option<Vec<String>> {
    let node = section.get("group_by")?;
    let reader = section.reader;
    let labels = texts(reader, reader.list(node, "group_by"), "a label in `group_by`");
    let unique: BTreeSet<&String> = labels.iter().collect();
    if unique.len() < labels.len() {
        reader.problem(node.place, "a label is twice in `group_by`");
    }
    if labels.len() > 1 && labels.iter().any(|label| label == "...") {
        reader.problem(node.place, "`...` in `group_by` means all labels and stands alone");
    }
    Some(labels)
}

fn intervals(section: &Section<'_>, key: &str, names: &Names<'_>) -> Vec<String> {
    for node in section.list(key) {
        if let Some(name) = section.reader.text(node, key)
            && !names.intervals.contains(name)
        {
            section.reader.problem(node.place, format!("time interval `{name}` is not defined"));
        }
    }
    texts(section.reader, section.list(key), key)
}

/// The matchers of the list and of the two legacy maps together, in this order.
pub(super) fn matchers(section: &Section<'_>, keys: MatcherKeys) -> Vec<Matcher> {
    let reader = section.reader;
    let mut found = Vec::new();
    for node in section.list(keys.list) {
        let Some(text) = reader.text(node, "a matcher") else {
            continue;
        };
        match notation::parse(text) {
            Ok(matchers) => found.extend(matchers),
            Err(error) => reader.problem(node.place, error.to_string()),
        }
    }
    for (key, op) in [(keys.equal, MatchOp::Equal), (keys.regex, MatchOp::Regex)] {
        for (name, value, at) in text_map(section, key) {
            match notation::build(name, op, value) {
                Ok(matcher) => found.push(matcher),
                Err(error) => reader.problem(at, error.to_string()),
            }
        }
    }
    found
}
