//! The route tree: which receivers are told about an alert, in which groups and when.

use std::{collections::BTreeSet, time::Duration};

use model::{Labels, Matcher};

use crate::config::RouteConfig;

const DEFAULT_GROUP_WAIT: Duration = Duration::from_secs(30);
const DEFAULT_GROUP_INTERVAL: Duration = Duration::from_mins(5);
const DEFAULT_REPEAT_INTERVAL: Duration = Duration::from_hours(4);

/// The labels that make groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupBy {
    /// Every label: each alert is a group of its own.
    All,
    /// These labels.
    Labels(BTreeSet<String>),
}

impl GroupBy {
    /// The labels of the group an alert belongs to.
    pub fn group_labels(&self, labels: &Labels) -> Labels {
        match self {
            Self::All => labels.clone(),
            Self::Labels(names) => labels.without(|name| !names.contains(name)),
        }
    }
}

/// A node of the tree with everything inherited filled in.
#[derive(Debug, Clone)]
pub struct Route {
    /// The matchers from the root to here, as Alertmanager writes them: `{}/{team="x"}`. Unique in the
    /// tree: a sibling with the same matchers has `#1`, `#2` … added.
    pub key: String,
    /// Who is told.
    pub receiver: String,
    /// What makes groups.
    pub group_by: GroupBy,
    /// How long a new group gathers alerts.
    pub group_wait: Duration,
    /// How long a group waits between notifications.
    pub group_interval: Duration,
    /// After which time an unchanged group is told again.
    pub repeat_interval: Duration,
    /// Time intervals in which it is silent.
    pub mute_time_intervals: Vec<String>,
    /// Time intervals outside which it is silent; none means always active.
    pub active_time_intervals: Vec<String>,
    matchers: Vec<Matcher>,
    continues: bool,
    children: Vec<Route>,
}

/// The tree, known by its root.
#[derive(Debug, Clone)]
pub struct RouteTree {
    root: Route,
}

impl RouteTree {
    /// Fills in what is inherited.
    pub fn new(config: &RouteConfig) -> Self {
        let above_root = Route {
            key: String::new(),
            receiver: String::new(),
            group_by: GroupBy::Labels(BTreeSet::new()),
            group_wait: DEFAULT_GROUP_WAIT,
            group_interval: DEFAULT_GROUP_INTERVAL,
            repeat_interval: DEFAULT_REPEAT_INTERVAL,
            mute_time_intervals: Vec::new(),
            active_time_intervals: Vec::new(),
            matchers: Vec::new(),
            continues: false,
            children: Vec::new(),
        };
        Self { root: Route::new(config, &above_root, "{}".to_owned()) }
    }

    /// The root, which takes every alert.
    pub fn root(&self) -> &Route {
        &self.root
    }

    /// The nodes that take an alert, never none: depth first, the first child that matches ends the
    /// search among its siblings unless it continues, and a node takes what no child of it takes.
    pub fn matching(&self, labels: &Labels) -> Vec<&Route> {
        let mut found = Vec::new();
        self.root.gather(labels, &mut found);
        found
    }

    /// The node with a key.
    pub fn find(&self, key: &str) -> Option<&Route> {
        let mut open = vec![&self.root];
        while let Some(route) = open.pop() {
            if route.key == key {
                return Some(route);
            }
            open.extend(&route.children);
        }
        None
    }
}

impl Route {
    fn new(config: &RouteConfig, parent: &Self, key: String) -> Self {
        let mut route = Self {
            receiver: config.receiver.clone().unwrap_or_else(|| parent.receiver.clone()),
            group_by: match &config.group_by {
                None => parent.group_by.clone(),
                Some(labels) if labels.iter().any(|label| label == "...") => GroupBy::All,
                Some(labels) => GroupBy::Labels(labels.iter().cloned().collect()),
            },
            group_wait: config.group_wait.unwrap_or(parent.group_wait),
            group_interval: config.group_interval.unwrap_or(parent.group_interval),
            repeat_interval: config.repeat_interval.unwrap_or(parent.repeat_interval),
            mute_time_intervals: config.mute_time_intervals.clone(),
            active_time_intervals: config.active_time_intervals.clone(),
            matchers: config.matchers.clone(),
            continues: config.continues,
            children: Vec::new(),
            key,
        };
        let mut keys: Vec<String> = Vec::new();
        for child in &config.routes {
            let matchers: Vec<String> = child.matchers.iter().map(ToString::to_string).collect();
            let key = format!("{}/{{{}}}", route.key, matchers.join(","));
            let earlier = keys.iter().filter(|known| **known == key).count();
            let unique = if earlier == 0 { key.clone() } else { format!("{key}#{earlier}") };
            keys.push(key);
            let child = Self::new(child, &route, unique);
            route.children.push(child);
        }
        route
    }

    /// The key of a group of this route: `routeKey:{label="value"}`.
    pub fn group_key(&self, group_labels: &Labels) -> String {
        format!("{}:{group_labels}", self.key)
    }

    fn gather<'a>(&'a self, labels: &Labels, found: &mut Vec<&'a Self>) -> bool {
        if !self.matchers.iter().all(|matcher| matcher.matches_labels(labels)) {
            return false;
        }
        let before = found.len();
        for child in &self.children {
            if child.gather(labels, found) && !child.continues {
                break;
            }
        }
        if found.len() == before {
            found.push(self);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    const TREE: &str = r#"
route:
  receiver: everyone
  group_by: [alertname]
  group_wait: 10s
  routes:
    - matchers: [owner="a"]
      receiver: a
      group_interval: 1m
      routes:
        - matchers: [env="testing"]
          receiver: a-testing
          group_by: ["..."]
        - matchers: [env="production"]
          receiver: a-production
          group_wait: 1m
          continue: true
        - matchers: [env=~"produ.*", job=~".*"]
          repeat_interval: 1h
    - match_re: {owner: "b|c"}
      receiver: bc
    - matchers: [group_by="role"]
      group_by: [role]
      routes:
        - matchers: [env="testing"]
          receiver: testing
        - matchers: [env="testing"]
          receiver: testing
receivers: [{name: everyone}, {name: a}, {name: a-testing}, {name: a-production}, {name: bc},
            {name: testing}]
"#;

    fn labels(text: &str) -> Labels {
        Labels::from_pairs(text.split(',').filter_map(|pair| pair.split_once('=')))
    }

    fn tree() -> RouteTree {
        RouteTree::new(&Config::parse(TREE, Path::new("alerting.yml")).unwrap().route)
    }

    #[test]
    fn alerts_find_their_routes() {
        let tree = tree();
        for (alert, expected) in [
            ("owner=d", "everyone"),
            ("owner=a", "a"),
            ("owner=a,env=staging", "a"),
            ("owner=aa", "everyone"),
            ("owner=a,env=testing", "a-testing"),
            ("owner=a,env=production", "a-production a"),
            ("owner=b", "bc"),
            ("owner=bb", "everyone"),
            ("group_by=role", "everyone"),
            ("group_by=role,env=testing", "testing"),
            ("", "everyone"),
        ] {
            let found: Vec<&str> =
                tree.matching(&labels(alert)).iter().map(|route| &*route.receiver).collect();
            assert_eq!(found.join(" "), expected, "{alert}");
        }
    }

    #[test]
    fn children_inherit_what_they_do_not_set() {
        let tree = tree();
        let of = |alert: &str| tree.matching(&labels(alert))[0];
        for (alert, wait, interval, repeat) in [
            ("owner=d", 10, 300, 14_400),
            ("owner=a", 10, 60, 14_400),
            ("owner=a,env=production", 60, 60, 14_400),
            ("owner=a,env=productive", 10, 60, 3_600),
        ] {
            let route = of(alert);
            let timings = [route.group_wait, route.group_interval, route.repeat_interval];
            assert_eq!(timings.map(|t| t.as_secs()), [wait, interval, repeat], "{alert}");
        }
        assert_eq!(of("owner=a,env=testing").group_by, GroupBy::All);
        assert_eq!(
            of("owner=a,env=productive").group_by.group_labels(&labels("alertname=x,owner=a")),
            labels("alertname=x")
        );
    }

    #[test]
    fn keys_are_alertmanagers_and_unique() {
        let tree = tree();
        let route = tree.matching(&labels("owner=a,env=production"))[1];
        assert_eq!(route.key, r#"{}/{owner="a"}/{env=~"produ.*",job=~".*"}"#);
        assert_eq!(
            route.group_key(&labels("alertname=x")),
            r#"{}/{owner="a"}/{env=~"produ.*",job=~".*"}:{alertname="x"}"#
        );
        assert!(tree.find(r#"{}/{group_by="role"}/{env="testing"}#1"#).is_some());
    }
}
