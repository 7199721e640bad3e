//! YAML as a tree that knows its places, read key by key so that one look finds every mistake.

use std::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::Spanned;

/// Line and column, both from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
}

impl From<serde_saphyr::Location> for Place {
    fn from(location: serde_saphyr::Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

/// A place and what is wrong there.
pub(super) type Problem = (Place, String);

/// A value and its place.
#[derive(Debug)]
pub(super) struct Tree {
    at: Place,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Null,
    /// The text as written, whatever YAML takes it for.
    Scalar(String),
    List(Vec<Tree>),
    Map(Vec<(Spanned<String>, Tree)>),
}

/// Reads a document.
///
/// # Errors
/// The first place where it is not YAML.
pub(super) fn parse(text: &str) -> Result<Tree, Problem> {
    if text.lines().all(|line| line.trim_start().starts_with('#') || line.trim().is_empty()) {
        return Ok(Tree { at: Place::default(), value: Value::Null });
    }
    serde_saphyr::from_str(text).map_err(|error| {
        let at = error.location().map(Place::from).unwrap_or_default();
        let message = error.without_snippet().to_string();
        (at, format!("not valid YAML: {}", message.lines().next().unwrap_or_default()))
    })
}

impl Tree {
    pub(super) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// The entries of a map.
    pub(super) fn into_fields(self, what: &'static str) -> Result<Fields, Problem> {
        match self.value {
            Value::Map(entries) => Ok(Fields { at: self.at, what, entries, problems: Vec::new() }),
            _ => Err((self.at, format!("{what} must be a map of keys and values"))),
        }
    }

    /// The items of a list; nothing is an empty list.
    pub(super) fn into_list(self) -> Result<Vec<Self>, Problem> {
        match self.value {
            Value::List(items) => Ok(items),
            Value::Null => Ok(Vec::new()),
            _ => Err((self.at, "expected a list, each item on a line with `- `".to_owned())),
        }
    }
}

/// A map that is being read: what was taken is gone, what is left was not expected.
#[derive(Debug)]
pub(super) struct Fields {
    /// Where the map begins.
    pub(super) at: Place,
    what: &'static str,
    entries: Vec<(Spanned<String>, Tree)>,
    problems: Vec<Problem>,
}

impl Fields {
    pub(super) fn take(&mut self, key: &str) -> Option<Tree> {
        let position = self.entries.iter().position(|(name, _)| name.value == key)?;
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
            (
                name.referenced.into(),
                format!(
                    "{} has no key `{}`; remove it or check its spelling",
                    self.what, name.value
                ),
            )
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
        let Some(tree) = self.take(key) else { return Vec::new() };
        let Value::Map(entries) = tree.value else {
            self.problem(tree.at, format!("`{key}` must be a map of names and texts"));
            return Vec::new();
        };
        let mut texts = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            match value.value {
                Value::Scalar(text) => texts.push((name.referenced.into(), name.value, text)),
                _ => self.problem(value.at, format!("`{key}.{}` must be a text", name.value)),
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
        let tree = self.take(key)?;
        let value = match &tree.value {
            Value::Scalar(text) => read(text),
            _ => None,
        };
        if value.is_none() {
            self.problem(tree.at, format!("`{key}` must be {expected}"));
        }
        value
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { at: spanned.referenced.into(), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        Value::deserialize(inner)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Map(entries))
    }
}
