//! Prometheus's rule files.
//!
//! ```yaml
//! groups:
//!   - name: NAME            # unique in the file
//!     interval: 1m          # default: every flush
//!     limit: 0              # most alerts or series of a rule, 0 for any number
//!     query_offset: 0s
//!     labels: {}            # added to every rule, which may override them
//!     rules:
//!       - alert: NAME       # or record: METRIC
//!         expr: PROMQL
//!         for: 0s
//!         keep_firing_for: 0s
//!         labels: {}
//!         annotations: {}
//! ```
//!
//! All mistakes of a file are reported at once, each with its place; only a text that is not YAML
//! at all has a single one. A mistake inside an expression or a template is placed inside of it.
//!
//! Source: Prometheus's documentation of recording and alerting rules, and `model/rulefmt`.

mod read;

use std::fmt;

use crate::rule::{GroupSpec, Position};

/// A mistake in a file. Displays as `file:line:column: message (remedy)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// The file's name as it was given.
    pub file: String,
    /// Where.
    pub position: Position,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position;
        write!(f, "{}:{line}:{column}: {} ({})", self.file, self.message, self.remedy)
    }
}

impl std::error::Error for FileError {}

/// Reads a file. `file` is its path relative to the folder of rules: it goes into messages and into
/// the identity of the rules.
///
/// # Errors
/// Every mistake, in order of their places; never empty.
pub fn parse(file: &str, text: &str) -> Result<Vec<GroupSpec>, Vec<FileError>> {
    let mut errors = Vec::new();
    let groups = match yaml::parse(text) {
        Ok(root) => read::Reader { file, source: text, errors: &mut errors }.file(&root),
        Err(error) => {
            errors.push(FileError {
                file: file.to_owned(),
                position: error.place.into(),
                message: error.message,
                remedy: "correct the YAML".to_owned(),
            });
            Vec::new()
        }
    };
    if errors.is_empty() {
        return Ok(groups);
    }
    errors.sort_by_key(|error| error.position);
    // A mistake in the labels of a group is found once for every rule.
    errors.dedup();
    Err(errors)
}

#[cfg(test)]
mod tests;
