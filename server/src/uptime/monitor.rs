//! What is watched, and how.

use std::{collections::BTreeMap, fmt, ops::RangeInclusive, time::Duration};

use hyper::{
    Method,
    header::{HeaderName, HeaderValue},
};
use url::Url;

use super::ledger::{Policy, Silence};

/// A monitor, checked: every field can be used as it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Monitor {
    /// Unique; the ledger is kept under it.
    pub(crate) name: String,
    /// The heading it is listed under; may be empty.
    pub(crate) group: String,
    /// Labels of its series and so of its alerts, besides `monitor`, `kind` and `group`.
    pub(crate) labels: BTreeMap<String, String>,
    /// What it looks at.
    pub(crate) kind: Kind,
    /// Time between the starts of two checks, or between two heartbeats. At least a second.
    pub(crate) interval: Duration,
    /// A probe that takes longer has failed. Not longer than the interval.
    pub(crate) timeout: Duration,
    /// Failed checks in a row that make it `DOWN`. At least 1.
    pub(crate) failures: u32,
    /// A good answer that takes longer than this is `DEGRADED`.
    pub(crate) degraded_above: Option<Duration>,
    /// Not checked at all while set.
    pub(crate) paused: bool,
    /// What its alert says.
    pub(crate) alert: AlertTexts,
}

/// What the alert of a monitor says. Monitors with equal texts share a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AlertTexts {
    /// `page`, `ticket` or `info`.
    pub(crate) severity: String,
    /// Who is responsible; may be empty.
    pub(crate) owner: String,
    /// What it means for users; may be empty.
    pub(crate) impact: String,
    /// The name of the runbook, without folder and ending.
    pub(crate) runbook: String,
}

/// What a monitor looks at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// Sends a request and looks at the answer.
    Http(HttpTarget),
    /// Opens a connection.
    Tcp(TcpTarget),
    /// Waits for a job to report.
    Heartbeat(Heartbeat),
}

/// A request and what its answer has to look like.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HttpTarget {
    /// `http` or `https`, without user and password.
    pub(crate) url: Url,
    /// Usually `GET`.
    pub(crate) method: Method,
    /// Sent along; values may be secrets.
    pub(crate) headers: Vec<Header>,
    /// Sent as the request's body; may be empty.
    pub(crate) body: String,
    /// Status codes that are good; not empty.
    pub(crate) status: Vec<RangeInclusive<u16>>,
    /// A text the answer's first mebibyte must contain.
    pub(crate) body_contains: Option<String>,
    /// How many redirects are followed; the answer after the last one counts.
    pub(crate) redirects: u8,
    /// Whether the certificate has to be valid for the name.
    pub(crate) tls_verify: bool,
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TcpTarget {
    /// A name or an address, an IPv6 one without brackets.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
}

/// A job that reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heartbeat {
    /// The last part of the address the job calls; who knows it may report.
    pub(crate) token: Hidden,
    /// How late a beat may be.
    pub(crate) grace: Duration,
}

/// A header of a request. `Debug` does not show the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// The name.
    pub(crate) name: HeaderName,
    /// The value, marked as sensitive.
    pub(crate) value: HeaderValue,
}

/// A text that logs and answers never show.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hidden(pub(crate) String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<hidden>")
    }
}

impl Monitor {
    /// `http`, `tcp` or `heartbeat`.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Http(_) => "http",
            Kind::Tcp(_) => "tcp",
            Kind::Heartbeat(_) => "heartbeat",
        }
    }

    /// What it looks at, for people. The query of an address may hold a secret and is left out.
    pub(crate) fn target(&self) -> String {
        match &self.kind {
            Kind::Http(http) => {
                let mut shown = http.url.clone();
                if shown.query().is_some() {
                    shown.set_query(Some("…"));
                }
                // A fragment is never sent; the crate would also write the dots percent-encoded.
                shown.set_fragment(None);
                shown.as_str().replace("%E2%80%A6", "…")
            }
            Kind::Tcp(tcp) if tcp.host.contains(':') => format!("[{}]:{}", tcp.host, tcp.port),
            Kind::Tcp(tcp) => format!("{}:{}", tcp.host, tcp.port),
            Kind::Heartbeat(_) => {
                format!("a heartbeat every {}", model::duration::Pretty(self.interval))
            }
        }
    }

    /// Whether this program has to probe it.
    pub(crate) fn is_probed(&self) -> bool {
        !self.paused && !matches!(self.kind, Kind::Heartbeat(_))
    }

    /// How checks become states: silence is twice the interval and the timeout for a probe, the
    /// interval and the grace for a heartbeat. A beat that reports a failure needs no confirmation.
    pub(crate) fn policy(&self) -> Policy {
        let (silent_after, silence, failures) = match &self.kind {
            Kind::Http(_) | Kind::Tcp(_) => {
                (self.interval * 2 + self.timeout, Silence::Unknown, self.failures)
            }
            Kind::Heartbeat(heartbeat) => (self.interval + heartbeat.grace, Silence::Down, 1),
        };
        Policy {
            interval_ms: ms(self.interval),
            silent_after_ms: ms(silent_after),
            silence,
            failures,
        }
    }
}

fn ms(length: Duration) -> i64 {
    // The file reader allows a year at most.
    length.as_millis() as i64
}
