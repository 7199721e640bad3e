//! From a raw line to the series it belongs to: the slow path, taken once per spelling.

use std::{borrow::Cow, sync::Arc};

use model::{Labels, labels::METRIC_NAME};

use crate::{
    line::{Kind, MAX_TAG_BYTES, MAX_TAGS, Metric, NameTags, Tag, Tags},
    mapping::{Mapping, Outcome},
    name::{clean_label_name, clean_metric_name},
    reason::Reason,
    series::{Announcement, Series, SourceId},
};

/// The value of a label made from a tag without one.
const BARE_TAG_VALUE: &str = "true";

/// What a negative gauge means; clients differ and the line does not tell. A `+` is always a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum GaugeNegative {
    /// `-5` takes 5 off, as in etsy's server and most clients.
    #[default]
    Delta,
    /// `-5` sets the gauge to −5, as `DogStatsD` clients and cadence mean it.
    Absolute,
}

/// How a listener reads what it receives.
#[derive(Debug, Clone, Default)]
pub struct Dialect {
    /// What a negative gauge means.
    pub gauge_negative: GaugeNegative,
    /// Text put before every name, after mapping and before cleaning: `team.`; empty for none.
    pub prefix: String,
    /// Labels of every series. A tag or mapping label of the same name wins.
    pub extra_labels: Vec<(String, String)>,
    /// Whether the container id (`c:`) becomes the label `container_id`.
    pub container_label: bool,
    /// Whether external data (`e:`) becomes the label `external_data`.
    pub external_label: bool,
    /// Whether the wanted cardinality (`card:`) becomes the label `cardinality`.
    pub cardinality_label: bool,
    /// Rules that turn dotted names into labels.
    pub mapping: Arc<Mapping>,
}

impl Dialect {
    /// Whether any field of the line becomes a label.
    #[inline]
    pub(crate) fn has_sender_labels(&self) -> bool {
        self.container_label || self.external_label || self.cardinality_label
    }

    /// Fields of the line that become labels, each with the label's name.
    pub(crate) fn sender_labels<'a>(
        &self,
        metric: &Metric<'a>,
    ) -> impl Iterator<Item = (&'static str, &'a [u8])> + use<'a> {
        [
            self.container_label.then(|| Some(("container_id", metric.container()?))),
            self.external_label.then(|| Some(("external_data", metric.external()?))),
            self.cardinality_label.then(|| Some(("cardinality", metric.cardinality()?))),
        ]
        .into_iter()
        .flatten()
        .flatten()
    }
}

/// Finds the series of a line.
///
/// Of equal labels the last wins, in the order: listener, sender fields, name tags, tags; labels of a
/// mapping rule come last, or before the name tags when the rule honors labels.
pub(crate) fn resolve(
    dialect: &Dialect,
    metric: &Metric<'_>,
    source: SourceId,
) -> Result<Announcement, Reason> {
    let head = NameTags::split(metric.head);
    let name = joined(head.name, head.suffix);
    if name.is_empty() {
        return Err(Reason::MissingName);
    }
    let tags = labels_of(head.tags.chain(Tags::dogstatsd(metric.tags)))?;
    let mapped = match dialect.mapping.apply(&name, metric.kind) {
        Outcome::Drop => return Err(Reason::MappingDrop),
        Outcome::Mapped(mapped) => Some(mapped),
        Outcome::Unmatched => None,
    };
    let target = mapped.as_ref().map_or(&*name, |mapped| &mapped.name);
    let with_prefix = format!("{}{target}", dialect.prefix);
    let clean_name = clean_metric_name(&with_prefix);

    let mut pairs: Vec<Pair<'_>> = Vec::with_capacity(tags.len() + 8);
    pairs.extend(dialect.extra_labels.iter().map(|(n, v)| (n.into(), v.into())));
    pairs.extend(dialect.sender_labels(metric).map(|(n, v)| (n.into(), lossy(v))));
    let rule_labels = mapped.iter().flat_map(|mapped| &mapped.labels);
    let mut rule_labels: Vec<_> = rule_labels.map(|(n, v)| (n.into(), v.into())).collect();
    if mapped.as_ref().is_some_and(|mapped| mapped.honor_labels) {
        pairs.append(&mut rule_labels);
    }
    pairs.extend(tags);
    pairs.append(&mut rule_labels);
    pairs.push((METRIC_NAME.into(), (&*clean_name).into()));

    let mut series = Series::new(Labels::from_pairs(pairs), metric.kind.into(), source);
    if let Some(mapped) = &mapped {
        series.scale = mapped.scale;
        series.ttl_ms = mapped.ttl.map(|ttl| i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX));
    }
    let original = if *clean_name == *name { "".into() } else { (&*name).into() };
    Ok(Announcement {
        series: Arc::new(series),
        original,
        unit: if metric.kind == Kind::Timer { "milliseconds" } else { "" },
        help: mapped.map_or_else(Box::default, |mapped| mapped.help.into()),
    })
}

/// The name of a line without tags, for messages.
pub(crate) fn display_name<'a>(metric: &Metric<'a>) -> Cow<'a, str> {
    let head = NameTags::split(metric.head);
    joined(head.name, head.suffix)
}

/// A label's name and value.
type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

fn labels_of<'a>(tags: impl Iterator<Item = Tag<'a>>) -> Result<Vec<Pair<'a>>, Reason> {
    let mut labels = Vec::new();
    for tag in tags {
        let value = tag.value.unwrap_or(BARE_TAG_VALUE.as_bytes());
        if tag.key.len() > MAX_TAG_BYTES || value.len() > MAX_TAG_BYTES {
            return Err(Reason::TagTooLong);
        }
        if labels.len() == MAX_TAGS {
            return Err(Reason::TooManyTags);
        }
        let name = match lossy(tag.key) {
            Cow::Borrowed(key) => clean_label_name(key),
            Cow::Owned(key) => clean_label_name(&key).into_owned().into(),
        };
        labels.push((name, lossy(value)));
    }
    Ok(labels)
}

fn joined<'a>(name: &'a [u8], suffix: &'a [u8]) -> Cow<'a, str> {
    let name = lossy(name);
    if suffix.is_empty() { name } else { name + lossy(suffix) }
}

fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::{self, Line};

    fn resolve_line(dialect: &Dialect, text: &str) -> Result<Announcement, Reason> {
        let Line::Metric(mut samples) = line::read(text.as_bytes()) else {
            panic!("not a metric: {text}")
        };
        resolve(dialect, &samples.next().unwrap().unwrap(), SourceId(0))
    }

    #[track_caller]
    fn check(dialect: &Dialect, text: &str, expected: &str) {
        let found = resolve_line(dialect, text).unwrap();
        assert_eq!(found.series.labels.to_string(), expected, "{text}");
    }

    #[test]
    fn tags_of_every_dialect_become_labels() {
        let dialect = Dialect::default();
        for (text, expected) in [
            ("orders.created:1|c", "orders_created"),
            ("a:1|c|#env:prod,beta", r#"a{beta="true", env="prod"}"#),
            ("a:1|c|#b:2,a:1", r#"a{a="1", b="2"}"#),
            ("a:1|c|#x:1,x:2", r#"a{x="2"}"#),
            ("a:1|c|#x:1,x:", "a"),
            ("a:1|c|#url:http://h:80/p", r#"a{url="http://h:80/p"}"#),
            ("a,env=prod:1|c|#env:dev", r#"a{env="dev"}"#),
            ("a;env=prod;x=y:1|c", r#"a{env="prod", x="y"}"#),
            ("cpu[core=1].user:1|c", r#"cpu_user{core="1"}"#),
            ("a#k=v:1|c", r#"a{k="v"}"#),
            ("a:1|c|#__name__:b", r#"a{tag__name__="b"}"#),
            ("a:1|c|#k\u{e9}y:\u{e9}", "a{k_y=\"\u{e9}\"}"),
            ("a:1|c|c:ci-1|card:low", "a"),
        ] {
            check(&dialect, text, expected);
        }
    }

    #[test]
    fn a_listener_adds_its_prefix_and_labels() {
        let dialect = Dialect {
            prefix: "team.".to_owned(),
            extra_labels: vec![
                ("env".to_owned(), "prod".to_owned()),
                ("dc".to_owned(), "a".to_owned()),
            ],
            container_label: true,
            ..Dialect::default()
        };
        check(
            &dialect,
            "9.a:1|c|#env:dev|c:ci-7",
            r#"team_9_a{container_id="ci-7", dc="a", env="dev"}"#,
        );
    }

    #[test]
    fn a_mapping_rule_gives_name_labels_scale_and_time_to_live() {
        let rules = |honor_labels: bool| {
            Mapping::parse(&format!(
                "mappings:
  - match: 'api.*.time'
    name: 'api_time'
    labels: {{path: $1, env: rule}}
    scale: 0.001
    ttl: 30s
    honor_labels: {honor_labels}
"
            ))
            .unwrap()
        };
        for (honor_labels, env) in [(false, "rule"), (true, "dev")] {
            let dialect = Dialect {
                prefix: "x.".to_owned(),
                extra_labels: vec![("path".to_owned(), "none".to_owned())],
                mapping: Arc::new(rules(honor_labels)),
                ..Dialect::default()
            };
            let text = "api.users.time:5|ms|#env:dev";
            check(&dialect, text, &format!(r#"x_api_time{{env="{env}", path="users"}}"#));
            let found = resolve_line(&dialect, text).unwrap();
            assert_eq!((found.series.scale, found.series.ttl_ms), (0.001, Some(30_000)));
            assert_eq!(&*found.original, "api.users.time");
        }
    }

    #[test]
    fn limits_on_tags_are_kept() {
        let many = |n: usize| (0..n).map(|i| format!("k{i}:v")).collect::<Vec<_>>().join(",");
        let dialect = Dialect::default();
        for (text, expected) in [
            (format!("a:1|c|#{}", many(64)), None),
            (format!("a:1|c|#{}", many(65)), Some(Reason::TooManyTags)),
            (format!("a:1|c|#k:{}", "v".repeat(1024)), None),
            (format!("a:1|c|#k:{}", "v".repeat(1025)), Some(Reason::TagTooLong)),
            (format!("a:1|c|#{}:v", "k".repeat(1025)), Some(Reason::TagTooLong)),
            (",a=b:1|c".to_owned(), Some(Reason::MissingName)),
        ] {
            assert_eq!(resolve_line(&dialect, &text).err(), expected, "{text:.40}");
        }
    }

    #[test]
    fn the_name_as_sent_is_kept_when_cleaning_changes_it() {
        for (text, original, unit) in [
            ("a.b:1|ms|#x:y", "a.b", "milliseconds"),
            ("a_b:1|h", "", ""),
            ("a.b,x=1:1|c", "a.b", ""),
        ] {
            let found = resolve_line(&Dialect::default(), text).unwrap();
            assert_eq!((&*found.original, found.unit), (original, unit), "{text}");
        }
    }
}
