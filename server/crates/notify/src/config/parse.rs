//! From the YAML tree to the checked configuration.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use yaml::{Kind, Node, Place};

use super::{
    Config, DEFAULT_RESOLVE_TIMEOUT, HttpConfig, ReceiverConfig, SmtpDefaults, integrations,
    reader::Reader, routes, section::Section,
};
use crate::{
    inhibit::InhibitRule,
    mute::{self, TimeInterval},
};

/// What the section `global` gives to receivers.
#[derive(Debug, Default)]
pub(super) struct Global {
    pub(super) smtp: SmtpDefaults,
    pub(super) http: HttpConfig,
    resolve_timeout: Option<std::time::Duration>,
}

/// Keys of `global` that only serve receivers we do not have yet.
const OTHER_GLOBALS: [&str; 24] = [
    "smtp_auth_identity",
    "smtp_auth_secret",
    "smtp_auth_secret_file",
    "slack_api_url",
    "slack_api_url_file",
    "slack_app_token",
    "slack_app_url",
    "victorops_api_url",
    "victorops_api_key",
    "victorops_api_key_file",
    "pagerduty_url",
    "opsgenie_api_key",
    "opsgenie_api_key_file",
    "opsgenie_api_url",
    "rocketchat_api_url",
    "rocketchat_token",
    "rocketchat_token_file",
    "wechat_api_url",
    "wechat_api_secret",
    "wechat_api_corp_id",
    "telegram_api_url",
    "telegram_bot_token",
    "webex_api_url",
    "jira_api_url",
];

pub(super) fn config(reader: &Reader, text: &str, smtp: &SmtpDefaults) -> Option<Config> {
    let root = reader.parse(text)?;
    let section = reader.section(&root, "the configuration")?;
    let mut global = match section.get("global") {
        Some(node) => global(reader, node).unwrap_or_default(),
        None => Global::default(),
    };
    global.smtp = global.smtp.or(smtp);
    let receivers = receivers(reader, &section, &global);
    let time_intervals = time_intervals(reader, &section);
    let names = routes::Names {
        receivers: receivers.iter().map(|receiver| receiver.name.as_str()).collect(),
        intervals: time_intervals.keys().map(String::as_str).collect(),
    };
    let route = if let Some(node) = section.get("route") {
        routes::root(reader, node, &names)
    } else {
        reader.problem(section.at, "no `route`: give at least `route: {receiver: NAME}`");
        None
    };
    let inhibit_rules = section
        .list("inhibit_rules")
        .iter()
        .filter_map(|node| inhibit_rule(reader, node))
        .collect();
    section.not_supported(&["templates", "tracing"]);
    section.finish();
    Some(Config {
        resolve_timeout: global.resolve_timeout.unwrap_or(DEFAULT_RESOLVE_TIMEOUT),
        route: route?,
        receivers,
        inhibit_rules,
        time_intervals,
    })
}

fn global(reader: &Reader, node: &Node) -> Option<Global> {
    let section = reader.section(node, "global")?;
    let smarthost = section.get("smtp_smarthost").and_then(|node| {
        integrations::smarthost(reader, node, reader.text(node, "smtp_smarthost")?)
    });
    let from = section.text("smtp_from").map(str::to_owned);
    if let (Some(node), Some(from)) = (section.get("smtp_from"), &from) {
        integrations::check_mailbox(reader, node, "smtp_from", from);
    }
    let global = Global {
        smtp: SmtpDefaults {
            from,
            smarthost,
            hello: section.text("smtp_hello").map(str::to_owned),
            user: section.text("smtp_auth_username").map(str::to_owned),
            password: section.secret("smtp_auth_password"),
            require_tls: section.bool("smtp_require_tls"),
            tls: section
                .get("smtp_tls_config")
                .and_then(|node| integrations::tls_config(reader, node)),
        },
        http: section
            .get("http_config")
            .and_then(|node| integrations::http_config(reader, node))
            .unwrap_or_default(),
        resolve_timeout: section.positive_duration("resolve_timeout"),
    };
    section.not_supported(&OTHER_GLOBALS);
    section.finish();
    Some(global)
}

fn receivers(reader: &Reader, section: &Section<'_>, global: &Global) -> Vec<ReceiverConfig> {
    let mut receivers: Vec<ReceiverConfig> = Vec::new();
    for node in section.list("receivers") {
        let Some(receiver) = integrations::receiver(reader, node, global) else {
            continue;
        };
        if receivers.iter().any(|known| known.name == receiver.name) {
            reader.problem(node.place, format!("receiver `{}` is defined twice", receiver.name));
        }
        receivers.push(receiver);
    }
    receivers
}

fn inhibit_rule(reader: &Reader, node: &Node) -> Option<InhibitRule> {
    let section = reader.section(node, "an inhibit rule")?;
    let rule = InhibitRule {
        source_matchers: routes::matchers(
            &section,
            routes::MatcherKeys {
                list: "source_matchers",
                equal: "source_match",
                regex: "source_match_re",
            },
        ),
        target_matchers: routes::matchers(
            &section,
            routes::MatcherKeys {
                list: "target_matchers",
                equal: "target_match",
                regex: "target_match_re",
            },
        ),
        equal: texts(reader, section.list("equal"), "a label in `equal`"),
    };
    section.text("name");
    section.finish();
    Some(rule)
}

pub(super) fn texts(reader: &Reader, nodes: &[Node], what: &str) -> Vec<String> {
    nodes.iter().filter_map(|node| reader.text(node, what)).map(str::to_owned).collect()
}

/// Both the present key and its older name.
fn time_intervals(reader: &Reader, section: &Section<'_>) -> BTreeMap<String, Vec<TimeInterval>> {
    let mut named = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let nodes = section.list("time_intervals").iter().chain(section.list("mute_time_intervals"));
    for node in nodes {
        let Some(entry) = reader.section(node, "a time interval") else {
            continue;
        };
        let name = entry.required_text("name");
        let intervals =
            entry.list("time_intervals").iter().filter_map(|node| interval(reader, node)).collect();
        entry.finish();
        let Some(name) = name else { continue };
        if !seen.insert(name) {
            reader.problem(node.place, format!("time interval `{name}` is defined twice"));
        }
        named.insert(name.to_owned(), intervals);
    }
    named
}

fn interval(reader: &Reader, node: &Node) -> Option<TimeInterval> {
    let section = reader.section(node, "a time interval")?;
    let mut interval = TimeInterval {
        times: section.list("times").iter().filter_map(|node| day_time(reader, node)).collect(),
        weekdays: ranges(reader, section.list("weekdays"), mute::parse_weekdays),
        days_of_month: ranges(reader, section.list("days_of_month"), mute::parse_days_of_month),
        months: ranges(reader, section.list("months"), mute::parse_months),
        years: ranges(reader, section.list("years"), mute::parse_years),
        ..TimeInterval::default()
    };
    if let (Some(node), Some(name)) = (section.get("location"), section.text("location")) {
        let zone = if name == "Local" { Ok(TimeZone::system()) } else { TimeZone::get(name) };
        match zone {
            Ok(zone) => interval.location = zone,
            Err(_) => reader.problem(
                node.place,
                format!("unknown time zone `{name}`, expected a name such as Europe/Berlin"),
            ),
        }
    }
    section.finish();
    Some(interval)
}

fn ranges<T>(reader: &Reader, nodes: &[Node], read: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
    nodes
        .iter()
        .filter_map(|node| checked(reader, node.place, read(reader.text(node, "a range")?)))
        .collect()
}

fn day_time(reader: &Reader, node: &Node) -> Option<(u16, u16)> {
    let section = reader.section(node, "a time range")?;
    let end = |key: &str| {
        let at = section.get(key).map_or(section.at, |node| node.place);
        checked(reader, at, mute::parse_time_of_day(section.required_text(key)?))
    };
    let (start, finish) = (end("start_time"), end("end_time"));
    section.finish();
    let (start, finish) = (start?, finish?);
    if start >= finish {
        reader.problem(node.place, "the time range ends before it begins");
    }
    Some((start, finish))
}

fn checked<T>(reader: &Reader, at: Place, result: Result<T, String>) -> Option<T> {
    result.map_err(|message| reader.problem(at, message)).ok()
}

/// Label values of legacy matchers: a map of names to texts.
pub(super) fn text_map<'a>(section: &Section<'a>, key: &str) -> Vec<(&'a str, &'a str, Place)> {
    let reader = section.reader;
    let Some(node) = section.get(key) else {
        return Vec::new();
    };
    if !matches!(node.kind, Kind::Map(_)) {
        reader.problem(node.place, format!("`{key}` must be a map of labels to values"));
        return Vec::new();
    }
    let Some(map) = reader.section(node, "matchers") else {
        return Vec::new();
    };
    map.entries()
        .filter_map(|(name, node)| Some((name, reader.text(node, name)?, node.place)))
        .collect()
}
