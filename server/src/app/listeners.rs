//! From the configuration to bound listeners and their readers.

use std::{io, sync::Arc};

use anyhow::{Context as _, anyhow};
use ingest::{Dialect, Mapping};

use super::tasks::Tasks;
use crate::{
    config::statsd::{GaugeNegative, Listen, Statsd},
    listen::{
        Endpoint, ListenerOptions, Opened, Sockets, Sources, Stamps, StreamOptions, Transport, open,
    },
};

/// Binds every listener. Needs a tokio runtime around it.
pub(super) fn bind(statsd: &Statsd, sources: &Arc<Sources>) -> anyhow::Result<Vec<Opened>> {
    let mapping = mapping(statsd)?;
    let stamps = Stamps::new();
    let bind_one = |listen: Listen| {
        let options = options(statsd, listen, &mapping);
        let opened = open(&options, sources, stamps)
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

fn mapping(statsd: &Statsd) -> anyhow::Result<Arc<Mapping>> {
    let Some(path) = &statsd.mappings else { return Ok(Arc::default()) };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read statsd.mappings {}", path.display()))?;
    let mapping = Mapping::parse(&text).map_err(|error| anyhow!("{}:{error}", path.display()))?;
    Ok(Arc::new(mapping))
}

fn options(statsd: &Statsd, listen: Listen, mapping: &Arc<Mapping>) -> ListenerOptions {
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
            mapping: Arc::clone(mapping),
        },
        workers: listen.workers,
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
