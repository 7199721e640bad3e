//! `[statsd]`: what is listened for and how it is aggregated.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::Deserialize;

use super::{
    Problems,
    value::{Bytes, Span},
};

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
    /// How often the window is closed, stored and evaluated; 1 s to 5 m.
    pub(crate) flush_interval: Span,
    /// The socket buffer asked of the kernel, which may grant less.
    pub(crate) receive_buffer: Bytes,
    /// What a gauge with a minus sign means.
    pub(crate) gauge_negative: GaugeNegative,
    /// Rules that turn dotted names into labels, in `statsd_exporter`'s format.
    pub(crate) mappings: Option<PathBuf>,
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
            flush_interval: Span::seconds(10),
            receive_buffer: Bytes(8 << 20),
            gauge_negative: GaugeNegative::Delta,
            mappings: None,
            ttl: TimeToLive::default(),
            max_series: 1_000_000,
            max_series_per_source: 250_000,
        }
    }
}

impl Statsd {
    /// The addresses, those that are valid.
    pub(crate) fn udp_addresses(&self) -> Vec<SocketAddr> {
        self.udp.iter().filter_map(|text| text.parse().ok()).collect()
    }

    pub(super) fn validate(&self, problems: &mut Problems) {
        for text in &self.udp {
            if text.parse::<SocketAddr>().is_err() {
                problems.add(
                    "statsd.udp",
                    format!("`{text}` is not an address with a port, expected 127.0.0.1:8125"),
                );
            }
        }
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
