//! Charts as data: a query and how to show it.

use quantity::Unit;
use serde::{Deserialize, Serialize};

/// A level that matters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// In the unit of the panel.
    pub value: f64,
    /// What crossing it means, such as the alert's name.
    pub label: String,
}

/// One chart.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Panel {
    /// Unique on its page, in kebab case.
    pub id: String,
    /// What the chart shows.
    pub title: String,
    /// PromQL for `/api/v1/query_range`, one per line of the chart's meaning (such as p50, p95, p99).
    pub queries: Vec<PanelQuery>,
    /// The unit of the values.
    pub unit: Unit,
    /// Levels drawn as dashed lines.
    pub thresholds: Vec<Threshold>,
    /// Labels that say what the chart is about: a series with another value for one of them is left
    /// out. A series without the label stays.
    #[serde(default)]
    pub only: Vec<(String, String)>,
}

/// Whether a series belongs into a chart that is about `only` these labels; see [`Panel::only`].
pub fn is_about<'a>(only: &[(String, String)], label: impl Fn(&str) -> Option<&'a str>) -> bool {
    only.iter().all(|(name, value)| label(name).is_none_or(|of_series| of_series == value))
}

/// A query of a panel.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PanelQuery {
    /// PromQL.
    pub expr: String,
    /// The name of its line when it yields a single series; with several series the labels that differ
    /// are appended. May be empty.
    pub legend: String,
}

#[cfg(test)]
mod tests {
    use super::is_about;

    #[test]
    fn a_series_stays_unless_a_label_says_otherwise() {
        let only =
            [("service".to_owned(), "a".to_owned()), ("severity".to_owned(), "page".to_owned())];
        for (labels, expected) in [
            (&[("service", "a")][..], true),
            (&[("service", "b")], false),
            (&[("host", "x")], true),
        ] {
            let label = |name: &str| labels.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
            assert_eq!(is_about(&only, label), expected, "{labels:?}");
        }
    }
}
