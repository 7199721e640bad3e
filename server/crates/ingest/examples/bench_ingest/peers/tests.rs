use super::{running::bound_udp, *};
use crate::process::procfs::BoundUdp;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

fn run(lines: u64, datagrams: u64, dropped: u64) -> PeerRun {
    let sent = Totals { datagrams, lines, ..Totals::default() };
    PeerRun { sent, dropped, cpu_seconds: 1.5, rate: 0.0, resident_mb: 0.0 }
}

#[test]
fn the_cost_is_that_of_what_was_read() {
    assert_eq!(run(1_000_000, 100, 0).cost(), 1.5);
    assert_eq!(run(2_000_000, 100, 25).cost(), 1.0);
    assert_eq!(run(2_000_000, 100, 25).lost(), 0.25);
}

#[test]
fn programs_are_found_in_order_and_only_if_they_can_be_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = |place: &str, mode| {
        let place = folder.path().join(place);
        fs::create_dir_all(&place).unwrap();
        let file = place.join("a-program-of-this-test");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        (place, file)
    };
    let (text_place, _) = file("text", 0o644);
    let (first_place, first) = file("first", 0o755);
    let (second_place, _) = file("second", 0o755);
    let find = |places: &[&PathBuf]| {
        let path = std::env::join_paths(places).unwrap();
        program_in(&path, "a-program-of-this-test")
    };
    assert_eq!(find(&[&text_place, &first_place, &second_place]), Some(first));
    assert_eq!(find(&[&text_place]), None);
}

#[test]
fn a_peer_at_a_rate_of_its_own_says_so() {
    let row = &crate::rows::ROWS[0];
    let name = |kind, divisor| {
        let peer = Peer { kind, program: PathBuf::new() };
        Trial { divisor, ..Trial::new(&peer, row) }.name()
    };
    assert_eq!(name(Kind::Netdata, 1), "netdata");
    assert_eq!(name(Kind::Netdata, 2), "netdata at 300 k/s");
    assert_eq!(name(Kind::Statsd, 16), "statsd at 37.5 k/s");
}

#[test]
fn the_kernel_counts_what_a_full_socket_drops() {
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let SocketAddr::V4(address) = receiver.local_addr().unwrap() else {
        panic!("bound to IPv4");
    };
    assert_eq!(bound_udp(address).unwrap(), BoundUdp { waiting: 0, dropped: 0 });
    // More than the largest buffer that is usual.
    let datagram = vec![0; 60_000];
    let mut sent = 0;
    while bound_udp(address).unwrap().dropped == 0 {
        sender.send_to(&datagram, address).unwrap();
        sent += 1;
        assert!(sent < 10_000, "nothing is dropped");
    }
    let bound = bound_udp(address).unwrap();
    assert!(bound.waiting > 0, "{bound:?}");
    drop(receiver);
    assert!(bound_udp(address).is_err(), "the socket is closed");
}
