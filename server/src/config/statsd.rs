//! `[statsd]`: what is listened for and how it is aggregated.

mod listener;

use std::{path::Path, time::Duration};

use ipnet::IpNet;
use serde::Deserialize;

pub(crate) use listener::{Listen, ListenerTable};

use super::{
    Problems,
    value::{Bytes, Paths, Span},
};
use crate::listen::{AllowList, Endpoint, Transport};

const MIN_FLUSH_INTERVAL: Duration = Duration::from_secs(1);
const MAX_FLUSH_INTERVAL: Duration = Duration::from_mins(5);

/// What a gauge with a minus sign means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GaugeNegative {
    /// Subtract, as etsy's StatsD does.
    #[default]
    Delta,
    /// The value is below zero, as DogStatsD and cadence mean it.
    Absolute,
}

/// How long a series without packets goes on.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct TimeToLive {
    /// Counters and meters.
    pub(crate) counter: Span,
    /// Gauges.
    pub(crate) gauge: Span,
    /// Timers, histograms and distributions.
    pub(crate) timer: Span,
    /// Sets.
    pub(crate) set: Span,
}

impl Default for TimeToLive {
    fn default() -> Self {
        Self {
            counter: Span::seconds(3600),
            gauge: Span::seconds(3600),
            timer: Span::seconds(600),
            set: Span::seconds(600),
        }
    }
}

/// `[statsd]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Statsd {
    /// UDP addresses to listen on; port 0 takes a free one.
    pub(crate) udp: Vec<String>,
    /// TCP addresses to listen on, for lines that end in a newline.
    pub(crate) tcp: Vec<String>,
    /// Socket files to listen on for datagrams, as `DogStatsD` clients send them.
    pub(crate) unix: Vec<String>,
    /// Listeners with settings of their own.
    pub(crate) listener: Vec<ListenerTable>,
    /// Networks whose hosts may send to any UDP or TCP listener; empty for all. This machine always may.
    pub(crate) allow: Vec<String>,
    /// How often the window is closed, stored and evaluated; 1 s to 5 m.
    pub(crate) flush_interval: Span,
    /// The socket buffer asked of the kernel, which may grant less.
    pub(crate) receive_buffer: Bytes,
    /// What a gauge with a minus sign means.
    pub(crate) gauge_negative: GaugeNegative,
    /// Files of rules that turn dotted names into labels, in `statsd_exporter`'s format: one or a list,
    /// `*` stands for part of a file's name. The first file with a rule for a name decides.
    pub(crate) mappings: Paths,
    /// How long a series without packets goes on.
    pub(crate) ttl: TimeToLive,
    /// The most series in all; more are refused and counted.
    pub(crate) max_series: usize,
    /// The most series that one address may make.
    pub(crate) max_series_per_source: usize,
}

impl Default for Statsd {
    fn default() -> Self {
        Self {
            udp: vec!["127.0.0.1:8125".into()],
            tcp: Vec::new(),
            unix: Vec::new(),
            listener: Vec::new(),
            allow: Vec::new(),
            flush_interval: Span::seconds(10),
            receive_buffer: Bytes(8 << 20),
            gauge_negative: GaugeNegative::Delta,
            mappings: Paths::default(),
            ttl: TimeToLive::default(),
            max_series: 1_000_000,
            max_series_per_source: 250_000,
        }
    }
}

impl Statsd {
    /// The short lists, each with its key.
    fn lists(&self) -> [(&'static str, Transport, &Vec<String>); 3] {
        [
            ("statsd.udp", Transport::Udp, &self.udp),
            ("statsd.tcp", Transport::Tcp, &self.tcp),
            ("statsd.unix", Transport::UnixDatagram, &self.unix),
        ]
    }

    /// All listeners that are valid: the short lists, then the tables.
    pub(crate) fn listeners(&self) -> Vec<Listen> {
        let short = self.lists().into_iter().flat_map(|(_, transport, list)| {
            list.iter().filter_map(move |text| Endpoint::new(transport, text).ok())
        });
        short
            .map(|endpoint| Listen::new(endpoint, self))
            .chain(self.listener.iter().filter_map(|table| table.resolve(self)))
            .collect()
    }

    /// The networks that may send, those that are valid.
    pub(crate) fn allowed(&self) -> Vec<IpNet> {
        self.allow.iter().filter_map(|text| AllowList::parse(text).ok()).collect()
    }

    /// Makes paths relative to a folder.
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        let own = self.listener.iter_mut().filter_map(|table| table.mappings.as_mut());
        for path in own.chain([&mut self.mappings]).flat_map(|paths| &mut paths.0) {
            *path = folder.join(&*path);
        }
        for path in self.unix.iter_mut().filter(|path| !path.is_empty()) {
            *path = folder.join(&*path).to_string_lossy().into_owned();
        }
        for table in &mut self.listener {
            let Ok(mut endpoint) = Endpoint::parse(&table.address) else { continue };
            if let Some(path) = endpoint.path_mut() {
                *path = folder.join(&*path);
                table.address = endpoint.to_string();
            }
        }
    }

    pub(super) fn validate(&self, problems: &mut Problems) {
        self.validate_listeners(problems);
        self.validate_aggregation(problems);
    }

    fn validate_listeners(&self, problems: &mut Problems) {
        for (key, transport, list) in self.lists() {
            for (index, text) in list.iter().enumerate() {
                if let Err(message) = Endpoint::new(transport, text) {
                    problems.add(&format!("{key}[{index}]"), message);
                }
            }
        }
        for (index, table) in self.listener.iter().enumerate() {
            table.validate(&format!("statsd.listener[{index}]"), problems);
        }
        for (index, text) in self.allow.iter().enumerate() {
            if let Err(message) = AllowList::parse(text) {
                problems.add(&format!("statsd.allow[{index}]"), message);
            }
        }
    }

    fn validate_aggregation(&self, problems: &mut Problems) {
        if !(MIN_FLUSH_INTERVAL..=MAX_FLUSH_INTERVAL).contains(&self.flush_interval.0) {
            problems.add("statsd.flush_interval", "must be between 1s and 5m");
        }
        if self.flush_interval.0.subsec_millis() != 0 {
            problems.add("statsd.flush_interval", "must be a whole number of seconds");
        }
        for (key, span) in [
            ("statsd.ttl.counter", self.ttl.counter),
            ("statsd.ttl.gauge", self.ttl.gauge),
            ("statsd.ttl.timer", self.ttl.timer),
            ("statsd.ttl.set", self.ttl.set),
        ] {
            if span.0 < self.flush_interval.0 {
                problems.add(key, "must not be shorter than statsd.flush_interval");
            }
        }
        if self.max_series == 0 || self.max_series_per_source == 0 {
            problems.add("statsd.max_series", "must be at least 1");
        }
    }
}

#[cfg(test)]
mod tests;
