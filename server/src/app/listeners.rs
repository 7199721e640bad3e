//! From the configuration to bound listeners and their readers.

use std::{io, sync::Arc};

use anyhow::anyhow;
use ingest::Dialect;

use super::{mappings::Mappings, tasks::Tasks};
use crate::{
    config::statsd::{GaugeNegative, Listen, Statsd},
    events::Intake,
    listen::{
        Common, Endpoint, Listener, ListenerOptions, Opened, Sockets, Sources, Stamps,
        StreamOptions, Transport, open,
    },
};

/// Binds every listener. Needs a tokio runtime around it.
pub(super) fn bind(
    statsd: &Statsd,
    mappings: &Mappings,
    sources: &Arc<Sources>,
    intake: &Arc<Intake>,
) -> anyhow::Result<Vec<Opened>> {
    let common =
        Common { sources: Arc::clone(sources), stamps: Stamps::new(), intake: Arc::clone(intake) };
    let bind_one = |listen: Listen| {
        let options = options(statsd, listen, mappings);
        let opened = open(&options, &common)
            .map_err(|error| anyhow!("{}", remedy(&options.endpoint, &error)))?;
        tracing::info!(
            listener = %opened.listener.endpoint,
            buffer_bytes = opened.listener.granted_buffer,
            workers = opened.listener.workers(),
            "listening for StatsD"
        );
        Ok(opened)
    };
    statsd.listeners().into_iter().map(bind_one).collect()
}

/// Starts what reads for a listener.
pub(super) fn spawn(opened: Opened, tasks: &Tasks) -> io::Result<()> {
    let Opened { listener, sockets } = opened;
    let name = match listener.endpoint.transport() {
        Transport::Udp => "statsd-udp",
        Transport::Tcp => "statsd-tcp",
        Transport::UnixDatagram => "statsd-unixgram",
        Transport::UnixStream => "statsd-unix",
    };
    match sockets {
        Sockets::Datagram(sockets) => {
            for socket in sockets {
                let listener = Arc::clone(&listener);
                tasks.spawn_thread(name, move |stop| socket.run(&listener, &stop))?;
            }
        }
        Sockets::Stream(acceptor) => tasks.spawn(name, |stop| acceptor.run(listener, stop)),
    }
    Ok(())
}

/// Has every listener use new rules from the next line on.
pub(super) fn set_mappings(statsd: &Statsd, mappings: &Mappings, listeners: &[Arc<Listener>]) {
    // They were bound in this order, and a setting changes only with a new process.
    for (listen, listener) in statsd.listeners().iter().zip(listeners) {
        let mapping = mappings.of(&listen.mappings.0);
        let rules = mapping.len();
        if listener.set_mapping(mapping) {
            tracing::info!(listener = %listener.endpoint, rules, "new mapping rules are in use");
        }
    }
}

fn options(statsd: &Statsd, listen: Listen, mappings: &Mappings) -> ListenerOptions {
    ListenerOptions {
        endpoint: listen.endpoint,
        dialect: Dialect {
            gauge_negative: match listen.gauge_negative {
                GaugeNegative::Delta => ingest::GaugeNegative::Delta,
                GaugeNegative::Absolute => ingest::GaugeNegative::Absolute,
            },
            prefix: listen.prefix,
            extra_labels: listen.labels.into_iter().collect(),
            container_label: listen.container_label,
            external_label: listen.external_label,
            cardinality_label: listen.cardinality_label,
            mapping: mappings.of(&listen.mappings.0),
        },
        workers: listen.workers,
        max_series: statsd.max_series,
        max_series_per_source: statsd.max_series_per_source,
        receive_buffer: statsd.receive_buffer.0,
        allow: statsd.allowed(),
        stream: StreamOptions {
            framing: listen.framing,
            max_connections: listen.max_connections,
            idle_timeout: listen.idle_timeout.0,
        },
        socket_mode: listen.socket_mode,
    }
}

fn remedy(endpoint: &Endpoint, error: &io::Error) -> String {
    let remedy = match endpoint.transport() {
        Transport::Udp => "choose another address with --statsd, statsd.udp or statsd.listener",
        Transport::Tcp => "choose another address with statsd.tcp or statsd.listener",
        Transport::UnixDatagram | Transport::UnixStream => {
            "choose another path with statsd.unix or statsd.listener, or make its folder"
        }
    };
    format!("cannot listen for StatsD on {endpoint}: {error}; {remedy}")
}
