//! Monitor files: YAML, unknown keys are errors, and every error of all files is reported at once.
//!
//! ```yaml
//! monitors:
//!   - name: shop
//!     kind: http
//!     url: https://shop.example/health
//! ```

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use hyper::{
    Method,
    header::{HeaderName, HeaderValue},
};
use model::labels::is_label_name;
use url::Url;
use yaml::{Node, Place};

use super::monitor::{AlertTexts, Header, Heartbeat, Hidden, HttpTarget, Kind, Monitor, TcpTarget};

mod fields;

#[cfg(test)]
mod tests;

use fields::{Fields, fields, items};

const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_FAILURES: u32 = 2;
const DEFAULT_REDIRECTS: u8 = 5;
const DEFAULT_RUNBOOK: &str = "MonitorDown";
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(366 * 24);
const SHORTEST_TOKEN: usize = 16;
/// Labels that every series of a monitor has.
const RESERVED_LABELS: [&str; 5] = ["monitor", "kind", "group", "phase", "severity"];

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {message}", path.display())]
pub(crate) struct FileError {
    /// The file.
    pub(crate) path: PathBuf,
    /// From 1; 0 when the file as a whole is meant.
    pub(crate) line: u64,
    /// From 1; 0 when the file as a whole is meant.
    pub(crate) column: u64,
    /// What is wrong and what to write instead.
    pub(crate) message: String,
}

/// Everything that is wrong, in order of file and place; not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileErrors(pub(crate) Vec<FileError>);

impl std::error::Error for FileErrors {}

impl fmt::Display for FileErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

/// Reads files in the given order. Blocks on the disk.
///
/// # Errors
/// Everything that is wrong in any file; then no monitor is returned.
pub(crate) fn load(paths: &[PathBuf]) -> Result<Vec<Monitor>, FileErrors> {
    let mut reader = Reader::default();
    for path in paths {
        match std::fs::read_to_string(path) {
            Ok(text) => reader.read(path, &text),
            Err(error) => {
                reader.path.clone_from(path);
                reader.error(Place::default(), format!("cannot read the file: {error}"));
            }
        }
    }
    reader.finish()
}

/// Collects monitors and errors over several files.
#[derive(Debug, Default)]
struct Reader {
    path: PathBuf,
    monitors: Vec<Monitor>,
    errors: Vec<FileError>,
    names: HashMap<String, String>,
    tokens: HashMap<String, String>,
}

impl Reader {
    fn finish(self) -> Result<Vec<Monitor>, FileErrors> {
        if self.errors.is_empty() { Ok(self.monitors) } else { Err(FileErrors(self.errors)) }
    }

    fn error(&mut self, at: Place, message: impl Into<String>) {
        self.errors.push(FileError {
            path: self.path.clone(),
            line: at.line,
            column: at.column,
            message: message.into(),
        });
    }

    fn read(&mut self, path: &Path, text: &str) {
        path.clone_into(&mut self.path);
        let before = self.errors.len();
        match yaml::parse(text) {
            Ok(root) => self.read_root(root),
            Err(error) => self.error(error.place, format!("not valid YAML: {}", error.message)),
        }
        self.errors[before..].sort_by_key(|error| (error.line, error.column));
    }

    fn read_root(&mut self, root: Node) {
        if root.is_null() {
            return;
        }
        let mut entries = match fields(root, "a monitor file") {
            Ok(fields) => fields,
            Err((at, message)) => return self.error(at, message),
        };
        let list = entries.take("monitors").map(items).transpose();
        match list {
            Ok(list) => {
                for item in list.unwrap_or_default() {
                    match fields(item, "a monitor") {
                        Ok(fields) => self.read_monitor(fields),
                        Err((at, message)) => self.error(at, message),
                    }
                }
            }
            Err((at, message)) => self.error(at, message),
        }
        self.finish_fields(entries);
    }

    fn finish_fields(&mut self, fields: Fields) {
        for (at, message) in fields.finish() {
            self.error(at, message);
        }
    }

    fn read_monitor(&mut self, mut fields: Fields) {
        let at = fields.at;
        let name = fields.required("name").unwrap_or_default();
        if name.len() > 200 || name.chars().any(char::is_control) {
            fields.problem(at, "`name` must be at most 200 bytes without control characters");
        }
        let place = format!("{}:{}", self.path.display(), at.line);
        if let Some(other) = self.names.insert(name.clone(), place) {
            fields.problem(at, format!("`{name}` is defined at {other} too; give it another name"));
        }
        let interval = duration(&mut fields, "interval", DEFAULT_INTERVAL);
        let kind_name = fields.required("kind").unwrap_or_default();
        let kind = match kind_name.as_str() {
            "http" => http(&mut fields).map(Kind::Http),
            "tcp" => tcp(&mut fields).map(Kind::Tcp),
            "heartbeat" => self.heartbeat(&mut fields, interval).map(Kind::Heartbeat),
            other => {
                if !other.is_empty() {
                    let message = format!("unknown kind `{other}`; use http, tcp or heartbeat");
                    fields.problem(at, message);
                }
                // Which keys belong to it is not known.
                fields.forget_rest();
                None
            }
        };
        let is_probe = kind_name != "heartbeat";
        let monitor = common(&mut fields, Common { name, kind, interval, is_probe });
        let sound = !fields.has_problems() && fields.is_used_up();
        self.finish_fields(fields);
        self.monitors.extend(monitor.filter(|_| sound));
    }

    fn heartbeat(&mut self, fields: &mut Fields, interval: Duration) -> Option<Heartbeat> {
        let grace = duration(fields, "grace", (interval / 10).max(Duration::from_secs(30)));
        let at = fields.at;
        let token = match (fields.text("token"), fields.text("token_file")) {
            (Some(token), None) => token,
            (None, Some(name)) => {
                let path = self.path.parent().unwrap_or(Path::new("")).join(name);
                match std::fs::read_to_string(&path) {
                    Ok(token) => token.trim().to_owned(),
                    Err(error) => {
                        let path = path.display();
                        let make = "head -c 24 /dev/urandom | base64 | tr +/ -_";
                        let message =
                            format!("cannot read {path}: {error}; make it with `{make} > {path}`");
                        fields.problem(at, message);
                        return None;
                    }
                }
            }
            (None, None) => {
                fields.problem(at, "a heartbeat needs `token` or `token_file`");
                return None;
            }
            (Some(_), Some(_)) => {
                fields.problem(at, "`token` and `token_file` are both set; keep one");
                return None;
            }
        };
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if token.len() < SHORTEST_TOKEN || !token.bytes().all(is_plain) {
            let message = format!(
                "the token must have at least {SHORTEST_TOKEN} letters, digits, `-` or `_`: it is all a stranger would have to guess"
            );
            fields.problem(at, message);
        }
        let place = format!("{}:{}", self.path.display(), at.line);
        if let Some(other) = self.tokens.insert(token.clone(), place) {
            fields.problem(at, format!("the heartbeat at {other} has the same token; use another"));
        }
        Some(Heartbeat { token: Hidden(token), grace })
    }
}

/// What is known of a monitor before the keys that all kinds share are read.
struct Common {
    name: String,
    /// `None` when its keys have mistakes.
    kind: Option<Kind>,
    interval: Duration,
    is_probe: bool,
}

/// Reads the keys that all kinds share; all of them, whatever is wrong with the kind.
fn common(fields: &mut Fields, known: Common) -> Option<Monitor> {
    let Common { name, kind, interval, is_probe } = known;
    let at = fields.at;
    let (timeout, failures, degraded_above) = if is_probe {
        let timeout = duration(fields, "timeout", DEFAULT_TIMEOUT.min(interval));
        if timeout > interval {
            fields.problem(at, "`timeout` is longer than `interval`; checks would overlap");
        }
        let failures = fields.number("failures").unwrap_or(DEFAULT_FAILURES);
        if failures == 0 {
            fields.problem(at, "`failures` must be at least 1");
        }
        let degraded_above = fields.duration("degraded_above");
        if degraded_above.is_some_and(|above| above >= timeout) {
            fields.problem(at, "`degraded_above` must be shorter than `timeout`");
        }
        (timeout, failures, degraded_above)
    } else {
        (DEFAULT_TIMEOUT, 1, None)
    };
    let severity = fields.text("severity").unwrap_or_else(|| "page".to_owned());
    if !["page", "ticket", "info"].contains(&severity.as_str()) {
        fields.problem(at, format!("severity `{severity}` must be page, ticket or info"));
    }
    let impact = fields.text("impact").unwrap_or_default();
    if let Err(error) = rules::template::Template::parse(&impact) {
        fields.problem(at, format!("`impact` is not a template: {error}"));
    }
    let alert = AlertTexts {
        severity,
        owner: fields.text("owner").unwrap_or_default(),
        impact,
        runbook: fields.text("runbook").unwrap_or_else(|| DEFAULT_RUNBOOK.to_owned()),
    };
    let group = fields.text("group").unwrap_or_default();
    let labels = labels(fields);
    let paused = fields.bool("paused").unwrap_or(false);
    let kind = kind?;
    Some(Monitor {
        name,
        group,
        labels,
        kind,
        interval,
        timeout,
        failures,
        degraded_above,
        paused,
        alert,
    })
}

fn http(fields: &mut Fields) -> Option<HttpTarget> {
    let at = fields.at;
    let method = fields.text("method").unwrap_or_else(|| "GET".to_owned());
    let method = Method::from_bytes(method.as_bytes()).unwrap_or_else(|_| {
        fields.problem(at, format!("`{method}` is not an HTTP method; use GET, HEAD or POST"));
        Method::GET
    });
    let headers = headers(fields);
    let status = fields.text("status").unwrap_or_else(|| "200-399".to_owned());
    let status = status_ranges(&status).unwrap_or_else(|| {
        let message = format!("status `{status}` must be like 200, 200-399 or 200,301-302");
        fields.problem(at, message);
        Vec::new()
    });
    let url = fields.required("url").and_then(|text| match address(&text) {
        Ok(url) => Some(url),
        Err(reason) => {
            fields.problem(at, format!("url: {reason}"));
            None
        }
    });
    let target = HttpTarget {
        method,
        headers,
        body: fields.text("body").unwrap_or_default(),
        status,
        body_contains: fields.text("body_contains"),
        redirects: fields.number("redirects").unwrap_or(DEFAULT_REDIRECTS),
        tls_verify: fields.bool("tls_verify").unwrap_or(true),
        url: url?,
    };
    Some(target)
}

fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text)
        .map_err(|error| format!("{error}; write it like https://host:port/path"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("scheme `{}` must be http or https", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("user and password belong into an `Authorization` header".to_owned());
    }
    Ok(url)
}

fn headers(fields: &mut Fields) -> Vec<Header> {
    let mut headers = Vec::new();
    for (at, name, text) in fields.map("headers") {
        let value = HeaderValue::from_str(&text).ok();
        match (HeaderName::from_bytes(name.as_bytes()).ok(), value) {
            (Some(name), Some(mut value)) => {
                value.set_sensitive(true);
                headers.push(Header { name, value });
            }
            _ => fields.problem(at, format!("`{name}` is not a valid header")),
        }
    }
    headers
}

fn labels(fields: &mut Fields) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (at, name, value) in fields.map("labels") {
        if !is_label_name(&name) || name.starts_with("__") {
            fields.problem(at, format!("`{name}` is not a label name; use letters, digits and _"));
        } else if RESERVED_LABELS.contains(&name.as_str()) {
            fields.problem(at, format!("label `{name}` is set by the monitor itself; rename it"));
        } else {
            labels.insert(name, value);
        }
    }
    labels
}

fn tcp(fields: &mut Fields) -> Option<TcpTarget> {
    let at = fields.at;
    let text = fields.required("address")?;
    let split = text.rsplit_once(':').and_then(|(host, port)| {
        let host = host.strip_prefix('[').map_or(Some(host), |rest| rest.strip_suffix(']'))?;
        let port = port.parse().ok().filter(|port| *port != 0)?;
        (!host.is_empty() && !host.contains(['/', ' ', '[', ']'])).then(|| (host.to_owned(), port))
    });
    if split.is_none() {
        fields.problem(at, format!("address `{text}` must be like host:5432 or [::1]:5432"));
    }
    split.map(|(host, port)| TcpTarget { host, port })
}

fn duration(fields: &mut Fields, key: &'static str, default: Duration) -> Duration {
    let at = fields.at;
    let length = fields.duration(key).unwrap_or(default);
    if length < SHORTEST || length > LONGEST {
        fields.problem(at, format!("`{key}` must be from 1s to 366d"));
        return default;
    }
    length
}

/// `200-399`, `200`, `200,301-302`.
fn status_ranges(text: &str) -> Option<Vec<RangeInclusive<u16>>> {
    text.split(',')
        .map(|part| {
            let (first, last) = part.trim().split_once('-').unwrap_or((part.trim(), part.trim()));
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last && (100..=599).contains(&first) && last <= 599).then_some(first..=last)
        })
        .collect()
}
