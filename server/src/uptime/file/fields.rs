//! Maps of a monitor file, read key by key so that one look finds every mistake.

use std::time::Duration;

use yaml::{Kind, Node, Place};

/// A place and what is wrong there.
pub(super) type Problem = (Place, String);

/// The entries of a map.
pub(super) fn fields(node: Node, what: &'static str) -> Result<Fields, Problem> {
    match node.kind {
        Kind::Map(entries) => Ok(Fields { at: node.place, what, entries, problems: Vec::new() }),
        _ => Err((node.place, format!("{what} must be a map of keys and values"))),
    }
}

/// The items of a list; nothing is an empty list.
pub(super) fn items(node: Node) -> Result<Vec<Node>, Problem> {
    match node.kind {
        Kind::List(items) => Ok(items),
        Kind::Null => Ok(Vec::new()),
        _ => Err((node.place, "expected a list, each item on a line with `- `".to_owned())),
    }
}

/// A map that is being read: what was taken is gone, what is left was not expected.
#[derive(Debug)]
pub(super) struct Fields {
    /// Where the map begins.
    pub(super) at: Place,
    what: &'static str,
    entries: Vec<(Node, Node)>,
    problems: Vec<Problem>,
}

impl Fields {
    pub(super) fn take(&mut self, key: &str) -> Option<Node> {
        let position = self.entries.iter().position(|(name, _)| name.text() == Some(key))?;
        Some(self.entries.remove(position).1)
    }

    /// Notes a problem and goes on. Where the map's own place is given, checks of a whole monitor are
    /// meant; they point at its first line.
    pub(super) fn problem(&mut self, at: Place, message: impl Into<String>) {
        self.problems.push((at, message.into()));
    }

    pub(super) fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.entries.is_empty()
    }

    /// Gives up on keys that cannot be judged.
    pub(super) fn forget_rest(&mut self) {
        self.entries.clear();
    }

    /// All problems, the keys nobody asked for among them.
    pub(super) fn finish(self) -> Vec<Problem> {
        let mut problems = self.problems;
        problems.extend(self.entries.into_iter().map(|(name, _)| {
            let key = name.text().unwrap_or_default();
            let what = self.what;
            (name.place, format!("{what} has no key `{key}`; remove it or check its spelling"))
        }));
        problems
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        self.read(key, "a text", |text| Some(text.to_owned()))
    }

    /// A text that must be there and not be empty.
    pub(super) fn required(&mut self, key: &str) -> Option<String> {
        let before = self.problems.len();
        let text = self.text(key).filter(|text| !text.is_empty());
        if text.is_none() && self.problems.len() == before {
            self.problem(self.at, format!("{} needs `{key}`", self.what));
        }
        text
    }

    pub(super) fn bool(&mut self, key: &str) -> Option<bool> {
        self.read(key, "true or false", |text| text.parse().ok())
    }

    pub(super) fn number<T: std::str::FromStr>(&mut self, key: &str) -> Option<T> {
        self.read(key, "a whole number that is not too large", |text| text.parse().ok())
    }

    pub(super) fn duration(&mut self, key: &str) -> Option<Duration> {
        self.read(key, "a duration like 500ms, 30s or 5m", |text| model::duration::parse(text).ok())
    }

    /// The entries of a map of texts, with their places.
    pub(super) fn map(&mut self, key: &str) -> Vec<(Place, String, String)> {
        let Some(node) = self.take(key) else { return Vec::new() };
        let Kind::Map(entries) = node.kind else {
            self.problem(node.place, format!("`{key}` must be a map of names and texts"));
            return Vec::new();
        };
        let mut texts = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            let name_text = name.text().unwrap_or_default().to_owned();
            match value.kind {
                Kind::Scalar(text) => texts.push((name.place, name_text, text)),
                _ => self.problem(value.place, format!("`{key}.{name_text}` must be a text")),
            }
        }
        texts
    }

    fn read<T>(
        &mut self,
        key: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let node = self.take(key)?;
        let value = node.text().and_then(read);
        if value.is_none() {
            self.problem(node.place, format!("`{key}` must be {expected}"));
        }
        value
    }
}
