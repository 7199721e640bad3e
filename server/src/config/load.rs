//! Reads the file and the environment into a [`Config`] and places every error.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use super::{Config, Problems};

/// The prefix of environment variables that are settings.
const PREFIX: &str = "BELLWETHER_";

/// Where settings come from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    /// The file; without one the defaults hold.
    pub(crate) file: Option<PathBuf>,
    /// The environment.
    pub(crate) environment: BTreeMap<String, String>,
}

/// One thing that is wrong with the configuration, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigError {
    place: String,
    message: String,
}

/// Everything that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// The errors as lines `place: message`.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|error| format!("{}: {}", error.place, error.message))
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().collect::<Vec<_>>().join("\n"))
    }
}

impl std::error::Error for ConfigErrors {}

/// Reads, merges and checks the configuration.
///
/// # Errors
/// Every error that can be found, each with file, line and column or with the variable's name.
pub(crate) fn load(source: &Source) -> Result<Config, ConfigErrors> {
    let text = match &source.file {
        None => String::new(),
        Some(path) => std::fs::read_to_string(path).map_err(|error| {
            single(path.display().to_string(), format!("cannot read the configuration: {error}"))
        })?,
    };
    let places = Places::new(source, &text);
    let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        single(places.at(error.span().map(|span| span.start)), first_line(error.message()))
    })?;
    merge_environment(&mut table, &source.environment)?;

    let mut unknown = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let parsed: Result<Config, _> = serde_ignored::deserialize(
        serde_path_to_error::Deserializer::new(toml::Value::Table(table), &mut track),
        |path| unknown.push(path.to_string()),
    );
    let mut errors: Vec<ConfigError> = unknown
        .iter()
        .map(|key| ConfigError { place: places.of(key), message: unknown_key(key) })
        .collect();
    match parsed {
        Err(error) => {
            let key = track.path().to_string();
            let message = format!("{key}: {}", first_line(error.message()));
            errors.push(ConfigError { place: places.of(&key), message });
            Err(ConfigErrors(errors))
        }
        Ok(mut config) => {
            if let Some(folder) = source.file.as_deref().and_then(Path::parent) {
                config.resolve_paths(folder);
            }
            let mut problems = Problems::default();
            config.validate(&mut problems);
            errors.extend(problems.0.into_iter().map(|(key, message)| ConfigError {
                place: places.of(&key),
                message: format!("{key}: {message}"),
            }));
            if !errors.is_empty() {
                return Err(ConfigErrors(errors));
            }
            Ok(config)
        }
    }
}

impl Config {
    /// Makes paths that came from a file relative to its folder. The data folder stays relative to the
    /// working directory: it belongs to the place of running, not to the configuration.
    fn resolve_paths(&mut self, folder: &Path) {
        let resolve = |path: &mut PathBuf| *path = folder.join(&*path);
        self.rules.files.iter_mut().for_each(resolve);
        self.monitors.files.iter_mut().for_each(resolve);
        self.alerting.config.iter_mut().for_each(resolve);
        self.runbooks.dir.iter_mut().for_each(resolve);
        self.statsd.resolve_paths(folder);
        self.store.resolve_paths(folder);
        self.remote_write.resolve_paths(folder);
        self.smtp.password_file.iter_mut().for_each(resolve);
        self.agent.resolve_paths(folder);
    }
}

fn single(place: String, message: impl Into<String>) -> ConfigErrors {
    ConfigErrors(vec![ConfigError { place, message: message.into() }])
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn unknown_key(key: &str) -> String {
    format!("unknown setting `{key}`; see docs/reference/config.md for all settings")
}

/// Puts `BELLWETHER_SECTION__KEY=value` into the table. A value that reads as TOML is taken as that,
/// anything else as text.
fn merge_environment(
    table: &mut toml::Table,
    environment: &BTreeMap<String, String>,
) -> Result<(), ConfigErrors> {
    for (variable, text) in environment {
        let Some(path) = variable.strip_prefix(PREFIX).filter(|rest| rest.contains("__")) else {
            continue;
        };
        let keys: Vec<String> = path.split("__").map(str::to_lowercase).collect();
        let value = format!("v = {text}")
            .parse::<toml::Table>()
            .ok()
            .and_then(|mut table| table.remove("v"))
            .unwrap_or_else(|| toml::Value::String(text.clone()));
        let (last, sections) = keys.split_last().expect("split yields at least one part");
        let mut at = &mut *table;
        for section in sections {
            at = at
                .entry(section.clone())
                .or_insert_with(|| toml::Value::Table(toml::Table::new()))
                .as_table_mut()
                .ok_or_else(|| single(variable.clone(), format!("`{section}` is not a section")))?;
        }
        at.insert(last.clone(), value);
    }
    Ok(())
}

/// Finds where a setting was written.
struct Places<'a> {
    file: String,
    text: &'a str,
    offsets: BTreeMap<String, usize>,
    variables: BTreeMap<String, String>,
}

impl<'a> Places<'a> {
    fn new(source: &Source, text: &'a str) -> Self {
        let mut offsets = BTreeMap::new();
        if let Ok(table) = toml::de::DeTable::parse(text) {
            note_offsets(table.get_ref(), "", &mut offsets);
        }
        let variables = source
            .environment
            .keys()
            .filter_map(|name| Some((name.strip_prefix(PREFIX)?, name)))
            .map(|(path, name)| (path.replace("__", ".").to_lowercase(), name.clone()))
            .collect();
        let file = source.file.as_ref().map_or("defaults".to_owned(), |p| p.display().to_string());
        Self { file, text, offsets, variables }
    }

    /// `file:line:column` of a byte of the file.
    fn at(&self, offset: Option<usize>) -> String {
        let Some(before) = offset.and_then(|offset| self.text.get(..offset)) else {
            return self.file.clone();
        };
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        format!("{}:{line}:{column}", self.file)
    }

    /// The place of a setting, or of the nearest section around it. Places in a list are written as
    /// `list[0]` or as `list.0`.
    fn of(&self, key: &str) -> String {
        let key = &*key.replace('[', ".").replace(']', "");
        let mut key = key;
        loop {
            if let Some(variable) = self.variables.get(key) {
                return format!("environment variable {variable}");
            }
            if let Some(offset) = self.offsets.get(key) {
                return self.at(Some(*offset));
            }
            match key.rsplit_once('.') {
                Some((parent, _)) => key = parent,
                None => return self.file.clone(),
            }
        }
    }
}

fn note_offsets(
    table: &toml::de::DeTable<'_>,
    prefix: &str,
    offsets: &mut BTreeMap<String, usize>,
) {
    for (key, value) in table {
        let path = match prefix {
            "" => key.get_ref().to_string(),
            prefix => format!("{prefix}.{}", key.get_ref()),
        };
        match value.get_ref() {
            toml::de::DeValue::Table(inner) => note_offsets(inner, &path, offsets),
            toml::de::DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}.{index}");
                    if let toml::de::DeValue::Table(inner) = item.get_ref() {
                        note_offsets(inner, &path, offsets);
                    }
                    offsets.insert(path, item.span().start);
                }
            }
            _ => {}
        }
        offsets.insert(path, key.span().start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loads a text as if it were the file `test.toml` and returns the errors.
    #[track_caller]
    fn errors_of(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.toml");
        std::fs::write(&path, text).unwrap();
        let environment =
            environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let prefix = format!("{}/", folder.path().display());
        match load(&Source { file: Some(path), environment }) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.lines().map(|line| line.replace(&prefix, "")).collect(),
        }
    }

    #[test]
    fn every_unknown_key_is_named_with_its_place() {
        let text = "[http]\nlisten = \"127.0.0.1:1\"\nport = 3\n\n[sttsd]\nudp = []\n";
        assert_eq!(
            errors_of(text, &[]),
            [
                "test.toml:3:1: unknown setting `http.port`; see docs/reference/config.md for all settings",
                "test.toml:5:2: unknown setting `sttsd`; see docs/reference/config.md for all settings",
            ]
        );
    }

    #[test]
    fn errors_name_the_place_and_the_remedy() {
        for (name, text, expected) in [
            ("syntax", "[http\n", "test.toml:1:6: unclosed table, expected `]`"),
            (
                "type",
                "[http]\nlisten = 5\n",
                "test.toml:2:1: http.listen: invalid type: integer `5`, expected a string",
            ),
            (
                "duration",
                "[statsd]\nflush_interval = \"10\"\n",
                "test.toml:2:1: statsd.flush_interval: `10` is not a duration, expected something like \
                 30s, 5m or 1h30m",
            ),
            (
                "range",
                "[statsd]\nflush_interval = \"1h\"\nttl = { counter = \"2h\", gauge = \"2h\", timer = \"2h\", set = \"2h\" }\n",
                "test.toml:2:1: statsd.flush_interval: must be between 1s and 5m",
            ),
            (
                "open door",
                "[http]\nlisten = \"0.0.0.0:80\"\n[auth]\nmode = \"none\"\n",
                "test.toml:4:1: auth.mode: \"none\" lets everybody in and 0.0.0.0:80 is not a loopback \
                 address; use \"password\" or listen on 127.0.0.1",
            ),
            (
                "list",
                "[statsd]\nudp = [\n  \"127.0.0.1:1\",\n  \"localhost\",\n]\n",
                "test.toml:4:3: statsd.udp[1]: `localhost` is not an address with a port, expected \
                 127.0.0.1:8125 or [::1]:8125",
            ),
            (
                "table in a list",
                "[[statsd.listener]]\naddress = \"udp://[::1]:1\"\n[[statsd.listener]]\naddress = \
                 \"tcp://[::1]:1\"\nworkers = 2\n",
                "test.toml:5:1: statsd.listener[1].workers: has no effect on tcp://[::1]:1; it is for \
                 udp://",
            ),
            (
                "unknown key in a list",
                "[[statsd.listener]]\naddress = \"udp://[::1]:1\"\nport = 2\n",
                "test.toml:3:1: unknown setting `statsd.listener.0.port`; see docs/reference/config.md \
                 for all settings",
            ),
        ] {
            assert_eq!(errors_of(text, &[]), [expected], "{name}");
        }
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.toml");
        std::fs::write(&path, "[statsd]\nmax_series = 5\nudp = []\n[rules]\nfiles = [\"a.yml\"]\n")
            .unwrap();
        let environment = [
            ("BELLWETHER_STATSD__MAX_SERIES", "7"),
            ("BELLWETHER_STATSD__UDP", "[\"127.0.0.1:9\"]"),
            ("BELLWETHER_HTTP__LISTEN", "127.0.0.1:0"),
            ("BELLWETHER_HOME", "ignored"),
        ];
        let environment = environment.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let config = load(&Source { file: Some(path), environment }).unwrap();
        assert_eq!(config.statsd.max_series, 7);
        assert_eq!(config.statsd.udp, ["127.0.0.1:9"]);
        assert_eq!(config.http.listen, "127.0.0.1:0");
        assert_eq!(config.rules.files, [folder.path().join("a.yml")]);
    }

    #[test]
    fn an_error_in_the_environment_names_the_variable() {
        let expected = "environment variable BELLWETHER_STATSD__MAX_SERIES: statsd.max_series: invalid \
                        type: string \"many\", expected usize";
        assert_eq!(errors_of("", &[("BELLWETHER_STATSD__MAX_SERIES", "many")]), [expected]);
    }
}
