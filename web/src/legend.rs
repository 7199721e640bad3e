//! Names of series: only the labels that differ.

use std::collections::BTreeSet;

/// Labels of a series, sorted by name, as Prometheus's API gives them.
pub(crate) type Labels = Vec<(String, String)>;

/// What a series is named after.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The name given by the panel; may be empty.
    pub(crate) legend: &'a str,
    /// The expression it comes from.
    pub(crate) expr: &'a str,
    /// Its labels.
    pub(crate) labels: &'a Labels,
}

/// The shortest names that tell the series of a chart apart, in the order of `sources`.
///
/// A name is the panel's own, then the values of the labels that are not the same everywhere; with
/// more than two such labels each value carries its label's name.
pub(crate) fn names(sources: &[Source<'_>]) -> Vec<String> {
    let differing = differing_labels(sources);
    let is_legend_enough = {
        let legends: BTreeSet<&str> = sources.iter().map(|source| source.legend).collect();
        legends.len() == sources.len() && !legends.contains("")
    };
    sources
        .iter()
        .map(|source| {
            if is_legend_enough {
                return source.legend.to_owned();
            }
            let labels = label_text(source.labels, &differing);
            match (source.legend, labels.as_str()) {
                ("", "") => fallback(source),
                ("", labels) => labels.to_owned(),
                (legend, "") => legend.to_owned(),
                (legend, labels) => format!("{legend} {labels}"),
            }
        })
        .collect()
}

fn differing_labels<'a>(sources: &[Source<'a>]) -> Vec<&'a str> {
    let names: BTreeSet<&str> = sources
        .iter()
        .flat_map(|source| source.labels.iter().map(|label| label.0.as_str()))
        .collect();
    let differs = |name: &&str| {
        let mut values = sources.iter().map(|source| value_of(source.labels, name));
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    names.into_iter().filter(differs).collect()
}

fn value_of<'a>(labels: &'a Labels, name: &str) -> &'a str {
    labels.iter().find(|label| label.0 == name).map_or("", |label| label.1.as_str())
}

fn label_text(labels: &Labels, differing: &[&str]) -> String {
    let parts: Vec<String> = differing
        .iter()
        .map(|name| (*name, value_of(labels, name)))
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| {
            if differing.len() <= 2 || name == "__name__" {
                value.to_owned()
            } else {
                format!("{name}={value}")
            }
        })
        .collect();
    parts.join(" · ")
}

/// A name for a series that nothing tells apart: the metric's, or the expression.
fn fallback(source: &Source<'_>) -> String {
    let name = value_of(source.labels, "__name__");
    if name.is_empty() { source.expr.to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[track_caller]
    fn check(series: &[(&str, &[(&str, &str)])], expected: &[&str]) {
        let all: Vec<Labels> = series.iter().map(|series| labels(series.1)).collect();
        let sources: Vec<Source<'_>> = series
            .iter()
            .zip(&all)
            .map(|(series, labels)| Source { legend: series.0, expr: "rate(x[5m])", labels })
            .collect();
        assert_eq!(names(&sources), expected);
    }

    #[test]
    fn only_labels_that_differ_are_named() {
        check(
            &[
                ("", &[("env", "prod"), ("service", "cart")]),
                ("", &[("env", "prod"), ("service", "checkout")]),
            ],
            &["cart", "checkout"],
        );
    }

    #[test]
    fn three_differing_labels_carry_their_names() {
        check(
            &[
                ("", &[("code", "200"), ("host", "a"), ("method", "GET")]),
                ("", &[("code", "500"), ("host", "b"), ("method", "PUT")]),
            ],
            &["code=200 · host=a · method=GET", "code=500 · host=b · method=PUT"],
        );
    }

    #[test]
    fn the_panels_names_are_enough_when_they_differ() {
        check(&[("p50", &[]), ("p95", &[]), ("p99", &[])], &["p50", "p95", "p99"]);
    }

    #[test]
    fn several_series_of_one_query_add_their_labels() {
        check(
            &[("read", &[("device", "sda")]), ("read", &[("device", "sdb")])],
            &["read sda", "read sdb"],
        );
    }

    #[test]
    fn a_lone_series_is_named_after_its_metric_or_expression() {
        check(&[("", &[("__name__", "up"), ("job", "a")])], &["up"]);
        check(&[("", &[("job", "a")])], &["rate(x[5m])"]);
    }

    #[test]
    fn a_label_that_only_some_have_tells_them_apart() {
        check(
            &[("", &[("__name__", "a")]), ("", &[("__name__", "a"), ("zone", "x")])],
            &["a", "x"],
        );
    }
}
