//! StatsD by hand, and the mark by which a test knows that everything before has been stored.

use std::{
    net::UdpSocket,
    sync::atomic::{AtomicU32, Ordering},
};

use super::Server;

static MARKS: AtomicU32 = AtomicU32::new(0);

impl Server {
    /// Sends one datagram.
    pub(crate) fn send(&self, datagram: impl AsRef<[u8]>) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(datagram.as_ref(), self.statsd).unwrap();
    }

    /// Waits until everything that was sent before is stored. Datagrams of one machine stay in order,
    /// so what came before a mark is in its window or in an earlier one.
    pub(crate) async fn flushed(&self) {
        let mark = format!("test_mark_{}", MARKS.fetch_add(1, Ordering::Relaxed));
        self.send(format!("{mark}:1|c"));
        self.expect_value(&mark, 1.0).await;
    }
}
