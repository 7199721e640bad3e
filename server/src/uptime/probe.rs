//! Probes: one look at a target from outside, with a deadline.
//!
//! Every probe opens a new connection, because a reused one hides that nobody can connect any more.
//! Resolved addresses are tried in turn, both families mixed, and each gets its share of the time:
//! one dead address does not make a reachable target look down.
//!
//! Deliberately absent: retries (the ledger confirms failures) and what a result means for uptime.

use std::{fmt, sync::Arc, time::Duration};

use model::Timestamp;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::rustls;

use super::monitor::{Kind, Monitor};

mod address;
mod certificate;
mod http;
mod tcp;
mod tls;

#[cfg(test)]
mod tests;

/// What one probe saw.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ProbeResult {
    /// Whether the target answered as it should, in time.
    pub(crate) success: bool,
    /// From the start to the judged answer, to the error or to the deadline.
    pub(crate) duration: Duration,
    /// Where the time went.
    pub(crate) phases: Phases,
    /// The error in words, without secrets; empty on success.
    pub(crate) detail: String,
    /// When the certificate shown by an `https` target ends.
    pub(crate) certificate_expires: Option<Timestamp>,
}

/// Parts of a probe's duration; `None` for what was not reached or is not part of the kind. With
/// redirects the sum over all requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Phases {
    /// Looking up the name.
    pub(crate) dns: Option<Duration>,
    /// Opening the connection to the address that answered.
    pub(crate) connect: Option<Duration>,
    /// The TLS handshake.
    pub(crate) tls: Option<Duration>,
    /// From sending the request to the head of the answer.
    pub(crate) first_byte: Option<Duration>,
}

impl Phases {
    /// The phases that took place, with the names used as label values.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        [
            ("dns", self.dns),
            ("connect", self.connect),
            ("tls", self.tls),
            ("first_byte", self.first_byte),
        ]
        .into_iter()
        .filter_map(|(name, length)| Some((name, length?)))
    }
}

/// Sends probes. Cheap to share; opening it reads the system's root certificates.
#[derive(Debug)]
pub(crate) struct Prober {
    allow_link_local: bool,
    verified: Arc<rustls::ClientConfig>,
    unverified: Arc<rustls::ClientConfig>,
}

impl Prober {
    /// Reads the system's root certificates; blocks on the disk. Without any, `https` probes that
    /// verify fail and say so.
    ///
    /// Link-local addresses and those of cloud metadata services, which may hand out credentials, are
    /// probed only with `allow_link_local`.
    ///
    /// # Errors
    /// When the TLS library refuses its own defaults.
    pub(crate) fn open(allow_link_local: bool) -> Result<Self, rustls::Error> {
        Ok(Self { allow_link_local, verified: tls::verified()?, unverified: tls::unverified()? })
    }

    /// Probes a monitor until `deadline`. A heartbeat is not probed and fails.
    pub(crate) async fn probe(&self, monitor: &Monitor, deadline: Instant) -> ProbeResult {
        let start = Instant::now();
        let mut progress = Progress {
            allow_link_local: self.allow_link_local,
            stage: Stage::Resolve,
            phases: Phases::default(),
            expires: None,
        };
        let outcome = match &monitor.kind {
            Kind::Http(target) => {
                let config = if target.tls_verify { &self.verified } else { &self.unverified };
                timeout_at(deadline, http::probe(target, config, deadline, &mut progress)).await
            }
            Kind::Tcp(target) => {
                timeout_at(deadline, tcp::probe(target, deadline, &mut progress)).await
            }
            Kind::Heartbeat(_) => Ok(Err("a heartbeat is not probed".to_owned())),
        };
        let duration = start.elapsed();
        let detail = match outcome {
            Ok(Ok(())) => String::new(),
            Ok(Err(reason)) => reason,
            Err(_) => format!("timed out after {duration:.1?} while {}", progress.stage),
        };
        ProbeResult {
            success: detail.is_empty(),
            duration,
            phases: progress.phases,
            detail,
            certificate_expires: progress.expires,
        }
    }
}

/// What one probe may do and how far it came; outlives the probe when the deadline cuts it off.
#[derive(Debug)]
struct Progress {
    allow_link_local: bool,
    stage: Stage,
    phases: Phases,
    expires: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Resolve,
    Connect,
    Handshake,
    Request,
    Body,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "looking up the name",
            Self::Connect => "connecting",
            Self::Handshake => "in the TLS handshake",
            Self::Request => "waiting for the answer",
            Self::Body => "reading the answer",
        })
    }
}

/// Adds time to a phase.
fn spend(phase: &mut Option<Duration>, since: Instant) {
    *phase = Some(phase.unwrap_or_default() + since.elapsed());
}
