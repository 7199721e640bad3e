//! `[store]`: where everything is kept, and samples for how long.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use db::{Address, AddressError};
use serde::Deserialize;

use tsdb::RollupLevel;

use super::{
    Problems,
    value::{Bytes, Span},
};

/// Lengths of a name of a node.
const MAX_NODE: usize = 100;
const MIN_RETENTION: Duration = Duration::from_hours(1);
const MIN_RETENTION_SIZE: u64 = 64 << 20;
const MIN_WAITING_BYTES: u64 = 256 << 10;

/// What keeps samples, alerts, accounts and the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Engine {
    /// Files in the data folder.
    Sqlite,
    /// A PostgreSQL database.
    Postgres,
}

/// `[store]`. The address may hold a password, so it is never shown.
#[derive(Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Store {
    /// Who should change it: those whose machine must not be the only one that has the data.
    pub(crate) engine: Engine,
    /// `postgres://user@host:5432/database`.
    url: Option<String>,
    /// A file that holds the address, with its password.
    url_file: Option<PathBuf>,
    /// A file that holds the password; it replaces the one in the address.
    password_file: Option<PathBuf>,
    /// The name of this node where several share the database: it is in the label `ingest_node` of the
    /// series that the node makes, and must be the same after a restart.
    pub(crate) node: Option<String>,
    /// How long rules, monitors and notifications wait for a node that died, `2s` to `1m`. A shorter time
    /// needs a database that answers as fast.
    pub(crate) lease: Span,
    /// How long samples are kept, at least `1h`.
    pub(crate) retention: Span,
    /// How much room all of it may take, rollups included; the oldest goes first. At least `64MiB`; no
    /// limit when it is not set. Who should change it: those whose disk fills up before `retention` is over.
    pub(crate) retention_size: Option<Bytes>,
    /// What is kept of samples that are older than `retention`.
    pub(crate) rollups: Rollups,
    /// How much data is gathered before it is sealed into pages; `20m` to `2h`.
    pub(crate) seal_interval: Span,
    /// The most memory for flushes that the database would not take, at least `256KiB`; beyond it the
    /// oldest are dropped. Who should change it: those whose disk or database may be gone for long.
    pub(crate) max_waiting: Bytes,
}

/// `store.rollups`: how long what windows of samples come to is kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Rollups {
    /// Windows of five minutes. Default `180d`; `0s` for none.
    #[serde(rename = "5m")]
    pub(crate) five_minutes: Span,
    /// Windows of one hour. Default `2y`; `0s` for none.
    #[serde(rename = "1h")]
    pub(crate) one_hour: Span,
}

impl Default for Rollups {
    fn default() -> Self {
        Self { five_minutes: Span::seconds(180 * 86_400), one_hour: Span::seconds(730 * 86_400) }
    }
}

impl Rollups {
    fn all(&self) -> [(&'static str, Duration, Span); 2] {
        [
            ("store.rollups.5m", Duration::from_mins(5), self.five_minutes),
            ("store.rollups.1h", Duration::from_hours(1), self.one_hour),
        ]
    }

    /// As the store wants them. Those that would be gone before the samples are left out.
    pub(crate) fn levels(&self, samples: Span) -> Vec<RollupLevel> {
        let kept = self.all().into_iter().filter(|(_, _, retention)| retention.0 > samples.0);
        kept.map(|(_, window, retention)| RollupLevel { window, retention: retention.0 }).collect()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("engine", &self.engine)
            .field("node", &self.node)
            .field("lease", &self.lease)
            .field("retention", &self.retention)
            .field("retention_size", &self.retention_size)
            .field("rollups", &self.rollups)
            .field("seal_interval", &self.seal_interval)
            .field("max_waiting", &self.max_waiting)
            .finish_non_exhaustive()
    }
}

impl Default for Store {
    fn default() -> Self {
        Self {
            engine: Engine::Sqlite,
            url: None,
            url_file: None,
            password_file: None,
            node: None,
            lease: Span::seconds(6),
            retention: Span::seconds(30 * 86_400),
            retention_size: None,
            rollups: Rollups::default(),
            seal_interval: Span::seconds(3600),
            max_waiting: Bytes(64 << 20),
        }
    }
}

impl Store {
    /// Where the PostgreSQL database is; reads the files that the settings name.
    ///
    /// # Errors
    /// What is wrong and what to do; never with the address or the password.
    pub(crate) fn address(&self) -> Result<Address, String> {
        let url = match (&self.url, &self.url_file) {
            (Some(url), _) => url.clone(),
            (None, Some(path)) => read("store.url_file", path)?,
            (None, None) => return Err("store.url is missing".to_owned()),
        };
        let password = self.password_file.as_deref();
        let password = password.map(|path| read("store.password_file", path)).transpose()?;
        Address::try_new(&url, password.as_deref())
            .map_err(|error| format!("store.url: {}", explained(error)))
    }

    /// Makes paths relative to a folder.
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        for path in self.url_file.iter_mut().chain(&mut self.password_file) {
            *path = folder.join(&*path);
        }
    }

    pub(super) fn validate(&self, problems: &mut Problems) {
        if self.retention.0 < MIN_RETENTION {
            problems.add("store.retention", "must be at least 1h");
        }
        if self.retention_size.is_some_and(|size| size.0 < MIN_RETENTION_SIZE) {
            problems.add("store.retention_size", "must be at least 64MiB");
        }
        let mut shortest = self.retention.0;
        for (key, window, retention) in self.rollups.all() {
            // Of those that nobody asked for nothing is said.
            let is_default = Rollups::default().all().contains(&(key, window, retention));
            if retention.0 > shortest {
                shortest = retention.0;
            } else if !retention.0.is_zero() && !is_default {
                problems.add(
                    key,
                    "must be longer than store.retention and than finer rollups, or 0s for none",
                );
            }
        }
        if !(20 * 60..=2 * 3600).contains(&self.seal_interval.0.as_secs()) {
            problems.add("store.seal_interval", "must be between 20m and 2h");
        }
        if self.max_waiting.0 < MIN_WAITING_BYTES {
            problems.add("store.max_waiting", "must be at least 256KiB");
        }
        if !(2..=60).contains(&self.lease.0.as_secs()) {
            problems.add("store.lease", "must be between 2s and 1m");
        }
        if self.node.as_ref().is_some_and(|name| name.is_empty() || name.len() > MAX_NODE) {
            problems.add("store.node", "must have 1 to 100 characters");
        }
        match self.engine {
            Engine::Sqlite => self.validate_sqlite(problems),
            Engine::Postgres => self.validate_postgres(problems),
        }
    }

    fn validate_sqlite(&self, problems: &mut Problems) {
        for (key, is_set) in [
            ("store.url", self.url.is_some()),
            ("store.url_file", self.url_file.is_some()),
            ("store.password_file", self.password_file.is_some()),
            ("store.node", self.node.is_some()),
        ] {
            if is_set {
                problems
                    .add(key, "has no effect on engine = \"sqlite\"; did you mean \"postgres\"?");
            }
        }
    }

    fn validate_postgres(&self, problems: &mut Problems) {
        match (&self.url, &self.url_file) {
            (None, None) => problems.add(
                "store.engine",
                "\"postgres\" needs store.url or store.url_file with the database's address",
            ),
            (Some(_), Some(_)) => {
                problems.add("store.url", "is set together with store.url_file; keep one");
            }
            (Some(url), None) => {
                if let Err(error) = Address::try_new(url, None) {
                    problems.add("store.url", explained(error));
                }
            }
            (None, Some(_)) => {}
        }
    }
}

fn read(key: &str, path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| format!("{key}: cannot read {}: {error}", path.display()))?;
    Ok(text.trim().to_owned())
}

fn explained(error: AddressError) -> String {
    match error {
        AddressError::Scheme => "expected postgres://user@host:5432/database".to_owned(),
        AddressError::Malformed => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Store {
        toml::from_str(text).unwrap()
    }

    fn problems_of(text: &str) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        read(text).validate(&mut problems);
        problems.0
    }

    #[test]
    fn an_address_comes_from_the_file_or_from_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("url"), "postgres://u:hidden@b:1/d\n").unwrap();
        std::fs::write(folder.path().join("word"), "hidden\n").unwrap();
        for (text, expected) in [
            ("url = \"postgres://u:hidden@a/d\"", "d at a:5432"),
            ("url = \"postgresql://u@a:7/d\"\npassword_file = \"word\"", "d at a:7"),
            ("url_file = \"url\"", "d at b:1"),
            ("url = \"postgres://u@h/d?host=/run/postgresql\"", "d at /run/postgresql"),
            ("url = \"postgres://u@a\"", "u at a:5432"),
        ] {
            let text = format!("engine = \"postgres\"\n{text}");
            assert_eq!(problems_of(&text), [], "{text}");
            let mut store = read(&text);
            store.resolve_paths(folder.path());
            let address = store.address().unwrap();
            assert_eq!(address.to_string(), expected);
            assert!(!format!("{store:?}{address:?}").contains("hidden"));
        }
    }

    #[test]
    fn rollups_are_kept_longer_than_what_they_are_made_of() {
        let levels = |text: &str| {
            let store = read(text);
            let levels = store.rollups.levels(store.retention);
            levels.iter().map(|level| level.retention.as_secs() / 86_400).collect::<Vec<_>>()
        };
        assert_eq!(levels(""), [180, 730]);
        assert_eq!(levels("retention = \"1y\""), [730]);
        assert_eq!(levels("rollups = { 5m = \"0s\", 1h = \"1y\" }"), [365]);
        for (text, key) in [
            ("rollups = { 5m = \"30d\" }", "store.rollups.5m"),
            ("rollups = { 1h = \"90d\" }", "store.rollups.1h"),
            ("retention_size = \"1MB\"", "store.retention_size"),
        ] {
            let problems = problems_of(text);
            assert_eq!(problems.len(), 1, "{text}: {problems:?}");
            assert_eq!(problems[0].0, key, "{text}");
        }
        assert_eq!(problems_of("retention_size = \"20GB\""), []);
    }

    #[test]
    fn a_mistake_is_told_without_the_address() {
        for (text, key, message) in [
            ("engine = \"postgres\"", "store.engine", "store.url_file"),
            ("url = \"postgres://u:hidden@a/d\"", "store.url", "no effect"),
            ("node = \"a\"", "store.node", "no effect"),
            ("lease = \"1s\"", "store.lease", "between 2s and 1m"),
            ("engine = \"postgres\"\nurl = \"mysql://u:hidden@a/d\"", "store.url", "postgres://"),
            ("engine = \"postgres\"\nurl = \"postgres://u:hidden@a:x/d\"", "store.url", "%40"),
            (
                "engine = \"postgres\"\nurl = \"postgres://u:hidden@a/d\"\nurl_file = \"u\"",
                "store.url",
                "keep one",
            ),
        ] {
            let problems = problems_of(text);
            assert_eq!(problems.len(), 1, "{text}: {problems:?}");
            assert_eq!(problems[0].0, key, "{text}");
            assert!(problems[0].1.contains(message), "{problems:?}");
            assert!(!problems[0].1.contains("hidden"), "{problems:?}");
        }
        let store = read("engine = \"postgres\"\nurl_file = \"/none\"");
        let error = store.address().unwrap_err();
        assert!(error.starts_with("store.url_file: cannot read /none"), "{error}");
    }
}
