//! From a parsed line, or the body of a request, to what is stored: labels for tags, texts in bounds.

use std::collections::BTreeMap;

use api_types::{AlertType, CheckStatus, NewEvent, Priority};
use db::meta::events::EventRow;
use ingest::{
    Dialect,
    line::{self, MAX_TAG_BYTES, MAX_TAGS, Tags},
    name::clean_label_name,
};
use model::Timestamp;

use super::Loss;

/// The most bytes of a title, of a host, of a source and of a key.
pub(super) const MAX_TITLE_BYTES: usize = 512;
/// The most bytes of a text; `DogStatsD` clients send at most 4,000 characters.
pub(super) const MAX_TEXT_BYTES: usize = 8_192;
/// The value of a label made from a tag without one.
const BARE_TAG_VALUE: &str = "true";
/// What is put at the end of a text that was cut.
const CUT: &str = "…";

/// What a listener adds to what it receives.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListenerLabels {
    prefix: String,
    labels: Vec<(String, String)>,
}

impl From<&Dialect> for ListenerLabels {
    fn from(dialect: &Dialect) -> Self {
        Self { prefix: dialect.prefix.clone(), labels: dialect.extra_labels.clone() }
    }
}

/// What a client said of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) name: String,
    /// May be empty.
    pub(crate) host: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) status: CheckStatus,
    pub(crate) message: String,
    pub(crate) at: Timestamp,
}

/// Something read from a line, and how many of its texts were cut.
#[derive(Debug)]
pub(super) struct Read<T> {
    pub(super) item: T,
    pub(super) shortened: u64,
}

/// An event as it is stored. `now` is its time when the line names none.
pub(super) fn event(
    event: &line::Event<'_>,
    listener: &ListenerLabels,
    now: Timestamp,
) -> Result<Read<EventRow>, Loss> {
    let tags = tags(&listener.labels, event.tags.clone())?;
    let mut cutter = Cutter::default();
    let (source, key) = (event.source.as_deref(), event.aggregation_key.as_deref());
    let host = event.host.as_deref().or_else(|| tags.get("host").map(String::as_str));
    let alert_type = event.alert_type.as_deref().and_then(AlertType::parse);
    let is_low = event.priority.as_deref() == Some("low");
    let row = EventRow {
        id: 0,
        at: at(event.timestamp_seconds, now),
        title: cutter.cut(&one_line(&event.title), MAX_TITLE_BYTES),
        text: cutter.cut(&clean(&event.text), MAX_TEXT_BYTES),
        host: cutter.cut(&one_line(host.unwrap_or_default()), MAX_TITLE_BYTES),
        source: cutter.cut(&one_line(source.unwrap_or_default()), MAX_TITLE_BYTES),
        alert_type: alert_type.unwrap_or_default().as_str().to_owned(),
        priority: if is_low { Priority::Low } else { Priority::Normal }.as_str().to_owned(),
        aggregation_key: cutter.cut(&one_line(key.unwrap_or_default()), MAX_TITLE_BYTES),
        tags: tags.into_iter().collect(),
    };
    Ok(Read { item: row, shortened: cutter.shortened })
}

/// A report as it is taken in. `now` is its time when the line names none.
pub(super) fn report(
    check: &line::ServiceCheck<'_>,
    listener: &ListenerLabels,
    now: Timestamp,
) -> Result<Read<Report>, Loss> {
    let mut tags = tags(&listener.labels, check.tags.clone())?;
    let mut cutter = Cutter::default();
    let tagged = tags.remove("host").unwrap_or_default();
    let host = check.host.as_deref().unwrap_or(&tagged);
    // A metric of the check has a label with its name.
    tags.remove("check");
    let report = Report {
        name: cutter.cut(&one_line(&format!("{}{}", listener.prefix, check.name)), MAX_TITLE_BYTES),
        host: cutter.cut(&one_line(host), MAX_TITLE_BYTES),
        tags,
        status: match check.status {
            line::CheckStatus::Ok => CheckStatus::Ok,
            line::CheckStatus::Warning => CheckStatus::Warning,
            line::CheckStatus::Critical => CheckStatus::Critical,
            line::CheckStatus::Unknown => CheckStatus::Unknown,
        },
        message: cutter.cut(&clean(check.message.as_deref().unwrap_or_default()), MAX_TEXT_BYTES),
        at: at(check.timestamp_seconds, now),
    };
    Ok(Read { item: report, shortened: cutter.shortened })
}

/// An event from the body of a request; where a line would be cut, a request is refused.
///
/// # Errors
/// A sentence that names the field and the remedy.
pub(crate) fn new_event(event: NewEvent, now: Timestamp) -> Result<EventRow, String> {
    for (field, text, most) in [
        ("title", &event.title, MAX_TITLE_BYTES),
        ("text", &event.text, MAX_TEXT_BYTES),
        ("host", &event.host, MAX_TITLE_BYTES),
        ("source", &event.source, MAX_TITLE_BYTES),
        ("aggregation_key", &event.aggregation_key, MAX_TITLE_BYTES),
    ] {
        if text.len() > most {
            return Err(format!("`{field}` has {} bytes, at most {most} are kept", text.len()));
        }
    }
    if event.title.trim().is_empty() {
        return Err("`title` is empty; say in a line what happened".to_owned());
    }
    if event.tags.len() > MAX_TAGS {
        return Err(format!("there are {} tags, at most {MAX_TAGS} are kept", event.tags.len()));
    }
    let mut tags = BTreeMap::new();
    for (name, value) in event.tags {
        if name.is_empty() || name.len() > MAX_TAG_BYTES || value.len() > MAX_TAG_BYTES {
            return Err(format!(
                "the tag `{name:.40}` is empty, or its name or value has more than {MAX_TAG_BYTES} bytes"
            ));
        }
        if !value.is_empty() {
            tags.insert(clean_label_name(&name).into_owned(), one_line(&value));
        }
    }
    let host = if event.host.is_empty() { tags.get("host") } else { Some(&event.host) };
    Ok(EventRow {
        id: 0,
        at: event.at_ms.unwrap_or(now),
        title: one_line(&event.title),
        text: clean(&event.text),
        host: one_line(host.map_or("", String::as_str)),
        source: one_line(&event.source),
        alert_type: event.alert_type.as_str().to_owned(),
        priority: event.priority.as_str().to_owned(),
        aggregation_key: one_line(&event.aggregation_key),
        tags: tags.into_iter().collect(),
    })
}

fn at(seconds: Option<i64>, now: Timestamp) -> Timestamp {
    seconds.map_or(now, |seconds| seconds.saturating_mul(1_000))
}

/// Labels for tags; of equal names the last wins, and a tag wins over the listener's label. An empty
/// value means that there is no such label.
fn tags(listener: &[(String, String)], tags: Tags<'_>) -> Result<BTreeMap<String, String>, Loss> {
    let mut labels: BTreeMap<String, String> = listener.iter().cloned().collect();
    for (number, tag) in tags.enumerate() {
        let value = tag.value.unwrap_or(BARE_TAG_VALUE.as_bytes());
        if number >= MAX_TAGS || tag.key.len() > MAX_TAG_BYTES || value.len() > MAX_TAG_BYTES {
            return Err(Loss::BadTags);
        }
        let name = clean_label_name(&String::from_utf8_lossy(tag.key)).into_owned();
        labels.insert(name, one_line(&String::from_utf8_lossy(value)));
    }
    labels.retain(|_, value| !value.is_empty());
    Ok(labels)
}

/// Without control characters, which databases and terminals take in different ways; line breaks and
/// tabs stay.
fn clean(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.trim().chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// The same in one line.
fn one_line(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[derive(Debug, Default)]
struct Cutter {
    shortened: u64,
}

impl Cutter {
    /// At most `most` bytes of a text.
    fn cut(&mut self, text: &str, most: usize) -> String {
        if text.len() <= most {
            return text.to_owned();
        }
        self.shortened += 1;
        format!("{}{CUT}", &text[..text.floor_char_boundary(most - CUT.len())])
    }
}

#[cfg(test)]
mod tests;
