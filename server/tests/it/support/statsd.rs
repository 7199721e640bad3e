//! StatsD by hand, and the mark by which a test knows that everything before has been stored.

use std::{
    net::UdpSocket,
    sync::atomic::{AtomicU32, Ordering},
};

use super::{Server, eventually};

static MARKS: AtomicU32 = AtomicU32::new(0);

impl Server {
    /// Sends one datagram.
    pub(crate) fn send(&self, datagram: impl AsRef<[u8]>) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(datagram.as_ref(), self.statsd).unwrap();
    }

    /// Waits until the kernel holds no datagram for the server, so that a burst cannot overflow the
    /// socket's buffer, which is small by default and fills at once when the machine is busy.
    pub(crate) async fn caught_up(&self) {
        let port = format!(":{:04X}", self.statsd.port());
        eventually("the server reads what was sent", async || {
            let table = std::fs::read_to_string("/proc/net/udp").unwrap();
            let mut sockets = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            let socket = sockets.find(|fields| fields[1].ends_with(&port));
            let (_, waiting) = socket.and_then(|fields| fields[4].split_once(':')).unwrap();
            if waiting == "00000000" { Ok(()) } else { Err(format!("{waiting} bytes wait")) }
        })
        .await;
    }

    /// Waits until everything that was sent before is stored. Datagrams of one machine stay in order,
    /// so what came before a mark is in its window or in an earlier one.
    pub(crate) async fn flushed(&self) {
        let mark = format!("test_mark_{}", MARKS.fetch_add(1, Ordering::Relaxed));
        self.send(format!("{mark}:1|c"));
        self.expect_value(&mark, 1.0).await;
    }
}
