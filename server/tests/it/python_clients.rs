//! The `statsd` and `datadog` packages from `PyPI`.

use crate::support::{Folder, Server, python};

const STATSD: &str = r#"
import statsd

client = statsd.StatsClient("127.0.0.1", port, prefix="py")
for i in range(1000):
    client.incr("jobs")
    client.incr("bytes", i)
    client.decr("slots", 2)
    client.incr("slots", 3)
    client.timing("task", 10 + i % 10)
    settle()
client.gauge("temperature", 21.5)
client.gauge("balance", -5)
client.gauge("depth", 10)
client.gauge("depth", 4, delta=True)
client.gauge("depth", -1, delta=True)
for user in ("ann", "ben", "ann"):
    client.set("users", user)
with client.pipeline() as pipe:
    for i in range(1000):
        pipe.incr("piped")
        pipe.gauge("last", i)
with client.timer("block"):
    pass
"#;

#[tokio::test]
async fn the_python_statsd_client_counts_exactly() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    python::send_to(&server, STATSD).await;
    server.flushed().await;
    for (expr, expected) in [
        ("py_jobs", 1_000.0),
        ("py_bytes", 499_500.0),
        ("py_slots", 1_000.0),
        ("py_piped", 1_000.0),
        ("py_last", 999.0),
        ("py_temperature", 21.5),
        // Sent as two lines, first 0 and then -5.
        ("py_balance", -5.0),
        ("py_depth", 13.0),
        ("sum_over_time(py_users[1m])", 2.0),
        ("histogram_count(py_task)", 1_000.0),
        ("histogram_sum(py_task)", 14_500.0),
        ("histogram_count(py_block)", 1.0),
    ] {
        assert_eq!(server.value(expr).await, Some(expected), "{expr}");
    }
    assert_eq!(server.own_metric("bellwether_ingest_rejected_lines_total").await, 0.0);
}

const DATADOG: &str = r#"
from datadog.dogstatsd import DogStatsd

plain = DogStatsd(
    host="127.0.0.1",
    port=port,
    constant_tags=["env:test", "canary"],
    disable_telemetry=True,
    disable_aggregation=True,
)
for i in range(1000):
    plain.increment("dd.jobs", tags=["queue:a" if i % 4 else "queue:b"])
    plain.histogram("dd.size", i % 100)
    plain.distribution("dd.wait", i % 100)
    plain.timing("dd.task", 7)
    settle()
plain.decrement("dd.slots", 3)
plain.increment("dd.slots", 10)
plain.gauge("dd.depth", 12.5, tags=["url:http://host/a"])
plain.set("dd.users", "ann")
plain.set("dd.users", "ben:2")
plain.increment("dd.sampled", 5, sample_rate=1)
plain.event("Deployed", "Version 2 | with\nlines", alert_type="info", tags=["a:b"])
plain.service_check("db.up", plain.OK, tags=["a:b"], message="fine")
plain.flush()

packed = DogStatsd(
    host="127.0.0.1",
    port=port,
    disable_telemetry=True,
    disable_aggregation=False,
    flush_interval=0.05,
)
for i in range(1000):
    packed.increment("dd.packed")
    packed.gauge("dd.last", i)
    packed.distribution("dd.many", i % 100)
    settle()
packed.flush_aggregated_metrics()
packed.flush()
packed.stop()
"#;

#[tokio::test]
async fn the_datadog_client_counts_exactly() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    python::send_to(&server, DATADOG).await;
    server.flushed().await;
    for (expr, expected) in [
        ("dd_jobs{queue=\"a\", env=\"test\", canary=\"true\"}", 750.0),
        ("dd_jobs{queue=\"b\"}", 250.0),
        ("dd_slots", 7.0),
        ("dd_depth{url=\"http://host/a\"}", 12.5),
        ("sum_over_time(dd_users[1m])", 2.0),
        ("dd_sampled", 5.0),
        ("histogram_count(dd_size)", 1_000.0),
        ("histogram_sum(dd_wait)", 49_500.0),
        ("histogram_sum(dd_task)", 7_000.0),
        ("dd_packed", 1_000.0),
        ("dd_last", 999.0),
        ("histogram_count(dd_many)", 1_000.0),
        ("histogram_sum(dd_many)", 49_500.0),
    ] {
        assert_eq!(server.value(expr).await, Some(expected), "{expr}");
    }
    // The event and the service check are no bad lines.
    assert_eq!(server.own_metric("bellwether_ingest_rejected_lines_total").await, 0.0);
}
