//! YAML as a tree whose nodes know their place, and a reader that collects every problem instead of
//! stopping at the first.

use std::{
    cell::RefCell,
    fmt,
    path::{Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::Spanned;

use super::{ConfigError, ConfigErrors};

/// A place in the file, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct At {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

impl From<serde_saphyr::Location> for At {
    fn from(location: serde_saphyr::Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) at: At,
    pub(crate) value: Yaml,
}

/// A value; scalars keep their text, whatever YAML takes them for.
#[derive(Debug)]
pub(crate) enum Yaml {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Spanned<String>, Node)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Yaml>::deserialize(deserializer)?;
        Ok(Self { at: spanned.referenced.into(), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;

        impl<'de> Visitor<'de> for AnyValue {
            type Value = Yaml;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a YAML value")
            }

            fn visit_unit<E>(self) -> Result<Yaml, E> {
                Ok(Yaml::Null)
            }

            fn visit_none<E>(self) -> Result<Yaml, E> {
                Ok(Yaml::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Yaml, D::Error> {
                Yaml::deserialize(inner)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Yaml, E> {
                Ok(Yaml::Scalar(value.to_string()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Yaml, E> {
                Ok(Yaml::Scalar(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Yaml, E> {
                Ok(Yaml::Scalar(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Yaml, E> {
                Ok(Yaml::Scalar(value.to_string()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Yaml, E> {
                Ok(Yaml::Scalar(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Yaml, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Yaml::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Yaml, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Yaml::Map(entries))
            }
        }

        deserializer.deserialize_any(AnyValue)
    }
}

/// Reads nodes of one file and gathers what is wrong with them.
#[derive(Debug)]
pub(crate) struct Reader {
    path: PathBuf,
    problems: RefCell<Vec<ConfigError>>,
}

impl Reader {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), problems: RefCell::default() }
    }

    /// Parses the text; `None` when it is not YAML, which is then the only problem.
    pub(crate) fn parse(&self, text: &str) -> Option<Node> {
        match serde_saphyr::from_str(text) {
            Ok(node) => Some(node),
            Err(error) => {
                let at = error.location().map(At::from).unwrap_or_default();
                let message = error.without_snippet().to_string();
                let first = message.lines().next().unwrap_or_default();
                self.problem(at, format!("not valid YAML: {first}"));
                None
            }
        }
    }

    /// Notes a problem and goes on.
    pub(crate) fn problem(&self, at: At, message: impl Into<String>) {
        self.problems.borrow_mut().push(ConfigError {
            path: self.path.clone(),
            line: at.line,
            column: at.column,
            message: message.into(),
        });
    }

    /// All problems in order of place, or the value.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, ConfigErrors> {
        let mut problems = self.problems.into_inner();
        match value {
            Some(value) if problems.is_empty() => Ok(value),
            _ => {
                problems.sort_by_key(|problem| (problem.line, problem.column));
                Err(ConfigErrors(problems))
            }
        }
    }

    /// The items of a list; an empty value is an empty list.
    pub(crate) fn list<'a>(&self, node: &'a Node, what: &str) -> &'a [Node] {
        match &node.value {
            Yaml::List(items) => items,
            Yaml::Null => &[],
            _ => {
                self.problem(node.at, format!("{what} must be a list"));
                &[]
            }
        }
    }

    /// The text of a scalar.
    pub(crate) fn text<'a>(&self, node: &'a Node, what: &str) -> Option<&'a str> {
        if let Yaml::Scalar(text) = &node.value {
            return Some(text);
        }
        self.problem(node.at, format!("{what} must be a text"));
        None
    }

    /// A file named in the configuration, relative to the folder of the configuration.
    pub(crate) fn read_file(&self, node: &Node, what: &str) -> Option<String> {
        let name = self.text(node, what)?;
        let path = self.path.parent().unwrap_or(Path::new("")).join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => {
                self.problem(node.at, format!("cannot read {what} {}: {error}", path.display()));
                None
            }
        }
    }
}
