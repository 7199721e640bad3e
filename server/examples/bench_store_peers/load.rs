//! What is written.

use model::{Labels, Value};
use remote::{Encoder, Protocol};

use crate::synthetic::{Kind, STEP_MS, Source};

/// How samples are put into requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) protocol: Protocol,
    /// Samples of one request, one of each series.
    pub(crate) batch: usize,
}

impl Shape {
    /// What every system takes.
    pub(crate) const USUAL: Self = Self { protocol: Protocol::V1, batch: 10_000 };
}

/// Series and where their values come from.
pub(crate) struct Load {
    series: Vec<(Labels, Source)>,
    /// The time of the next samples.
    pub(crate) next_ms: i64,
}

impl Load {
    /// Series of a client of its own, whose first samples are at `start_ms`.
    pub(crate) fn new(client: usize, count: usize, start_ms: i64) -> Self {
        // Ten metrics and seven kinds: each metric has all of them.
        let source = |number| Source::new(Kind::Mix, client * count + number);
        let series = (0..count).map(|n| (labels(client, n), source(n))).collect();
        Self { series, next_ms: start_ms }
    }

    /// Requests with the next samples of all series.
    pub(crate) fn requests(&mut self, steps: usize, shape: Shape) -> Vec<Vec<u8>> {
        let mut requests = Vec::new();
        for _ in 0..steps {
            let at = self.next_ms;
            self.next_ms += STEP_MS;
            let batches = self.series.chunks_mut(shape.batch);
            requests.extend(batches.map(|series| request(series, at, shape.protocol)));
        }
        requests
    }
}

fn request(series: &mut [(Labels, Source)], at: i64, protocol: Protocol) -> Vec<u8> {
    let mut encoder = Encoder::new(protocol);
    for (labels, source) in series {
        let value: Value = source.next();
        encoder.push(labels, at, &value, None);
    }
    remote::pack(&encoder.finish()).expect("a request is far below 4 GiB")
}

/// Ten metrics of many instances, eight labels each.
fn labels(client: usize, number: usize) -> Labels {
    let instance = number / 10;
    Labels::from_pairs([
        ("__name__", format!("http_server_requests_{}_total", number % 10)),
        ("cluster", format!("cluster-{client}")),
        ("handler", format!("/api/v1/orders/{}", number % 7)),
        (
            "instance",
            format!("10.{}.{}.{}:9100", instance / 62_500, instance / 250 % 250, instance % 250),
        ),
        ("job", "shop-backend".to_owned()),
        ("method", ["GET", "POST", "PUT"][number % 3].to_owned()),
        ("pod", format!("shop-backend-7d9f8b6c5-{instance:06}")),
        ("status", ["200", "404", "500"][number % 3].to_owned()),
    ])
}
