//! `[agent]`: the host collector that is built in.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use db::Watched;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{Problems, value::Span};

/// More of them than this are no top.
pub(crate) const MAX_TOP_PROCESSES: usize = 100;

/// `[agent]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Agent {
    /// Whether this machine's own metrics are collected.
    pub(crate) enabled: bool,
    /// How often.
    pub(crate) interval: Span,
    /// The value of the `host` label. Default: the machine's name.
    pub(crate) host: Option<String>,
    /// How many commands are told that use the most processor time or memory, each; 0 for none.
    pub(crate) top_processes: usize,
    /// Database servers whose connections are counted.
    pub(crate) databases: Vec<Database>,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Span::seconds(10),
            host: None,
            top_processes: 10,
            databases: Vec::new(),
        }
    }
}

/// A database server: `"postgres://…"`, or a table with a password from elsewhere. The address may hold
/// a password, so it is never shown.
#[derive(Clone, Default)]
pub(crate) struct Database {
    url: String,
    password_file: Option<PathBuf>,
    password_env: Option<String>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for Database {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Table {
            url: String,
            password_file: Option<PathBuf>,
            password_env: Option<String>,
        }

        struct UrlOrTable;

        impl<'de> Visitor<'de> for UrlOrTable {
            type Value = Database;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address or a table with `url`")
            }

            fn visit_str<E: serde::de::Error>(self, url: &str) -> Result<Database, E> {
                Ok(Database { url: url.to_owned(), ..Database::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Database, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                let Table { url, password_file, password_env } = table;
                Ok(Database { url, password_file, password_env })
            }
        }

        deserializer.deserialize_any(UrlOrTable)
    }
}

impl Database {
    /// A server as the command line names it.
    pub(crate) fn new(url: String, password_file: Option<PathBuf>) -> Self {
        Self { url, password_file, password_env: None }
    }

    /// Reads the password and takes the address apart.
    ///
    /// # Errors
    /// What is wrong and what to do; never with the address or the password.
    pub(crate) fn watched(&self) -> Result<Watched, String> {
        let password = match (&self.password_file, &self.password_env) {
            (Some(path), _) => {
                let text = std::fs::read_to_string(path);
                Some(text.map_err(|e| format!("{}: cannot be read: {e}", path.display()))?)
            }
            (None, Some(name)) => Some(from_environment(name)?),
            (None, None) => None,
        };
        Watched::try_new(
            &self.url,
            password.as_deref().map(|text| text.trim_end_matches(['\r', '\n'])),
        )
        .map_err(|error| error.to_string())
    }
}

#[expect(clippy::disallowed_methods, reason = "this is configuration, read once at the start")]
fn from_environment(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("the environment variable {name} is not set"))
}

impl Agent {
    /// The servers to count connections of, with their passwords.
    ///
    /// # Errors
    /// The first that cannot be used, with its place.
    pub(crate) fn watched(&self) -> Result<Vec<Watched>, String> {
        let databases = self.databases.iter().enumerate();
        databases
            .map(|(index, database)| {
                database.watched().map_err(|error| format!("agent.databases[{index}]: {error}"))
            })
            .collect()
    }

    /// Makes paths relative to a folder.
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        for path in self.databases.iter_mut().filter_map(|d| d.password_file.as_mut()) {
            *path = folder.join(&*path);
        }
    }

    pub(super) fn validate(&self, problems: &mut Problems) {
        if self.interval.0.as_secs() == 0 {
            problems.add("agent.interval", "must be at least 1s");
        }
        if self.top_processes > MAX_TOP_PROCESSES {
            problems.add("agent.top_processes", format!("must be at most {MAX_TOP_PROCESSES}"));
        }
        for (index, database) in self.databases.iter().enumerate() {
            let key = format!("agent.databases[{index}]");
            if let Err(error) = Watched::try_new(&database.url, None) {
                problems.add(&key, error.to_string());
            }
            if database.password_file.is_some() && database.password_env.is_some() {
                problems.add(&key, "has a password_file and a password_env; keep one");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Agent {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_database_is_an_address_or_a_table() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "hidden\n").unwrap();
        let mut agent = read(
            "databases = [\"postgres://u:hidden@a\", { url = \"mysql://u@b:1\", password_file = \
             \"secret\" }]",
        );
        agent.resolve_paths(folder.path());
        let watched = agent.watched().unwrap();
        let addresses: Vec<&str> = watched.iter().map(Watched::address).collect();
        assert_eq!(addresses, ["a:5432", "b:1"]);
        assert!(!format!("{agent:?}{watched:?}").contains("hidden"));
    }

    #[test]
    fn a_mistake_is_told_without_the_address() {
        let agent = read(
            "top_processes = 500\ndatabases = [\"redis://u:hidden@a\", { url = \"mysql://u@b\", \
             password_file = \"/none\", password_env = \"X\" }]",
        );
        let mut problems = Problems::default();
        agent.validate(&mut problems);
        let problems = format!("{problems:?}");
        for expected in ["top_processes", "databases[0]", "databases[1]"] {
            assert!(problems.contains(expected), "{problems}");
        }
        assert!(!problems.contains("hidden"), "{problems}");
        let agent = read("databases = [{ url = \"mysql://u@b\", password_env = \"BW_NOT_SET\" }]");
        let error = agent.watched().unwrap_err();
        assert_eq!(error, "agent.databases[0]: the environment variable BW_NOT_SET is not set");
    }
}
