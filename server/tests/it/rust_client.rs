//! The cadence crate, as a Rust service uses it.

use std::net::UdpSocket;

use cadence::{StatsdClient, UdpMetricSink, prelude::*};

use crate::support::{Folder, Server};

fn client(server: &Server) -> StatsdClient {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sink = UdpMetricSink::from(server.statsd, socket).unwrap();
    StatsdClient::builder("shop", sink).with_tag("service", "checkout").build()
}

/// Sends as cadence's shortest calls do, and panics on an error of the socket.
macro_rules! send {
    ($client:ident . $call:ident ($($arg:expr),*)) => {
        $client.$call($($arg),*).try_send().unwrap();
    };
}

#[tokio::test]
async fn cadence_counters_add_up_exactly() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let client = client(&server);
    for i in 0..500_i64 {
        send!(client.count_with_tags("orders", i));
        send!(client.incr_with_tags("visits"));
        // A count below zero is taken off the ones after it.
        send!(client.decr_with_tags("stock"));
        send!(client.count_with_tags("stock", 3));
        client.count_with_tags("paid", 1).with_tag("method", "card").try_send().unwrap();
        client.count_with_tags("sampled", 1).with_sampling_rate(0.25).try_send().unwrap();
        send!(client.meter_with_tags("watts", 2));
        if i % 20 == 0 {
            server.caught_up().await;
        }
    }
    server.flushed().await;
    for (expr, expected) in [
        ("shop_orders", 124_750.0),
        ("shop_visits", 500.0),
        ("shop_stock", 1_000.0),
        ("shop_paid{method=\"card\"}", 500.0),
        ("shop_sampled", 2_000.0),
        ("shop_watts", 1_000.0),
        ("count({service=\"checkout\", __name__=~\"shop_.*\"})", 6.0),
        // From the zero before the first value on, and never back.
        ("max_over_time(shop_visits[1m]) - min_over_time(shop_visits[1m])", 500.0),
        ("resets(shop_visits[1m])", 0.0),
    ] {
        assert_eq!(server.value(expr).await, Some(expected), "{expr}");
    }
}

#[tokio::test]
async fn cadence_gauges_and_sets_show_the_newest_state() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let client = client(&server);
    for level in 0..100_u64 {
        send!(client.gauge_with_tags("queue", level));
        send!(client.gauge_with_tags("load", level as f64 / 8.0));
        send!(client.set_with_tags("users", (level % 37) as i64));
    }
    server.flushed().await;
    for (expr, expected) in [
        ("shop_queue", 99.0),
        ("shop_load", 12.375),
        // A set counts the different members of each window; all were sent within one or two.
        ("max_over_time(shop_users[1m]) <= bool 37", 1.0),
        ("sum_over_time(shop_users[1m]) >= bool 37", 1.0),
    ] {
        assert_eq!(server.value(expr).await, Some(expected), "{expr}");
    }
}

/// What a service's latencies look like: most are short, some are very long. Log-normal by the sum of
/// twelve uniform numbers of a fixed sequence.
fn latencies(count: usize) -> Vec<f64> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..count)
        .map(|_| {
            let normal: f64 = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            (3.0 + normal).exp()
        })
        .collect()
}

/// The value at the rank that PromQL's quantile means.
fn exact_quantile(sorted: &[f64], q: f64) -> f64 {
    sorted[((q * sorted.len() as f64).ceil() as usize).max(1) - 1]
}

#[tokio::test]
async fn cadence_percentiles_are_within_1_1_percent_of_the_exact_ones() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let client = client(&server);
    let mut values = latencies(20_000);
    for (i, chunk) in values.chunks(10).enumerate() {
        send!(client.distribution_with_tags("size", chunk.to_vec()));
        send!(client.histogram_with_tags("latency", chunk.to_vec()));
        let milliseconds: Vec<u64> = chunk.iter().map(|value| value.round() as u64).collect();
        send!(client.time_with_tags("duration", milliseconds));
        if i % 40 == 0 {
            server.caught_up().await;
        }
    }
    server.flushed().await;
    let sum: f64 = values.iter().sum();
    values.sort_by(f64::total_cmp);
    let rounded: Vec<f64> = values.iter().map(|value| value.round()).collect();
    for (metric, exact) in
        [("shop_size", &values), ("shop_latency", &values), ("shop_duration", &rounded)]
    {
        let count = server.value(&format!("histogram_count({metric})")).await;
        assert_eq!(count, Some(20_000.0), "{metric}");
        for q in [0.5, 0.9, 0.95, 0.99] {
            let expr = format!("histogram_quantile({q}, {metric})");
            let estimate = server.value(&expr).await.unwrap();
            let exact = exact_quantile(exact, q);
            let error = (estimate / exact - 1.0).abs();
            assert!(error <= 0.011, "{expr}: {estimate}, exactly {exact}, off by {error}");
        }
    }
    let total = server.value("histogram_sum(shop_size)").await.unwrap();
    assert!((total / sum - 1.0).abs() < 1e-12, "{total}, exactly {sum}");
}
