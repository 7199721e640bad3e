//! A service under load.

use std::{net::SocketAddr, time::Duration};

use tokio::{net::UdpSocket, task::JoinSet, time::interval};

/// The time between two requests.
const PAUSE: Duration = Duration::from_millis(50);

/// The service `checkout`, which counts and times its requests, of which every tenth fails. It ends
/// with the value.
#[derive(Debug)]
pub(crate) struct Traffic {
    _tasks: JoinSet<()>,
}

impl Traffic {
    pub(crate) async fn start(statsd: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut ticks = interval(PAUSE);
            for number in 0_u64.. {
                ticks.tick().await;
                let status = if number % 10 == 9 { 500 } else { 200 };
                let milliseconds = 20 + number % 7 * 5;
                let datagram = format!(
                    "shop.requests:1|c|#service:checkout,status:{status}\n\
                     shop.duration:{milliseconds}|ms|#service:checkout"
                );
                socket.send_to(datagram.as_bytes(), statsd).await.unwrap();
            }
        });
        Self { _tasks: tasks }
    }
}
