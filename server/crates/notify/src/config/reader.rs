//! A reader of YAML that collects every problem instead of stopping at the first.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
};

use yaml::{Kind, Node, Place};

use super::{ConfigError, ConfigErrors};

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
        yaml::parse(text)
            .map_err(|error| {
                self.problem(error.place, format!("not valid YAML: {}", error.message));
            })
            .ok()
    }

    /// Notes a problem and goes on.
    pub(crate) fn problem(&self, at: Place, message: impl Into<String>) {
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
        match &node.kind {
            Kind::List(items) => items,
            Kind::Null => &[],
            _ => {
                self.problem(node.place, format!("{what} must be a list"));
                &[]
            }
        }
    }

    /// The text of a scalar.
    pub(crate) fn text<'a>(&self, node: &'a Node, what: &str) -> Option<&'a str> {
        let text = node.text();
        if text.is_none() {
            self.problem(node.place, format!("{what} must be a text"));
        }
        text
    }

    /// A file named in the configuration, relative to the folder of the configuration.
    pub(crate) fn read_file(&self, node: &Node, what: &str) -> Option<String> {
        let name = self.text(node, what)?;
        let path = self.path.parent().unwrap_or(Path::new("")).join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => {
                self.problem(node.place, format!("cannot read {what} {}: {error}", path.display()));
                None
            }
        }
    }
}
