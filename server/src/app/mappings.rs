//! The mapping files of all listeners.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use ingest::Mapping;

use crate::{
    alerting::load::{self, Loaded},
    config::statsd::Statsd,
};

/// The rules of each list of files that a listener names.
#[derive(Debug, Default)]
pub(crate) struct Mappings(BTreeMap<Vec<PathBuf>, Arc<Mapping>>);

impl Mappings {
    /// Reads the files of all listeners; a file that several name is read once.
    pub(crate) fn read(statsd: &Statsd) -> Loaded<Self> {
        let mut lists: Vec<Vec<PathBuf>> =
            statsd.listeners().into_iter().map(|listen| listen.mappings.0).collect();
        lists.sort();
        lists.dedup();
        let mut errors = Vec::new();
        let mut files: BTreeMap<PathBuf, Option<Mapping>> = BTreeMap::new();
        let mut mappings = BTreeMap::new();
        for list in lists {
            let paths = load::expand_all(&list, &mut errors);
            for path in &paths {
                if !files.contains_key(path) {
                    files.insert(path.clone(), read(path, &mut errors));
                }
            }
            let rules = paths.iter().filter_map(|path| files.get(path)?.as_ref());
            mappings.insert(list, Arc::new(Mapping::join(rules)));
        }
        errors.dedup();
        if errors.is_empty() { Ok(Self(mappings)) } else { Err(errors) }
    }

    /// The rules of a list of files.
    pub(crate) fn of(&self, files: &[PathBuf]) -> Arc<Mapping> {
        self.0.get(files).cloned().unwrap_or_default()
    }
}

/// Reads one file, or notes what is wrong with it.
pub(crate) fn read(path: &Path, errors: &mut Vec<String>) -> Option<Mapping> {
    let text = load::read(path, errors)?;
    parse(path, &text, errors)
}

/// Takes the text of a file apart, or notes what is wrong with it, a line for each problem.
pub(crate) fn parse(path: &Path, text: &str, errors: &mut Vec<String>) -> Option<Mapping> {
    let path = path.display();
    let problems = match Mapping::parse_named(&path.to_string(), text) {
        Ok(mapping) => return Some(mapping),
        Err(error) => error.problems,
    };
    errors
        .extend(problems.iter().map(|p| format!("{path}:{}:{}: {}", p.line, p.column, p.message)));
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ingest::{Dialect, explain};

    use super::*;
    use crate::{
        catalog::{
            inventory::Metric,
            red::{self, ErrorSource, RateSource},
        },
        config::{self, Source},
    };

    #[test]
    fn each_listener_has_its_files_and_every_mistake_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let rule = |name: &str| format!("mappings:\n  - {{match: a.*, name: {name}}}\n");
        write("one.yml", &rule("one"));
        write("two.yml", &rule("two"));
        let file = write(
            "bellwether.toml",
            "[statsd]\nmappings = \"*.yml\"\n\
             [[statsd.listener]]\naddress = \"tcp://127.0.0.1:1\"\nmappings = [\"two.yml\"]\n\
             [[statsd.listener]]\naddress = \"tcp://127.0.0.1:2\"\nmappings = []\n",
        );
        let source = Source { file: Some(file), ..Source::default() };
        let statsd = config::load(&source).unwrap().statsd;
        let mappings = Mappings::read(&statsd).unwrap();
        let rules: Vec<usize> =
            statsd.listeners().iter().map(|l| mappings.of(&l.mappings.0).len()).collect();
        assert_eq!(rules, [2, 1, 0]);

        write("two.yml", "mappings:\n  - {match: a..b, name: two}\n  - {match: b}\n");
        let errors = Mappings::read(&statsd).unwrap_err();
        let place = folder.path().join("two.yml").display().to_string();
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].starts_with(&format!("{place}:2:5: ")), "{errors:?}");
        assert!(errors[1].starts_with(&format!("{place}:3:5: ")), "{errors:?}");
    }

    /// The metrics of each service that a shipped mapping makes of its sample.
    fn services(name: &str) -> BTreeMap<String, Vec<Metric>> {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/mappings"));
        let rules = read(&folder.join(format!("{name}.yml")), &mut Vec::new()).unwrap();
        let dialect = Dialect { mapping: Arc::new(rules), ..Dialect::default() };
        let lines = std::fs::read_to_string(folder.join(format!("samples/{name}.txt"))).unwrap();
        let mut services: BTreeMap<String, BTreeMap<String, Metric>> = BTreeMap::new();
        for line in lines.lines().filter(|line| !line.starts_with('#')) {
            for series in explain(&dialect, line.as_bytes()).series {
                let Some(service) = series.labels.get("service") else { continue };
                let name = series.labels.metric_name().unwrap();
                let metrics = services.entry(service.to_owned()).or_default();
                let metric = metrics.entry(name.to_owned()).or_insert_with(|| Metric {
                    name: name.to_owned(),
                    kind: series.kind.metric_kind(),
                    unit: series.unit.to_owned(),
                    labels: BTreeSet::new(),
                });
                metric.labels.extend(series.labels.iter().map(|(label, _)| label.to_owned()));
            }
        }
        services.into_iter().map(|(name, found)| (name, found.into_values().collect())).collect()
    }

    #[test]
    fn services_behind_shipped_mappings_have_rate_errors_and_duration() {
        for (mapping, service, rate, has_errors, duration) in [
            ("go-response", "go", "response_calls", false, "response_time"),
            ("gunicorn", "gunicorn", "gunicorn_requests", true, "gunicorn_request_duration"),
            ("gunicorn", "shop.api", "gunicorn_requests", true, "gunicorn_request_duration"),
            ("envoy", "orders", "envoy_cluster_requests", true, "envoy_cluster_request_duration"),
            ("envoy", "ingress_http", "envoy_http_requests", true, "envoy_http_request_duration"),
            ("nginx", "shop", "nginx_requests", true, "nginx_request_duration"),
            ("nginx", "accounts", "kong_requests", true, "kong_request_duration"),
            ("nginx", "your_product", "nginx_page_requests", false, "nginx_page_duration"),
            ("airflow", "airflow", "airflow_tasks_processed", true, "airflow_task_duration"),
        ] {
            let services = services(mapping);
            let red = red::choose(services.get(service).unwrap_or_else(|| panic!("{service}")));
            assert_eq!(red.rate, Some(RateSource::Counter(rate.to_owned())), "{service}");
            let status = "status=~\"5..|error|failed|failure\"".to_owned();
            assert_eq!(
                red.errors,
                has_errors.then_some(ErrorSource::Matching(status)),
                "{service}"
            );
            assert_eq!(red.duration, Some((duration.to_owned(), false)), "{service}");
        }
    }
}
