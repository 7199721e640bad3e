//! A map of the file while it is read: typed values by key, and what nobody asked for.

use std::{cell::Cell, time::Duration};

use yaml::{Kind, Node, Place};

use super::reader::Reader;
use crate::secret::Secret;

/// A map being read. Every key asked for is known; [`Section::finish`] reports the others.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    pub(crate) reader: &'a Reader,
    pub(crate) at: Place,
    what: &'static str,
    entries: &'a [(Node, Node)],
    used: Vec<Cell<bool>>,
}

impl Reader {
    /// The entries of a map; an empty value is an empty map.
    pub(super) fn section<'a>(&'a self, node: &'a Node, what: &'static str) -> Option<Section<'a>> {
        let entries: &[(Node, Node)] = match &node.kind {
            Kind::Map(entries) => entries,
            Kind::Null => &[],
            _ => {
                self.problem(node.place, format!("{what} must be a map"));
                return None;
            }
        };
        let used = entries.iter().map(|_| Cell::new(false)).collect();
        Some(Section { reader: self, at: node.place, what, entries, used })
    }
}

impl<'a> Section<'a> {
    pub(crate) fn get(&self, key: &str) -> Option<&'a Node> {
        let position = self.entries.iter().position(|(name, _)| name.text() == Some(key))?;
        self.used[position].set(true);
        Some(&self.entries[position].1)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, &'a Node)> {
        self.used.iter().for_each(|used| used.set(true));
        self.entries.iter().map(|(name, node)| (name.text().unwrap_or_default(), node))
    }

    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        self.reader.text(self.get(key)?, key)
    }

    pub(crate) fn list(&self, key: &str) -> &'a [Node] {
        self.get(key).map_or(&[], |node| self.reader.list(node, key))
    }

    pub(crate) fn bool(&self, key: &str) -> Option<bool> {
        let node = self.get(key)?;
        match self.reader.text(node, key)? {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                self.reader
                    .problem(node.place, format!("{key} is `{other}`, expected true or false"));
                None
            }
        }
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        let node = self.get(key)?;
        let text = self.reader.text(node, key)?;
        text.parse()
            .map_err(|_| {
                self.reader
                    .problem(node.place, format!("{key} is `{text}`, expected a whole number"));
            })
            .ok()
    }

    pub(crate) fn duration(&self, key: &str) -> Option<Duration> {
        let node = self.get(key)?;
        let text = self.reader.text(node, key)?;
        match model::duration::parse(text) {
            Ok(length) => Some(length),
            Err(error) => {
                self.reader.problem(node.place, format!("{key}: {error}"));
                None
            }
        }
    }

    /// A duration above zero.
    pub(crate) fn positive_duration(&self, key: &str) -> Option<Duration> {
        let length = self.duration(key)?;
        if length.is_zero() {
            let at = self.get(key).map_or(self.at, |node| node.place);
            self.reader.problem(at, format!("{key} must be more than zero"));
            return None;
        }
        Some(length)
    }

    /// The secret `key`, or the content of the file `key_file`; both at once are a problem.
    pub(crate) fn secret(&self, key: &str) -> Option<Secret> {
        let file_key = format!("{key}_file");
        let (inline, file) = (self.get(key), self.get(&file_key));
        match (inline, file) {
            (Some(_), Some(file)) => {
                self.reader
                    .problem(file.place, format!("{key} and {file_key} are both set; keep one"));
                None
            }
            (Some(node), None) => self.reader.text(node, key).map(Secret::new),
            (None, Some(node)) => self.reader.read_file(node, &file_key).map(Secret::new),
            (None, None) => None,
        }
    }

    /// A text that must be there.
    pub(crate) fn required_text(&self, key: &str) -> Option<&'a str> {
        if self.get(key).is_none() {
            self.reader.problem(self.at, format!("{} needs `{key}`", self.what));
            return None;
        }
        self.text(key).filter(|text| {
            if text.is_empty() {
                let at = self.get(key).map_or(self.at, |node| node.place);
                self.reader.problem(at, format!("`{key}` is empty"));
            }
            !text.is_empty()
        })
    }

    /// Reports keys of Alertmanager that do not work here yet.
    pub(crate) fn not_supported(&self, keys: &[&str]) {
        for (position, (name, _)) in self.entries.iter().enumerate() {
            if keys.contains(&name.text().unwrap_or_default()) {
                self.used[position].set(true);
                let message = format!(
                    "`{}` is not supported yet; remove it",
                    name.text().unwrap_or_default()
                );
                self.reader.problem(name.place, message);
            }
        }
    }

    /// Reports the keys nobody asked for.
    pub(crate) fn finish(self) {
        for ((name, _), used) in self.entries.iter().zip(&self.used) {
            if !used.get() {
                let message =
                    format!("unknown key `{}` in {}", name.text().unwrap_or_default(), self.what);
                self.reader.problem(name.place, message);
            }
        }
    }
}
