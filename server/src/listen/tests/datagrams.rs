use std::{
    fs, io,
    net::{SocketAddr, UdpSocket},
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixDatagram, UnixListener, UnixStream},
    },
};

use tokio_util::sync::CancellationToken;

use super::*;

fn open_alone(options: &ListenerOptions) -> io::Result<Opened> {
    open(options, &common())
}

fn address_of(opened: &Opened) -> SocketAddr {
    match opened.listener.endpoint {
        Endpoint::Udp(address) | Endpoint::Tcp(address) => address,
        _ => panic!("not in the network"),
    }
}

/// Reads what the kernel holds for all sockets, as at the end of the process.
fn read_last(opened: Opened) -> Tally {
    let Sockets::Datagram(sockets) = opened.sockets else { panic!("no datagrams") };
    let stop = CancellationToken::new();
    stop.cancel();
    for socket in sockets {
        socket.run(&opened.listener, &stop);
    }
    taken(&opened.listener)
}

#[test]
fn datagrams_of_both_families_are_read_to_the_last() {
    for (to, from) in [("udp://127.0.0.1:0", "127.0.0.1:0"), ("udp://[::1]:0", "[::1]:0")] {
        let common = common();
        let opened = match open(&options(to), &common) {
            // A machine without IPv6.
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => continue,
            opened => opened.unwrap(),
        };
        let sender = UdpSocket::bind(from).unwrap();
        for _ in 0..100 {
            sender.send_to(b"a:1|c\nb:1|c", address_of(&opened)).unwrap();
        }
        let tally = read_last(opened);
        assert_eq!((tally.datagrams, tally.accepted), (100, 200), "{to}");
        common.sources.record(&[(ingest::SourceId(1), tally)], 1);
        let sender_of = common.sources.books()[0].1.sender.clone().unwrap();
        assert_eq!(
            sender_of.origin.to_string(),
            from.trim_end_matches(":0").trim_matches(['[', ']'])
        );
    }
}

#[test]
fn a_reader_takes_datagrams_as_they_come_and_ends_when_told() {
    let opened = open_alone(&options("udp://127.0.0.1:0")).unwrap();
    let target = address_of(&opened);
    let stop = CancellationToken::new();
    let Sockets::Datagram(sockets) = opened.sockets else { panic!("no datagrams") };
    let (listener, token) = (Arc::clone(&opened.listener), stop.clone());
    let reader = std::thread::spawn(move || {
        for socket in sockets {
            socket.run(&listener, &token);
        }
    });
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut lines = 0;
    for _ in 0..20 {
        sender.send_to(b"a:1|c", target).unwrap();
        while lines == 0 {
            lines = taken(&opened.listener).lines;
            std::thread::yield_now();
        }
    }
    stop.cancel();
    reader.join().unwrap();
    assert_eq!(lines + taken(&opened.listener).lines, 20);
    assert_eq!(opened.listener.kernel_drops(), 0);
}

#[test]
fn workers_share_an_address_that_nobody_else_can_take() {
    let workers = NonZeroUsize::new(4).unwrap();
    let opened = open_alone(&ListenerOptions { workers, ..options("udp://127.0.0.1:0") }).unwrap();
    let target = address_of(&opened);
    assert_eq!(opened.listener.workers(), 4);
    let second = format!("udp://{target}");
    for workers in [NonZeroUsize::MIN, workers] {
        let error = open_alone(&ListenerOptions { workers, ..options(&second) }).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
    for _ in 0..64 {
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"a:1|c", target).unwrap();
    }
    let Sockets::Datagram(sockets) = opened.sockets else { panic!("no datagrams") };
    let stop = CancellationToken::new();
    stop.cancel();
    for socket in sockets {
        socket.run(&opened.listener, &stop);
    }
    let windows: Vec<u64> = opened
        .listener
        .shards()
        .map(|mut shard| shard.take_window().tallies.iter().map(|(_, tally)| tally.lines).sum())
        .collect();
    assert_eq!(windows.iter().sum::<u64>(), 64);
    // 64 senders on one of four sockets would be a chance of 1 in 4^63.
    assert!(windows.iter().filter(|lines| **lines > 0).count() > 1, "{windows:?}");
}

#[test]
fn a_socket_file_takes_datagrams_and_goes_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let opened = open_alone(&options(&format!("unixgram://{}", path.display()))).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let sender = UnixDatagram::unbound().unwrap();
    sender.send_to(b"a:1|c\nb:1|c", &path).unwrap();
    let cut = [b"c:1|c\n", &vec![b'x'; 70_000][..]].concat();
    sender.send_to(&cut, &path).unwrap();
    let listener = Arc::clone(&opened.listener);
    let tally = read_last(opened);
    assert_eq!((tally.datagrams, tally.accepted, tally.truncated), (2, 3, 1));
    assert_eq!(listener.lost(Loss::Truncated), 1);
    assert!(!path.exists());
}

#[test]
fn a_file_in_the_way_is_removed_only_when_it_was_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    for scheme in ["unixgram", "unix"] {
        let options = options(&format!("{scheme}://{}", path.display()));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _context = runtime.enter();
        // Dropping a socket leaves its file behind.
        drop(UnixListener::bind(&path).unwrap());
        drop(open_alone(&options).unwrap());
        assert!(!path.exists(), "{scheme}");
        drop(UnixDatagram::bind(&path).unwrap());
        let first = open_alone(&options).unwrap();
        let error = open_alone(&options).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{scheme}");
        assert!(error.to_string().contains("another process"), "{error}");
        // A file that took the place of ours stays.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        drop(first);
        let error = open_alone(&options).unwrap_err();
        assert!(error.to_string().contains("no socket"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&path).unwrap();
        // A living socket of the other type is somebody's too.
        let stream = UnixListener::bind(&path).unwrap();
        let error = open_alone(&options).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{scheme}");
        drop((UnixStream::connect(&path).unwrap(), stream));
        fs::remove_file(&path).unwrap();
    }
}
