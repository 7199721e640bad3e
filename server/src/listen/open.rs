//! Binding a listener's sockets.

use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::net::{UnixDatagram, UnixListener},
    },
    sync::Arc,
};

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, getsockopt, setsockopt, socket,
    sockopt,
};

use super::{
    Common, Endpoint, Listener, ListenerOptions, Transport,
    datagram::{DatagramSocket, POLL},
    file::SocketFile,
    stream::Acceptor,
};

/// What reads for a listener.
#[derive(Debug)]
pub(crate) enum Sockets {
    /// Each is read by a thread.
    Datagram(Vec<DatagramSocket>),
    /// Connections are taken and read by tasks.
    Stream(Acceptor),
}

/// A listener, with the sockets its readers take.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) listener: Arc<Listener>,
    pub(crate) sockets: Sockets,
}

/// Binds the address. Needs a tokio runtime around it.
///
/// # Errors
/// When the address is taken or not ours, or the file cannot be made.
pub(crate) fn open(options: &ListenerOptions, common: &Common) -> io::Result<Opened> {
    let mut granted_buffer = None;
    let (endpoint, sockets) = match &options.endpoint {
        Endpoint::Udp(address) => {
            let sockets = udp_sockets(*address, options.workers.get())?;
            for socket in &sockets {
                granted_buffer = Some(prepare_udp(socket, options.receive_buffer)?);
            }
            let address = sockets[0].local_addr()?;
            let sockets = sockets.into_iter().enumerate().map(|(worker, socket)| DatagramSocket {
                socket: socket.into(),
                worker,
                file: None,
            });
            (Endpoint::Udp(address), Sockets::Datagram(sockets.collect()))
        }
        Endpoint::Tcp(address) => {
            let socket = TcpListener::bind(address)?;
            (Endpoint::Tcp(socket.local_addr()?), Sockets::Stream(Acceptor::tcp(socket, options)?))
        }
        Endpoint::UnixDatagram(path) => {
            SocketFile::make_room(path, Transport::UnixDatagram)?;
            let socket = UnixDatagram::bind(path)?;
            let file = Some(SocketFile::adopt(path, options.socket_mode)?);
            socket.set_read_timeout(Some(POLL))?;
            let socket = DatagramSocket { socket: socket.into(), worker: 0, file };
            (options.endpoint.clone(), Sockets::Datagram(vec![socket]))
        }
        Endpoint::UnixStream(path) => {
            SocketFile::make_room(path, Transport::UnixStream)?;
            let socket = UnixListener::bind(path)?;
            let file = SocketFile::adopt(path, options.socket_mode)?;
            (options.endpoint.clone(), Sockets::Stream(Acceptor::unix(socket, file, options)?))
        }
    };
    let listener = Listener::new(options, endpoint, granted_buffer, common);
    Ok(Opened { listener: Arc::new(listener), sockets })
}

/// The sockets of all workers. The first is bound alone, so that an address in use by another process
/// is an error, and opened to the others after that.
fn udp_sockets(address: SocketAddr, workers: usize) -> io::Result<Vec<UdpSocket>> {
    let first = UdpSocket::bind(address)?;
    let address = first.local_addr()?;
    let mut sockets = Vec::with_capacity(workers);
    if workers > 1 {
        setsockopt(&first, sockopt::ReusePort, &true)?;
    }
    sockets.push(first);
    for _ in 1..workers {
        sockets.push(shared_udp_socket(address)?.into());
    }
    Ok(sockets)
}

/// One more socket on an address that is open to others of this process's user.
fn shared_udp_socket(address: SocketAddr) -> nix::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&socket, sockopt::ReusePort, &true)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    Ok(socket)
}

/// Sets the options of a socket; returns the buffer the kernel granted, in bytes.
fn prepare_udp(socket: &UdpSocket, buffer: u64) -> io::Result<usize> {
    socket.set_read_timeout(Some(POLL))?;
    setsockopt(socket, sockopt::RcvBuf, &usize::try_from(buffer).unwrap_or(usize::MAX))?;
    setsockopt(socket, sockopt::RxqOvfl, &1)?;
    // The kernel reports twice what it grants, to account for its own bookkeeping.
    Ok(getsockopt(socket, sockopt::RcvBuf)? / 2)
}
