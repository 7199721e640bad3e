//! `[[statsd.listener]]`: one listener with settings of its own.

use std::{collections::BTreeMap, num::NonZeroUsize};

use model::labels::{METRIC_NAME, is_label_name};
use serde::Deserialize;

use super::{GaugeNegative, Statsd};
use crate::{
    config::{
        Problems,
        value::{Paths, Span},
    },
    listen::{Endpoint, Framing, Transport},
};

/// More readers than this only take memory from each other.
const MAX_WORKERS: usize = 64;
const MAX_CONNECTIONS: usize = 100_000;
/// Everybody on this machine may send, as over a loopback address.
const DEFAULT_SOCKET_MODE: u32 = 0o666;

/// `[[statsd.listener]]`. What is not set is as for the short lists.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ListenerTable {
    /// `udp://`, `tcp://`, `unixgram://` or `unix://` and an address or path.
    pub(crate) address: String,
    /// Put in front of every name, such as `team.`.
    pub(crate) prefix: String,
    /// Labels of every series; a tag of the same name wins.
    pub(crate) labels: BTreeMap<String, String>,
    /// What a gauge with a minus sign means here.
    pub(crate) gauge_negative: Option<GaugeNegative>,
    /// Files of rules that turn dotted names into labels here, instead of `statsd.mappings`; `[]` for
    /// none.
    pub(crate) mappings: Option<Paths>,
    /// Whether `DogStatsD`'s container id becomes the label `container_id`.
    pub(crate) container_label: bool,
    /// Whether `DogStatsD`'s external data becomes the label `external_data`.
    pub(crate) external_label: bool,
    /// Whether `DogStatsD`'s wanted cardinality becomes the label `cardinality`.
    pub(crate) cardinality_label: bool,
    /// Sockets that share the address, each with a thread; UDP only.
    pub(crate) workers: Option<usize>,
    /// What separates payloads; connections only.
    pub(crate) framing: Option<Framing>,
    /// Connections open at the same time; more are closed and counted.
    pub(crate) max_connections: Option<usize>,
    /// How long a connection may be silent before it is closed.
    pub(crate) idle_timeout: Option<Span>,
    /// Permissions of the socket file in octal, such as `"0660"`.
    pub(crate) socket_mode: Option<String>,
}

/// A listener with every setting in place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listen {
    pub(crate) endpoint: Endpoint,
    pub(crate) prefix: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) gauge_negative: GaugeNegative,
    pub(crate) mappings: Paths,
    pub(crate) container_label: bool,
    pub(crate) external_label: bool,
    pub(crate) cardinality_label: bool,
    pub(crate) workers: NonZeroUsize,
    pub(crate) framing: Framing,
    pub(crate) max_connections: usize,
    pub(crate) idle_timeout: Span,
    pub(crate) socket_mode: u32,
}

impl Listen {
    /// A listener at its defaults.
    pub(super) fn new(endpoint: Endpoint, statsd: &Statsd) -> Self {
        // `DogStatsD`'s lengths are known on socket files only.
        let framing = match endpoint.transport() {
            Transport::Tcp => Framing::Newline,
            _ => Framing::Auto,
        };
        Self {
            endpoint,
            prefix: String::new(),
            labels: BTreeMap::new(),
            gauge_negative: statsd.gauge_negative,
            mappings: statsd.mappings.clone(),
            container_label: false,
            external_label: false,
            cardinality_label: false,
            workers: NonZeroUsize::MIN,
            framing,
            max_connections: 256,
            idle_timeout: Span::seconds(600),
            socket_mode: DEFAULT_SOCKET_MODE,
        }
    }
}

impl ListenerTable {
    /// The listener, when its address is valid; all other settings that are not are left at the default.
    pub(super) fn resolve(&self, statsd: &Statsd) -> Option<Listen> {
        let endpoint = Endpoint::parse(&self.address).ok()?;
        let default = Listen::new(endpoint, statsd);
        let mode = self.socket_mode.as_deref().and_then(parse_mode);
        Some(Listen {
            prefix: self.prefix.clone(),
            labels: self.labels.clone(),
            gauge_negative: self.gauge_negative.unwrap_or(default.gauge_negative),
            mappings: self.mappings.clone().unwrap_or(default.mappings),
            container_label: self.container_label,
            external_label: self.external_label,
            cardinality_label: self.cardinality_label,
            workers: self.workers.and_then(NonZeroUsize::new).unwrap_or(default.workers),
            framing: self.framing.unwrap_or(default.framing),
            max_connections: self.max_connections.unwrap_or(default.max_connections),
            idle_timeout: self.idle_timeout.unwrap_or(default.idle_timeout),
            socket_mode: mode.unwrap_or(default.socket_mode),
            ..default
        })
    }

    /// Checks the table that is written at `place`, such as `statsd.listener[0]`.
    pub(super) fn validate(&self, place: &str, problems: &mut Problems) {
        let mut problem = |key: &str, message: String| {
            problems.add(&format!("{place}.{key}"), message);
        };
        match Endpoint::parse(&self.address) {
            Err(message) => problem("address", message),
            Ok(endpoint) => {
                for (key, is_set, is_of_use, remedy) in self.uses(endpoint.transport()) {
                    if is_set && !is_of_use {
                        problem(key, format!("has no effect on {endpoint}; {remedy}"));
                    }
                }
            }
        }
        if self.workers.is_some_and(|workers| !(1..=MAX_WORKERS).contains(&workers)) {
            problem("workers", format!("must be between 1 and {MAX_WORKERS}"));
        }
        let connections = 1..=MAX_CONNECTIONS;
        if self.max_connections.is_some_and(|most| !connections.contains(&most)) {
            problem("max_connections", format!("must be between 1 and {MAX_CONNECTIONS}"));
        }
        if self.idle_timeout.is_some_and(|idle| idle.0.as_secs() == 0) {
            problem("idle_timeout", "must be at least 1s".to_owned());
        }
        if let Some(text) = self.socket_mode.as_ref().filter(|text| parse_mode(text).is_none()) {
            problem(
                "socket_mode",
                format!("`{text}` is not a file mode in octal, expected \"0660\""),
            );
        }
        for label in self.labels.keys() {
            if !is_label_name(label) || label == METRIC_NAME {
                let message = "is not a label's name; use letters, digits and `_`".to_owned();
                problem(&format!("labels.{label}"), message);
            }
        }
    }

    /// For settings that only some transports have: the key, whether it is set, whether it is of use
    /// with this transport, and what to do else.
    fn uses(&self, transport: Transport) -> [(&'static str, bool, bool, &'static str); 5] {
        let is_udp = transport == Transport::Udp;
        let (is_stream, is_file) = (transport.is_stream(), transport.is_file());
        let for_stream = "it is for tcp:// and unix://";
        [
            ("workers", self.workers.is_some(), is_udp, "it is for udp://"),
            ("framing", self.framing.is_some(), is_stream, for_stream),
            ("max_connections", self.max_connections.is_some(), is_stream, for_stream),
            ("idle_timeout", self.idle_timeout.is_some(), is_stream, for_stream),
            (
                "socket_mode",
                self.socket_mode.is_some(),
                is_file,
                "it is for unixgram:// and unix://",
            ),
        ]
    }
}

fn parse_mode(text: &str) -> Option<u32> {
    let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o777)
}
