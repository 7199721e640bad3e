//! What a request looks for among the events, and where the next page begins.

use std::fmt;

use api_types::AlertType;
use db::meta::events::EventSearch;
use model::Timestamp;

/// Events of a page when the request does not say.
const DEFAULT_LIMIT: u32 = 100;
/// The most events of a page.
const MAX_LIMIT: u32 = 1_000;
/// The most words and tags of a search.
const MAX_TERMS: usize = 32;

/// The last event of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) at: Timestamp,
    pub(crate) id: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.at, self.id)
    }
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('_')?;
        Some(Self { at: at.parse().ok()?, id: id.parse().ok()? })
    }
}

/// Reads a search; `time` reads a time. `tag` and `alert_type` may come several times.
///
/// # Errors
/// A sentence that names the parameter and what is expected.
pub(crate) fn search(
    parameters: &[(String, String)],
    time: impl Fn(&str) -> Option<Timestamp>,
) -> Result<EventSearch, String> {
    let mut search = EventSearch {
        start: Timestamp::MIN,
        end: Timestamp::MAX,
        words: Vec::new(),
        tags: Vec::new(),
        host: None,
        source: None,
        alert_types: Vec::new(),
        before: None,
        limit: DEFAULT_LIMIT,
    };
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        let expected = |what: &str| format!("`{name}` is `{value}`, expected {what}");
        match name.as_str() {
            "start" | "end" => {
                let at = time(value).ok_or_else(|| expected("seconds or RFC 3339"))?;
                *(if name == "start" { &mut search.start } else { &mut search.end }) = at;
            }
            "q" => search.words.extend(value.split_whitespace().map(str::to_owned)),
            "tag" => search.tags.push(match value.split_once(':') {
                Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                None => (value.clone(), None),
            }),
            "host" => search.host = Some(value.clone()),
            "source" => search.source = Some(value.clone()),
            "alert_type" => {
                let alert_type = AlertType::parse(value)
                    .ok_or_else(|| expected("error, warning, info or success"))?;
                search.alert_types.push(alert_type.as_str().to_owned());
            }
            "cursor" => {
                let cursor = Cursor::parse(value)
                    .ok_or_else(|| expected("the `next` of an earlier answer"))?;
                search.before = Some((cursor.at, cursor.id));
            }
            "limit" => {
                search.limit =
                    value
                        .parse()
                        .ok()
                        .filter(|limit| (1..=MAX_LIMIT).contains(limit))
                        .ok_or_else(|| expected(&format!("a number from 1 to {MAX_LIMIT}")))?;
            }
            _ => {
                return Err(format!(
                    "`{name}` is unknown, expected start, end, q, tag, host, source, alert_type, \
                     limit or cursor"
                ));
            }
        }
    }
    if search.words.len() + search.tags.len() > MAX_TERMS {
        return Err(format!("more than {MAX_TERMS} words and tags; search for fewer"));
    }
    Ok(search)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<EventSearch, String> {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        search(&pairs, |text| text.parse().ok())
    }

    #[test]
    fn every_parameter_is_read() {
        let search = read(&[
            ("start", "1"),
            ("end", "2"),
            ("q", " new  version "),
            ("tag", "service:shop"),
            ("tag", "url:http://a:80"),
            ("tag", "canary"),
            ("host", "web-1"),
            ("source", "ci"),
            ("alert_type", "error"),
            ("alert_type", "warning"),
            ("cursor", "-5_7"),
            ("limit", "3"),
            ("q", ""),
        ])
        .unwrap();
        let tag = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        let expected = EventSearch {
            start: 1,
            end: 2,
            words: vec!["new".into(), "version".into()],
            tags: vec![
                tag("service", "shop"),
                tag("url", "http://a:80"),
                ("canary".to_owned(), None),
            ],
            host: Some("web-1".into()),
            source: Some("ci".into()),
            alert_types: vec!["error".into(), "warning".into()],
            before: Some((-5, 7)),
            limit: 3,
        };
        assert_eq!(search, expected);
    }

    #[test]
    fn a_wrong_parameter_is_named_with_what_is_expected() {
        for (pair, message) in [
            (("start", "soon"), "`start` is `soon`, expected seconds or RFC 3339"),
            (
                ("alert_type", "loud"),
                "`alert_type` is `loud`, expected error, warning, info or success",
            ),
            (("limit", "0"), "`limit` is `0`, expected a number from 1 to 1000"),
            (("limit", "1001"), "`limit` is `1001`, expected a number from 1 to 1000"),
            (("cursor", "7"), "`cursor` is `7`, expected the `next` of an earlier answer"),
        ] {
            assert_eq!(read(&[pair]).unwrap_err(), message);
        }
        let error = read(&[("tags", "a:b")]).unwrap_err();
        assert!(error.starts_with("`tags` is unknown, expected start, end"), "{error}");
        let error = read(&[("q", &"word ".repeat(33))]).unwrap_err();
        assert_eq!(error, "more than 32 words and tags; search for fewer");
    }

    proptest! {
        #[test]
        fn property_a_cursor_comes_back_as_it_was(at: i64, id: i64) {
            let cursor = Cursor { at, id };
            prop_assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        }

        #[test]
        fn property_no_text_of_a_request_panics(name in "[a-z]{1,6}|cursor|limit", value in ".{0,30}") {
            drop(read(&[(&name, &value)]));
        }
    }
}
