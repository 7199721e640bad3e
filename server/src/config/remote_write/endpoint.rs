//! `[[remote_write.endpoint]]`: one place that our samples are sent on to.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

use remote::Protocol;
use reqwest::{
    Url,
    header::{HeaderName, HeaderValue},
};
use serde::Deserialize;

use crate::{
    config::{
        Problems,
        value::{Bytes, Span},
    },
    remote::outgoing::filter::Filter,
};

const MIN_BUFFER_BYTES: u64 = 1 << 20;
const MAX_SAMPLES: usize = 100_000;
/// What only the sender itself can know.
const RESERVED_HEADERS: [&str; 6] = [
    "authorization",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "x-prometheus-remote-write-version",
];

/// `[[remote_write.endpoint]]`.
#[derive(Clone, Deserialize)]
#[serde(default)]
pub(crate) struct EndpointTable {
    /// How it is called in logs, metrics and the buffer; default: the host of `url`.
    pub(crate) name: Option<String>,
    /// Where samples are sent, such as `https://metrics.example.com/api/v1/write`.
    pub(crate) url: String,
    /// The protocol, 1 or 2.
    pub(crate) protocol: u8,
    /// Selectors of which one must match; without any all series are sent.
    pub(crate) keep: Vec<String>,
    /// Selectors of which none may match.
    pub(crate) drop: Vec<String>,
    /// Headers of every request.
    pub(crate) headers: BTreeMap<String, String>,
    /// The name for basic authentication.
    pub(crate) username: Option<String>,
    /// Its password.
    pub(crate) password: Option<String>,
    /// A file that holds the password, read before every request.
    pub(crate) password_file: Option<PathBuf>,
    /// A token for `Authorization: Bearer`.
    pub(crate) bearer_token: Option<String>,
    /// A file that holds the token, read before every request.
    pub(crate) bearer_token_file: Option<PathBuf>,
    /// Certificates to trust besides those of the system.
    pub(crate) ca_file: Option<PathBuf>,
    /// The most samples of a request, 1 to 100,000.
    pub(crate) max_samples_per_send: usize,
    /// How long a request may take, `1s` to `5m`.
    pub(crate) timeout: Span,
    /// The most bytes of packed requests that wait on disk, at least `1MiB`; beyond it the oldest are
    /// dropped and counted.
    pub(crate) buffer: Bytes,
    /// Whether requests may go to link-local and cloud metadata addresses.
    pub(crate) allow_link_local: bool,
}

impl Default for EndpointTable {
    fn default() -> Self {
        Self {
            name: None,
            url: String::new(),
            protocol: 1,
            keep: Vec::new(),
            drop: Vec::new(),
            headers: BTreeMap::new(),
            username: None,
            password: None,
            password_file: None,
            bearer_token: None,
            bearer_token_file: None,
            ca_file: None,
            max_samples_per_send: 10_000,
            timeout: Span::seconds(30),
            buffer: Bytes(512 << 20),
            allow_link_local: false,
        }
    }
}

/// Headers, password and token are secrets, and so may be the path of the URL.
impl fmt::Debug for EndpointTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointTable")
            .field("name", &self.name())
            .field("protocol", &self.protocol)
            .field("keep", &self.keep)
            .field("drop", &self.drop)
            .field("buffer", &self.buffer)
            .finish_non_exhaustive()
    }
}

impl EndpointTable {
    /// The name, or the host of the URL.
    pub(crate) fn name(&self) -> String {
        let host = || Some(self.parsed_url()?.host_str()?.to_owned());
        self.name.clone().or_else(host).unwrap_or_default()
    }

    /// The URL, when it is valid.
    pub(crate) fn parsed_url(&self) -> Option<Url> {
        Url::parse(&self.url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
    }

    /// The protocol, when it is valid.
    pub(crate) fn parsed_protocol(&self) -> Option<Protocol> {
        match self.protocol {
            1 => Some(Protocol::V1),
            2 => Some(Protocol::V2),
            _ => None,
        }
    }

    pub(in crate::config) fn resolve_paths(&mut self, folder: &Path) {
        let files = [&mut self.password_file, &mut self.bearer_token_file, &mut self.ca_file];
        files.into_iter().flatten().for_each(|path| *path = folder.join(&*path));
    }

    fn validate(&self, at: &str, problems: &mut Problems) {
        let mut problem =
            |key: &str, message: String| problems.add(&format!("{at}.{key}"), message);
        match self.parsed_url() {
            None => problem("url", "needs an http:// or https:// address".to_owned()),
            Some(url) if !url.username().is_empty() || url.password().is_some() => {
                problem("url", "holds a password; use username and password_file".to_owned());
            }
            Some(_) => {}
        }
        if self.parsed_protocol().is_none() {
            problem("protocol", format!("`{}` is no protocol, expected 1 or 2", self.protocol));
        }
        for (key, selectors) in [("keep", &self.keep), ("drop", &self.drop)] {
            for selector in selectors {
                if let Err(error) = Filter::selector(selector) {
                    problem(key, error);
                }
            }
        }
        for (name, value) in &self.headers {
            let is_reserved = RESERVED_HEADERS.contains(&&*name.to_ascii_lowercase());
            if is_reserved || HeaderName::try_from(name).is_err() {
                problem("headers", format!("`{name}` cannot be set"));
            } else if HeaderValue::try_from(value).is_err() {
                problem(
                    "headers",
                    format!("the value of `{name}` has characters that no header may have"),
                );
            }
        }
        let passwords = [self.password.is_some(), self.password_file.is_some()];
        let tokens = [self.bearer_token.is_some(), self.bearer_token_file.is_some()];
        if passwords.iter().chain(&tokens).filter(|is_set| **is_set).count() > 1 {
            problem("password", "more than one of password, password_file, bearer_token and bearer_token_file is set; keep one".to_owned());
        }
        if passwords.contains(&true) != self.username.is_some() {
            problem("username", "basic authentication needs username and a password".to_owned());
        }
        if !(1..=MAX_SAMPLES).contains(&self.max_samples_per_send) {
            problem("max_samples_per_send", "must be between 1 and 100000".to_owned());
        }
        if !(1..=300).contains(&self.timeout.0.as_secs()) {
            problem("timeout", "must be between 1s and 5m".to_owned());
        }
        if self.buffer.0 < MIN_BUFFER_BYTES {
            problem("buffer", "must be at least 1MiB".to_owned());
        }
    }
}

/// Checks all endpoints.
pub(super) fn validate(endpoints: &[EndpointTable], problems: &mut Problems) {
    let mut names = BTreeSet::new();
    for (index, endpoint) in endpoints.iter().enumerate() {
        let at = format!("remote_write.endpoint[{index}]");
        endpoint.validate(&at, problems);
        let name = endpoint.name();
        if !names.insert(name.clone()) {
            problems.add(
                &format!("{at}.name"),
                format!("`{name}` is another endpoint's name; set a different one"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::remote_write::RemoteWrite;

    #[track_caller]
    fn problems_of(text: &str) -> Vec<(String, String)> {
        let config: RemoteWrite = toml::from_str(text).unwrap();
        let mut problems = Problems::default();
        config.validate(&mut problems);
        problems.0
    }

    #[test]
    fn what_is_wrong_with_an_endpoint_is_told_by_its_key() {
        const URL: &str = "url = \"https://a/write\"\n";
        for (name, text, key, message) in [
            ("no url", "", "url", "needs an http:// or https:// address"),
            ("scheme", "url = \"ftp://a/\"", "url", "needs an http:// or https:// address"),
            (
                "password in the url",
                "url = \"https://ada:lace@a/\"",
                "url",
                "holds a password; use username and password_file",
            ),
            ("protocol", "protocol = 3", "protocol", "`3` is no protocol, expected 1 or 2"),
            (
                "selector",
                "keep = [\"sum(up)\"]",
                "keep",
                "`sum(up)` is not a selector such as {service=\"shop\"}",
            ),
            ("own header", "headers = { Host = \"a\" }", "headers", "`Host` cannot be set"),
            (
                "header value",
                "headers = { x = \"a\\nb\" }",
                "headers",
                "the value of `x` has characters that no header may have",
            ),
            (
                "two secrets",
                "bearer_token = \"a\"\nbearer_token_file = \"b\"",
                "password",
                "more than one of password, password_file, bearer_token and bearer_token_file is \
                 set; keep one",
            ),
            (
                "a password for nobody",
                "password = \"a\"",
                "username",
                "basic authentication needs username and a password",
            ),
            ("buffer", "buffer = \"1KiB\"", "buffer", "must be at least 1MiB"),
            ("timeout", "timeout = \"10m\"", "timeout", "must be between 1s and 5m"),
            (
                "samples",
                "max_samples_per_send = 0",
                "max_samples_per_send",
                "must be between 1 and 100000",
            ),
        ] {
            let url = if text.starts_with("url") || text.is_empty() { "" } else { URL };
            let expected = (format!("remote_write.endpoint[0].{key}"), message.to_owned());
            assert_eq!(problems_of(&format!("[[endpoint]]\n{url}{text}\n")), [expected], "{name}");
        }
    }

    #[test]
    fn endpoints_are_told_apart_by_name() {
        let same = "[[endpoint]]\nurl = \"https://a/1\"\n[[endpoint]]\nurl = \"https://a/2\"\n";
        let message = "`a` is another endpoint's name; set a different one".to_owned();
        assert_eq!(problems_of(same), [("remote_write.endpoint[1].name".to_owned(), message)]);
        assert_eq!(problems_of(&format!("{same}name = \"b\"\n")), []);
    }

    #[test]
    fn secrets_are_not_shown() {
        let table = EndpointTable {
            url: "https://a/secret".to_owned(),
            password: Some("secret".to_owned()),
            bearer_token: Some("secret".to_owned()),
            headers: [("x".to_owned(), "secret".to_owned())].into(),
            ..EndpointTable::default()
        };
        assert!(!format!("{table:?}").contains("secret"));
    }
}
