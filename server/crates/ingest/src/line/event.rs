//! DogStatsD events and service checks. They are rare, so texts are made into `str` at once.

use std::borrow::Cow;

use super::tags::Tags;
use crate::reason::Reason;

/// Something that happened: `_e{title-bytes,text-bytes}:title|text|fields`.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// The title.
    pub title: Cow<'a, str>,
    /// The text, with its line breaks restored; may be empty.
    pub text: Cow<'a, str>,
    /// When it happened, in seconds since the epoch; `None` means on arrival.
    pub timestamp_seconds: Option<i64>,
    /// The host it is about.
    pub host: Option<Cow<'a, str>>,
    /// Events with the same key belong together.
    pub aggregation_key: Option<Cow<'a, str>>,
    /// `low` or `normal`.
    pub priority: Option<Cow<'a, str>>,
    /// The kind of system it comes from.
    pub source: Option<Cow<'a, str>>,
    /// `error`, `warning`, `info` or `success`.
    pub alert_type: Option<Cow<'a, str>>,
    /// The tags.
    pub tags: Tags<'a>,
}

impl<'a> Event<'a> {
    /// Reads an event line.
    ///
    /// # Errors
    /// [`Reason::BadEvent`] when the lengths do not fit the line, the title is empty or the time is
    /// not a number. Unknown fields are skipped.
    pub fn parse(line: &'a [u8]) -> Result<Self, Reason> {
        let (title, text, fields) = split_event(line).ok_or(Reason::BadEvent)?;
        let mut event = Self {
            title: lossy(title),
            text: unescape(text),
            timestamp_seconds: None,
            host: None,
            aggregation_key: None,
            priority: None,
            source: None,
            alert_type: None,
            tags: Tags::dogstatsd(&line[..0]),
        };
        for field in fields.split(|b| *b == b'|') {
            match field {
                [b'd', b':', seconds @ ..] => {
                    let seconds = super::parse_timestamp(seconds).ok_or(Reason::BadEvent)?;
                    event.timestamp_seconds = Some(seconds);
                }
                [b'h', b':', host @ ..] => event.host = Some(lossy(host)),
                [b'k', b':', key @ ..] => event.aggregation_key = Some(lossy(key)),
                [b'p', b':', priority @ ..] => event.priority = Some(lossy(priority)),
                [b's', b':', source @ ..] => event.source = Some(lossy(source)),
                [b't', b':', alert_type @ ..] => event.alert_type = Some(lossy(alert_type)),
                [b'#', tags @ ..] => event.tags = Tags::dogstatsd(tags),
                _ => {}
            }
        }
        Ok(event)
    }
}

/// Title, text and the fields behind them.
fn split_event(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let rest = line.strip_prefix(b"_e{")?;
    let close = memchr::memchr(b'}', rest)?;
    let lengths = std::str::from_utf8(&rest[..close]).ok()?;
    let (title_bytes, text_bytes) = lengths.split_once(',')?;
    let (title_bytes, text_bytes): (usize, usize) =
        (title_bytes.parse().ok()?, text_bytes.parse().ok()?);
    let body = rest[close + 1..].strip_prefix(b":")?;
    let title = body.get(..title_bytes).filter(|title| !title.is_empty())?;
    let body = body[title_bytes..].strip_prefix(b"|")?;
    let text = body.get(..text_bytes)?;
    let fields = &body[text_bytes..];
    match fields {
        [] => Some((title, text, fields)),
        [b'|', fields @ ..] => Some((title, text, fields)),
        _ => None,
    }
}

/// The status of a service check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckStatus {
    /// 0
    Ok,
    /// 1
    Warning,
    /// 2
    Critical,
    /// 3
    Unknown,
}

/// What a client says of a service: `_sc|name|status|fields`.
#[derive(Debug, Clone)]
pub struct ServiceCheck<'a> {
    /// The check's name.
    pub name: Cow<'a, str>,
    /// How the service is.
    pub status: CheckStatus,
    /// When it was checked, in seconds since the epoch; `None` means on arrival.
    pub timestamp_seconds: Option<i64>,
    /// The host it is about.
    pub host: Option<Cow<'a, str>>,
    /// The reason in words, with its line breaks restored.
    pub message: Option<Cow<'a, str>>,
    /// The tags.
    pub tags: Tags<'a>,
}

impl<'a> ServiceCheck<'a> {
    /// Reads a service check line. The message may stand anywhere and ends at the next `|`.
    ///
    /// # Errors
    /// [`Reason::BadServiceCheck`] without a name, with a status other than 0 to 3, or with a time
    /// that is not a number. Unknown fields are skipped.
    pub fn parse(line: &'a [u8]) -> Result<Self, Reason> {
        let bad = Reason::BadServiceCheck;
        let mut fields = line.strip_prefix(b"_sc|").ok_or(bad)?.split(|b| *b == b'|');
        let name = fields.next().filter(|name| !name.is_empty()).ok_or(bad)?;
        let status = match fields.next() {
            Some(b"0") => CheckStatus::Ok,
            Some(b"1") => CheckStatus::Warning,
            Some(b"2") => CheckStatus::Critical,
            Some(b"3") => CheckStatus::Unknown,
            _ => return Err(bad),
        };
        let mut check = Self {
            name: lossy(name),
            status,
            timestamp_seconds: None,
            host: None,
            message: None,
            tags: Tags::dogstatsd(&line[..0]),
        };
        for field in fields {
            match field {
                [b'd', b':', seconds @ ..] => {
                    check.timestamp_seconds = Some(super::parse_timestamp(seconds).ok_or(bad)?);
                }
                [b'h', b':', host @ ..] => check.host = Some(lossy(host)),
                [b'm', b':', message @ ..] => check.message = Some(unescape(message)),
                [b'#', tags @ ..] => check.tags = Tags::dogstatsd(tags),
                _ => {}
            }
        }
        Ok(check)
    }
}

fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Clients write a line break as a backslash and an `n`.
fn unescape(bytes: &[u8]) -> Cow<'_, str> {
    let text = lossy(bytes);
    if text.contains("\\n") { text.replace("\\n", "\n").into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_with_all_its_fields() {
        let line = br"_e{6,16}:deploy|v1.2 | is\nlive.|d:1700000000|h:web-1|k:rel|p:low|s:ci|t:success|#env:prod,blue|c:ci-1|new:x";
        let event = Event::parse(line).unwrap();
        assert_eq!(event.title, "deploy");
        assert_eq!(event.text, "v1.2 | is\nlive.");
        assert_eq!(event.timestamp_seconds, Some(1_700_000_000));
        assert_eq!(event.host.as_deref(), Some("web-1"));
        assert_eq!(event.aggregation_key.as_deref(), Some("rel"));
        assert_eq!(event.priority.as_deref(), Some("low"));
        assert_eq!(event.source.as_deref(), Some("ci"));
        assert_eq!(event.alert_type.as_deref(), Some("success"));
        assert_eq!(event.tags.count(), 2);
    }

    #[test]
    fn events_that_do_not_fit_are_refused() {
        for line in [
            "_e{",
            "_e{1,1}",
            "_e{1}:a|b",
            "_e{x,1}:a|b",
            "_e{0,1}:|b",
            "_e{9,1}:a|b",
            "_e{1,9}:a|b",
            "_e{1,1}:a|bc",
            "_e{1,1}:ab|c",
            "_e{1,1}:a|b|d:soon",
            "_e{18446744073709551615,1}:a|b",
            "_e{-1,1}:a|b",
        ] {
            assert_eq!(Event::parse(line.as_bytes()).unwrap_err(), Reason::BadEvent, "{line}");
        }
    }

    #[test]
    fn a_service_check_is_read_with_its_message_anywhere() {
        for line in [
            "_sc|db.up|2|d:1700000000|h:db-1|#env:prod|m:no\\nanswer",
            "_sc|db.up|2|d:1700000000|h:db-1|m:no\\nanswer|#env:prod|c:ci-1",
        ] {
            let check = ServiceCheck::parse(line.as_bytes()).unwrap();
            assert_eq!(check.name, "db.up", "{line}");
            assert_eq!(check.status, CheckStatus::Critical, "{line}");
            assert_eq!(check.timestamp_seconds, Some(1_700_000_000), "{line}");
            assert_eq!(check.host.as_deref(), Some("db-1"), "{line}");
            assert_eq!(check.message.as_deref(), Some("no\nanswer"), "{line}");
            assert_eq!(check.tags.count(), 1, "{line}");
        }
    }

    #[test]
    fn service_checks_that_do_not_fit_are_refused() {
        for line in ["_sc|", "_sc||0", "_sc|a", "_sc|a|4", "_sc|a|ok", "_sc|a|0|d:x"] {
            let refused = ServiceCheck::parse(line.as_bytes()).unwrap_err();
            assert_eq!(refused, Reason::BadServiceCheck, "{line}");
        }
    }
}
