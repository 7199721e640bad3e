//! From YAML nodes to groups, collecting every mistake.

use std::{collections::HashSet, time::Duration};

use model::labels::METRIC_NAME;
use yaml::{Kind, Node};

use super::FileError;
use crate::{
    rule::{AlertingRule, Expression, ExpressionError, GroupSpec, Position, RecordingRule, Rule},
    template::Template,
};

const FILE_KEYS: [&str; 1] = ["groups"];
const GROUP_KEYS: [&str; 6] = ["name", "interval", "limit", "query_offset", "labels", "rules"];
const RULE_KEYS: [&str; 7] =
    ["alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"];

/// Reads nodes and notes what is wrong with them; what cannot be read is left out.
pub(super) struct Reader<'a> {
    pub(super) file: &'a str,
    pub(super) source: &'a str,
    pub(super) errors: &'a mut Vec<FileError>,
}

/// A text with the node it comes from.
type Labeled<'n> = (&'n Node, String, &'n Node, String);

impl Reader<'_> {
    pub(super) fn file(&mut self, root: &Node) -> Vec<GroupSpec> {
        if root.is_null() {
            return Vec::new();
        }
        let Some(fields) = self.fields(root, "a rule file", &FILE_KEYS) else {
            return Vec::new();
        };
        let mut groups: Vec<GroupSpec> = Vec::new();
        for node in self.list(fields.get("groups"), "groups") {
            let Some(group) = self.group(node) else {
                continue;
            };
            if groups.iter().any(|other| other.name == group.name) && !group.name.is_empty() {
                self.error(
                    group.position,
                    format!("the group `{}` is in this file twice", group.name),
                    "give each group of a file its own name",
                );
            }
            groups.push(group);
        }
        groups
    }

    fn group(&mut self, node: &Node) -> Option<GroupSpec> {
        let fields = self.fields(node, "a group", &GROUP_KEYS)?;
        let name = self.required_text(&fields, "name", "name the group");
        let interval = self.duration(&fields, "interval").filter(|d| !d.is_zero());
        let query_offset = self.duration(&fields, "query_offset");
        let limit = self.limit(&fields);
        let labels = self.pairs(fields.get("labels"), "labels");
        let mut rules: Vec<Rule> = Vec::new();
        for node in self.list(fields.get("rules"), "rules") {
            let Some(rule) = self.rule(node, &labels) else {
                continue;
            };
            let is_repeated = rules.iter().any(|other| {
                (other.name(), other.expr().text()) == (rule.name(), rule.expr().text())
                    && other.labels() == rule.labels()
                    && matches!(other, Rule::Alerting(_)) == matches!(rule, Rule::Alerting(_))
            });
            if is_repeated {
                self.error(
                    rule.position(),
                    format!("the rule `{}` is in this group twice", rule.name()),
                    "remove one of them, or tell them apart by a label",
                );
            }
            rules.push(rule);
        }
        Some(GroupSpec {
            file: self.file.to_owned(),
            name,
            interval,
            limit,
            query_offset,
            rules,
            position: node.place.into(),
        })
    }

    fn rule(&mut self, node: &Node, group_labels: &[Labeled<'_>]) -> Option<Rule> {
        let fields = self.fields(node, "a rule", &RULE_KEYS)?;
        let labels = self.pairs(fields.get("labels"), "labels");
        let annotations = self.pairs(fields.get("annotations"), "annotations");
        let expr = self.expression(&fields);
        let hold = self.duration(&fields, "for");
        let keep_firing = self.duration(&fields, "keep_firing_for");
        let position = node.place.into();
        match (fields.get("alert"), fields.get("record")) {
            (Some(_), None) => {
                let name = self.required_text(&fields, "alert", "name the alert");
                let labels = self.templates(&merged(group_labels, &labels));
                let annotations = self.templates(&annotations);
                Some(Rule::Alerting(AlertingRule {
                    name,
                    expr: expr?,
                    hold: hold.unwrap_or_default(),
                    keep_firing: keep_firing.unwrap_or_default(),
                    labels,
                    annotations,
                    position,
                }))
            }
            (None, Some(_)) => {
                for key in ["for", "keep_firing_for", "annotations"] {
                    if let Some(node) = fields.key(key) {
                        self.error(
                            node.place,
                            format!("a recording rule has no `{key}`"),
                            "remove it, or make it an alerting rule with `alert`",
                        );
                    }
                }
                let metric = self.required_text(&fields, "record", "name the metric");
                self.check_metric(&metric, fields.get("record"));
                let labels = merged(group_labels, &labels);
                let labels = labels.into_iter().map(|(_, name, _, value)| (name, value)).collect();
                Some(Rule::Recording(RecordingRule { metric, expr: expr?, labels, position }))
            }
            (Some(_), Some(_)) => {
                let message = "a rule has both `alert` and `record`";
                self.error(position, message.to_owned(), "split it into two rules");
                None
            }
            (None, None) => {
                let message = "a rule has neither `alert` nor `record`";
                self.error(position, message.to_owned(), "add `alert: NAME` or `record: METRIC`");
                None
            }
        }
    }

    fn check_metric(&mut self, metric: &str, node: Option<&Node>) {
        if metric.contains(['{', '}']) {
            let position = node.map(|node| node.place).unwrap_or_default();
            self.error(
                position,
                format!("`{metric}` is not a metric's name"),
                "put the name alone into `record`, its labels into `labels`",
            );
        }
    }

    fn expression(&mut self, fields: &Fields<'_>) -> Option<Expression> {
        let text = self.required_text(fields, "expr", "add `expr: PROMQL`");
        let node = fields.get("expr")?;
        if text.trim().is_empty() {
            return None;
        }
        match Expression::parse(&text) {
            Ok(expression) => Some(expression),
            Err(ExpressionError::Parse(error)) => {
                let position = node.place_within(self.source, error.span.start);
                let message = format!(
                    "bad expression, {}:{} in it: {}",
                    error.line, error.column, error.message
                );
                let remedy = error.hint.as_deref().unwrap_or("correct the PromQL expression");
                self.error(position, message, remedy);
                None
            }
            Err(error @ ExpressionError::Type(_)) => {
                self.error(
                    node.place,
                    error.to_string(),
                    "use a function such as `rate` or `max_over_time` over a range",
                );
                None
            }
        }
    }

    fn templates(&mut self, pairs: &[Labeled<'_>]) -> Vec<(String, Template)> {
        let mut templates = Vec::with_capacity(pairs.len());
        for (_, name, node, text) in pairs {
            match Template::parse(text) {
                Ok(template) => templates.push((name.clone(), template)),
                Err(error) => {
                    let position = node.place_within(self.source, error.offset);
                    let message = format!("bad template in `{name}`: {error}");
                    let remedy = match &error.hint {
                        Some(hint) => format!("did you mean `{hint}`?"),
                        None => "correct the template between `{{` and `}}`".to_owned(),
                    };
                    self.error(position, message, &remedy);
                }
            }
        }
        templates
    }

    /// The names and texts of a map of labels or annotations.
    fn pairs<'n>(&mut self, node: Option<&'n Node>, what: &str) -> Vec<Labeled<'n>> {
        let Some(node) = node else { return Vec::new() };
        let Kind::Map(entries) = &node.kind else {
            if !node.is_null() {
                let message = format!("`{what}` must be a map of names to texts");
                self.error(node.place, message, "write one `name: text` per line");
            }
            return Vec::new();
        };
        let mut pairs = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let name = key.text().unwrap_or_default();
            if name.is_empty() || name == METRIC_NAME {
                let message = format!("`{name}` is not a valid name in `{what}`");
                self.error(key.place, message, "use letters, digits and underscores");
                continue;
            }
            let text = if value.is_null() { Some("") } else { value.text() };
            let Some(text) = text else {
                let message = format!("`{name}` in `{what}` must be a text");
                self.error(value.place, message, "put the text into quotes");
                continue;
            };
            pairs.push((key, name.to_owned(), value, text.to_owned()));
        }
        pairs
    }

    fn required_text(&mut self, fields: &Fields<'_>, key: &str, remedy: &str) -> String {
        let Some(node) = fields.get(key) else {
            self.error(fields.position, format!("`{key}` is missing"), remedy);
            return String::new();
        };
        match node.text() {
            Some(text) if !text.trim().is_empty() => text.to_owned(),
            Some(_) => {
                self.error(node.place, format!("`{key}` is empty"), remedy);
                String::new()
            }
            None if node.is_null() => {
                self.error(node.place, format!("`{key}` is empty"), remedy);
                String::new()
            }
            None => {
                self.error(node.place, format!("`{key}` must be a text"), remedy);
                String::new()
            }
        }
    }

    fn duration(&mut self, fields: &Fields<'_>, key: &str) -> Option<Duration> {
        let node = fields.get(key)?;
        if node.is_null() {
            return None;
        }
        let text = node.text().unwrap_or_default();
        match model::duration::parse(text) {
            Ok(duration) => Some(duration),
            Err(error) => {
                let message = format!("bad duration in `{key}`: {error}");
                self.error(node.place, message, "write a number and a unit: ms, s, m, h, d, w, y");
                None
            }
        }
    }

    fn limit(&mut self, fields: &Fields<'_>) -> Option<usize> {
        let node = fields.get("limit")?;
        if node.is_null() {
            return None;
        }
        let text = node.text().unwrap_or_default();
        let Ok(limit) = text.parse::<usize>() else {
            let message = format!("`{text}` in `limit` is not a whole number");
            self.error(node.place, message, "write a number from 0, where 0 is no limit");
            return None;
        };
        Some(limit).filter(|limit| *limit > 0)
    }

    fn list<'n>(&mut self, node: Option<&'n Node>, key: &str) -> &'n [Node] {
        match node.map(|node| &node.kind) {
            None | Some(Kind::Null) => &[],
            Some(Kind::List(list)) => list,
            Some(_) => {
                let position = node.map(|node| node.place).unwrap_or_default();
                let message = format!("`{key}` must be a list");
                self.error(position, message, "begin each entry with `- `");
                &[]
            }
        }
    }

    /// The entries of a map, of which each key must be one of `known`.
    fn fields<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Option<Fields<'n>> {
        let Kind::Map(entries) = &node.kind else {
            let message = format!("{what} must be a map");
            self.error(node.place, message, &format!("use the keys {}", known.join(", ")));
            return None;
        };
        let mut fields = Fields { position: node.place.into(), entries: Vec::new() };
        for (key, value) in entries {
            let name = key.text().unwrap_or_default();
            if known.contains(&name) {
                fields.entries.push((name.to_owned(), key, value));
                continue;
            }
            let remedy = match model::closest(name, known.iter().copied()) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("known keys are {}", known.join(", ")),
            };
            self.error(key.place, format!("unknown key `{name}` in {what}"), &remedy);
        }
        Some(fields)
    }

    fn error(&mut self, at: impl Into<Position>, message: String, remedy: &str) {
        let (file, position) = (self.file.to_owned(), at.into());
        self.errors.push(FileError { file, position, message, remedy: remedy.to_owned() });
    }
}

/// The known entries of a map.
struct Fields<'n> {
    position: Position,
    entries: Vec<(String, &'n Node, &'n Node)>,
}

impl<'n> Fields<'n> {
    fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(name, ..)| name == key).map(|(_, _, value)| *value)
    }

    fn key(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(name, ..)| name == key).map(|(_, key, _)| *key)
    }
}

/// The group's labels with the rule's own over them, in order of name.
fn merged<'n>(group: &[Labeled<'n>], rule: &[Labeled<'n>]) -> Vec<Labeled<'n>> {
    let overridden: HashSet<&str> = rule.iter().map(|(_, name, ..)| name.as_str()).collect();
    let kept = group.iter().filter(|(_, name, ..)| !overridden.contains(name.as_str()));
    let mut all: Vec<Labeled<'n>> = kept.chain(rule).cloned().collect();
    all.sort_by(|a, b| a.1.cmp(&b.1));
    all
}
