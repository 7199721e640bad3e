//! Connections, over TCP or through a socket file: a task each, all with one aggregation that is locked
//! for the length of one read.

use std::{
    io,
    net::{IpAddr, TcpListener as StdTcpListener},
    os::unix::net::UnixListener as StdUnixListener,
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt as _;
use ingest::SourceId;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    net::{TcpListener, UnixListener},
    task::{JoinError, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    Listener, ListenerOptions, Loss,
    file::SocketFile,
    frame::{FrameError, Frames},
    listener::StreamOptions,
};

/// The rest after a connection could not be taken, most often for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Reads still done on each connection at the end.
const MAX_LAST_READS: usize = 64;

/// The one aggregation of a listener with connections.
const WORKER: usize = 0;

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Anything that bytes come from.
type Stream = Box<dyn AsyncRead + Send + Unpin>;

impl Socket {
    async fn accept(&self) -> io::Result<(Stream, Option<IpAddr>)> {
        match self {
            Self::Tcp(socket) => {
                let (stream, peer) = socket.accept().await?;
                Ok((Box::new(stream), Some(peer.ip().to_canonical())))
            }
            Self::Unix(socket) => Ok((Box::new(socket.accept().await?.0), None)),
        }
    }
}

/// Takes connections.
#[derive(Debug)]
pub(crate) struct Acceptor {
    socket: Socket,
    /// Removed when the acceptor ends.
    file: Option<SocketFile>,
    options: StreamOptions,
}

impl Acceptor {
    pub(super) fn tcp(socket: StdTcpListener, options: &ListenerOptions) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = Socket::Tcp(TcpListener::from_std(socket)?);
        Ok(Self { socket, file: None, options: options.stream })
    }

    pub(super) fn unix(
        socket: StdUnixListener,
        file: SocketFile,
        options: &ListenerOptions,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = Socket::Unix(UnixListener::from_std(socket)?);
        Ok(Self { socket, file: Some(file), options: options.stream })
    }

    /// Takes and reads connections until `stop` is cancelled, then what the kernel still holds for them.
    pub(crate) async fn run(self, listener: Arc<Listener>, stop: CancellationToken) {
        let mut open = JoinSet::new();
        let mut is_failing = false;
        loop {
            listener.note_connections(open.len());
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = open.join_next() => {
                    pass_on_panic(ended);
                    continue;
                }
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    is_failing = false;
                    if let Some(source) = self.admit(&listener, address, open.len()) {
                        let listener = Arc::clone(&listener);
                        let connection = Connection { listener, source, options: self.options };
                        open.spawn(connection.run(stream, stop.clone()));
                    }
                }
                Err(error) => {
                    listener.lose(Loss::ReadError);
                    if !is_failing {
                        tracing::warn!(
                            listener = %listener.endpoint, %error,
                            "connections cannot be taken; tried again until it works"
                        );
                    }
                    is_failing = true;
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        while let Some(ended) = open.join_next().await {
            pass_on_panic(ended);
        }
        listener.note_connections(0);
        drop(self.file);
    }

    /// The sender's number, unless it or one more connection is not wanted.
    fn admit(&self, listener: &Listener, address: Option<IpAddr>, open: usize) -> Option<SourceId> {
        let source = listener.admit(address)?;
        if open < self.options.max_connections {
            listener.note_accepted();
            return Some(source);
        }
        if listener.lose(Loss::ConnectionLimit) == 0 {
            tracing::warn!(
                listener = %listener.endpoint, open,
                "a connection beyond max_connections is closed; more are only counted"
            );
        }
        None
    }
}

/// A panic of a connection is one of the listener's task, which stops the process.
fn pass_on_panic(ended: Result<(), JoinError>) {
    if let Some(panic) = ended.err().and_then(|error| error.try_into_panic().ok()) {
        std::panic::resume_unwind(panic);
    }
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// By the sender, after its last byte.
    Closed,
    /// By us, at the end of the process.
    Stopped,
    /// By us, or by an error.
    Lost(Loss),
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) listener: Arc<Listener>,
    pub(super) source: SourceId,
    pub(super) options: StreamOptions,
}

impl Connection {
    /// Reads until the connection ends, one way or another.
    pub(super) async fn run(self, mut stream: impl AsyncRead + Unpin, stop: CancellationToken) {
        let mut frames = Frames::new(self.options.framing);
        let end = loop {
            let idle = self.options.idle_timeout;
            let read = tokio::select! {
                () = stop.cancelled() => break self.read_last(&mut stream, &mut frames),
                read = timeout(idle, stream.read(frames.space())) => read,
            };
            let Ok(read) = read else { break End::Lost(Loss::IdleTimeout) };
            if let Some(end) = self.take(read.ok(), &mut frames) {
                break end;
            }
        };
        self.finish(end, &frames);
    }

    /// Takes the bytes a read brought, `None` when it failed; says whether that was the end.
    fn take(&self, read: Option<usize>, frames: &mut Frames) -> Option<End> {
        match read {
            Some(0) => return Some(End::Closed),
            Some(count) => frames.filled(count),
            None => return Some(End::Lost(Loss::ReadError)),
        }
        let mut batch = self.listener.batch(WORKER);
        loop {
            match frames.next() {
                Ok(Some(payload)) => batch.accept(payload, self.source, false),
                Ok(None) => return None,
                Err(FrameError::LineTooLong) => return Some(End::Lost(Loss::LineTooLong)),
                Err(FrameError::FrameTooLong) => return Some(End::Lost(Loss::FrameTooLong)),
            }
        }
    }

    /// Reads what has already arrived, without waiting for more.
    fn read_last(&self, stream: &mut (impl AsyncRead + Unpin), frames: &mut Frames) -> End {
        for _ in 0..MAX_LAST_READS {
            let Some(read) = stream.read(frames.space()).now_or_never() else { break };
            if let Some(end) = self.take(read.ok(), frames) {
                return end;
            }
        }
        End::Stopped
    }

    /// Uses or counts what is left, and counts the end.
    fn finish(&self, end: End, frames: &Frames) {
        if let End::Lost(loss) = end {
            self.listener.lose(loss);
            let sender = self.source.0;
            tracing::debug!(listener = %self.listener.endpoint, sender, ?loss, "connection closed");
        }
        let rest = frames.rest();
        if end == End::Lost(Loss::FrameTooLong) || (rest.bytes.is_empty() && !rest.is_cut) {
            return;
        }
        // Only the sender's own end says that a line without a newline is whole.
        let is_cut = rest.is_cut || end != End::Closed;
        self.listener.batch(WORKER).accept(rest.bytes, self.source, is_cut);
    }
}
