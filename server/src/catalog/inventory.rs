//! Which services and hosts there are and which metrics they send. It is read from the index now and
//! then, not for each page.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use model::{Labels, MatchOp, Matcher, MetricKind, Storage, Timestamp, storage::Select};
use tsdb::Tsdb;

use crate::query::Queries;

/// How long an inventory is used.
const FRESH_MS: i64 = 5_000;
/// How far back a series counts as there.
const LOOKBACK_MS: i64 = 3_600_000;
/// The metric every host sends.
const HOST_METRIC: &str = "host_cpu_utilization_ratio";

/// A metric of a service.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) kind: MetricKind,
    /// `milliseconds`, or empty when not known.
    pub(crate) unit: String,
    /// Names of its labels.
    pub(crate) labels: BTreeSet<String>,
}

/// Everything that was found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inventory {
    /// Metrics by service.
    pub(crate) services: BTreeMap<String, Vec<Metric>>,
    /// Names of hosts.
    pub(crate) hosts: BTreeSet<String>,
    /// Hosts by service, where series have both labels.
    pub(crate) hosts_of: BTreeMap<String, BTreeSet<String>>,
}

/// The inventory of a moment ago.
#[derive(Debug, Default)]
pub(crate) struct InventoryCache(Mutex<Option<(Timestamp, Arc<Inventory>)>>);

impl InventoryCache {
    /// The inventory, read anew when it is old.
    pub(crate) async fn get(&self, queries: &Queries, now: Timestamp) -> Arc<Inventory> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, inventory)) = known
            && (0..FRESH_MS).contains(&(now - at))
        {
            return inventory;
        }
        let inventory = Arc::new(queries.read(move |store: &Tsdb| read(store, now)).await);
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *cache = Some((now, Arc::clone(&inventory)));
        inventory
    }
}

fn read(store: &Tsdb, now: Timestamp) -> Inventory {
    let kinds: BTreeMap<String, (MetricKind, String)> =
        store.metadata().into_iter().map(|m| (m.metric, (m.kind, m.unit))).collect();
    let mut inventory = Inventory::default();
    let mut metrics: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for labels in select(store, now, not_empty("service")) {
        let (Some(service), Some(name)) = (labels.get("service"), labels.metric_name()) else {
            continue;
        };
        let of_service = metrics.entry(service.to_owned()).or_default();
        let label_names = of_service.entry(name.to_owned()).or_default();
        label_names.extend(labels.iter().map(|(label, _)| label.to_owned()));
        if let Some(host) = labels.get("host") {
            inventory.hosts_of.entry(service.to_owned()).or_default().insert(host.to_owned());
        }
    }
    // Alerts and recorded results carry the label too, but a service that sends nothing is none.
    let is_sent =
        |name: &str| !matches!(name, "ALERTS" | "ALERTS_FOR_STATE") && !name.contains(':');
    for (service, metrics) in metrics {
        let sent: Vec<Metric> = metrics
            .into_iter()
            .filter(|(name, _)| is_sent(name))
            .map(|(name, labels)| {
                let (kind, unit) =
                    kinds.get(&name).cloned().unwrap_or((MetricKind::Unknown, String::new()));
                Metric { name, kind, unit, labels }
            })
            .collect();
        if !sent.is_empty() {
            inventory.services.insert(service, sent);
        }
    }
    let hosts = select(store, now, Matcher::equal(model::labels::METRIC_NAME, HOST_METRIC));
    inventory.hosts =
        hosts.iter().filter_map(|labels| labels.get("host")).map(str::to_owned).collect();
    inventory
}

fn not_empty(label: &str) -> Matcher {
    Matcher::try_new(label, MatchOp::NotEqual, "").expect("it is no regular expression")
}

fn select(store: &Tsdb, now: Timestamp, matcher: Matcher) -> Vec<Labels> {
    let request =
        Select { matchers: &[matcher], start: now - LOOKBACK_MS, end: now, max_series: usize::MAX };
    store.series(&request).unwrap_or_else(|error| {
        tracing::error!(error = %model::text::causes(&error), "cannot read the index");
        Vec::new()
    })
}
