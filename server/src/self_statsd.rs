//! What the server says of itself to its own StatsD listener.

use std::{
    fmt::Write as _,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::atomic::{AtomicU64, Ordering},
};

/// A sender that never waits: a full socket costs a metric, which is counted.
#[derive(Debug)]
pub(crate) struct SelfStatsd {
    socket: UdpSocket,
    failed: AtomicU64,
}

impl SelfStatsd {
    /// A sender to a listener of this process.
    ///
    /// # Errors
    /// When no socket can be made.
    pub(crate) fn connect(listener: SocketAddr) -> io::Result<Self> {
        // A listener on all addresses is reached through the loopback one.
        let (target, local): (SocketAddr, SocketAddr) = match listener {
            SocketAddr::V4(v4) => {
                let ip = if v4.ip().is_unspecified() { Ipv4Addr::LOCALHOST } else { *v4.ip() };
                ((ip, v4.port()).into(), (Ipv4Addr::UNSPECIFIED, 0).into())
            }
            SocketAddr::V6(v6) => {
                let ip = if v6.ip().is_unspecified() { Ipv6Addr::LOCALHOST } else { *v6.ip() };
                ((ip, v6.port()).into(), (Ipv6Addr::UNSPECIFIED, 0).into())
            }
        };
        let socket = UdpSocket::bind(local)?;
        socket.connect(target)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, failed: AtomicU64::new(0) })
    }

    /// A request that was answered.
    pub(crate) fn request(&self, method: &str, route: &str, status: u16, milliseconds: f64) {
        // Braces mark a parameter of the route; they would be odd in a tag.
        let route = route.replace(['{', '}'], "");
        let tags = format!("#service:bellwether,method:{method},route:{route},status:{status}");
        let mut lines = String::with_capacity(256);
        // Writing to a text never fails.
        let _ = writeln!(lines, "bellwether.http.requests:1|c|{tags}");
        let _ = writeln!(lines, "bellwether.http.duration:{milliseconds:.3}|ms|{tags}");
        self.send(lines.as_bytes());
    }

    fn send(&self, datagram: &[u8]) {
        if self.socket.send(datagram).is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Datagrams that could not be sent.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_two_lines() {
        let listener = UdpSocket::bind("127.0.0.1:0").unwrap();
        let statsd = SelfStatsd::connect(listener.local_addr().unwrap()).unwrap();
        statsd.request("GET", "/api/v1/label/{name}/values", 200, 1.25);
        let mut buffer = [0; 1024];
        let length = listener.recv(&mut buffer).unwrap();
        let tags = "#service:bellwether,method:GET,route:/api/v1/label/name/values,status:200";
        let expected = format!(
            "bellwether.http.requests:1|c|{tags}\nbellwether.http.duration:1.250|ms|{tags}\n"
        );
        assert_eq!(std::str::from_utf8(&buffer[..length]).unwrap(), expected);
    }
}
