//! What the texts of `/proc` say (their forms: proc(5) and the kernel's `Documentation/networking`).

use std::net::SocketAddrV4;

/// Clock ticks per second of `/proc/PID/stat`, the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process as `/proc/PID/stat` has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stat {
    /// In user and kernel mode, of all threads and of the children that were waited for.
    pub(crate) cpu_seconds: f64,
    /// Ticks since the machine's start. An id and this time together name one process for ever.
    pub(crate) started: u64,
}

pub(crate) fn stat(text: &str) -> Option<Stat> {
    // The name before the last parenthesis may hold anything.
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok());
    let ticks = ticks.sum::<Option<u64>>()?;
    let started = fields.get(19)?.parse().ok()?;
    Some(Stat { cpu_seconds: ticks as f64 / TICKS_PER_SECOND, started })
}

/// A field of `/proc/PID/status` that is a size, such as `VmRSS`, in megabytes.
pub(crate) fn status_mb(text: &str, field: &str) -> Option<f64> {
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    let kibibytes: f64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

/// The first number of `/proc/PID/task/TID/schedstat`: the processor time of a thread, in seconds.
pub(crate) fn schedstat_seconds(text: &str) -> Option<f64> {
    let nanoseconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}

/// The sockets that are bound to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BoundUdp {
    /// Bytes that wait to be read.
    pub(crate) waiting: u64,
    /// Datagrams dropped since the sockets are open.
    pub(crate) dropped: u64,
}

/// From `/proc/net/udp`; `None` while nothing is bound to the address.
pub(crate) fn bound_udp(text: &str, address: SocketAddrV4) -> Option<BoundUdp> {
    // The kernel prints the address as a number of the machine's byte order.
    let number = u32::from_ne_bytes(address.ip().octets());
    let wanted = format!("{number:08X}:{:04X}", address.port());
    text.lines().filter_map(|line| udp_line(line, &wanted)).reduce(|sum, one| BoundUdp {
        waiting: sum.waiting + one.waiting,
        dropped: sum.dropped + one.dropped,
    })
}

fn udp_line(line: &str, wanted: &str) -> Option<BoundUdp> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    if *fields.get(1)? != wanted {
        return None;
    }
    let (_, waiting) = fields.get(4)?.split_once(':')?;
    Some(BoundUdp {
        waiting: u64::from_str_radix(waiting, 16).ok()?,
        dropped: fields.last()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const STAT: &str = "31242 (a (b) c) S 31237 31242 31237 0 -1 4194304 9021 514 0 0 150 25 4 1 20 0 11 0 1773218 \
                        310000000 9000 18446744073709551615 1 1 0 0 0 0 0 4096 17442 0 0 0 17 1 0 0 0 0 0\n";

    #[test]
    fn processor_time_and_start_are_found_behind_any_name() {
        assert_eq!(stat(STAT), Some(Stat { cpu_seconds: 1.80, started: 1_773_218 }));
    }

    #[test]
    fn a_stat_that_is_cut_is_none() {
        let cases = [
            ("empty", ""),
            ("no name", "31242 31242 S 1"),
            ("ends before the times", "1 (a) S 1 1 1 0 -1 4194304 1 2 0 0 150 25"),
            ("ends before the start", "1 (a) S 1 1 1 0 -1 4194304 1 2 0 0 150 25 4 1 20 0 11 0"),
            ("a time that is none", "1 (a) S 1 1 1 0 -1 4194304 1 2 0 0 150 x 4 1 20 0 11 0 17 0"),
        ];
        for (name, text) in cases {
            assert_eq!(stat(text), None, "{name}");
        }
    }

    #[test]
    fn sizes_of_a_status_are_megabytes() {
        let text = "Name:\tnetdata\nVmHWM:\t   41500 kB\nVmRSS:\t   40000 kB\nThreads:\t11\n";
        assert_eq!(status_mb(text, "VmRSS"), Some(40.96));
        assert_eq!(status_mb(text, "VmHWM"), Some(42.496));
        assert_eq!(status_mb(text, "Vm"), None, "a part of a name");
        assert_eq!(status_mb(text, "Threads"), None, "not a size");
    }

    #[test]
    fn a_thread_has_its_time_in_nanoseconds() {
        assert_eq!(schedstat_seconds("2500000000 7000 12\n"), Some(2.5));
        assert_eq!(schedstat_seconds(""), None);
    }

    const UDP: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 1034: 0200007F:AFE3 0100007F:AFE3 01 00000000:00000000 00:00000000 00000000     0        0 685820 2 000000002c6ecf44 0
 4504: 0100007F:AFE3 00000000:0000 07 00000000:00001B00 00:00000000 00000000     0        0 685818 2 00000000c127bdcb 5212113
 4504: 0100007F:AFE3 00000000:0000 07 00000000:00000300 00:00000000 00000000     0        0 685819 2 00000000c127bdcc 7
11244: 0100007F:4A37 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 687190 2 00000000bee1f695 9
";

    #[test]
    #[cfg(target_endian = "little")]
    fn the_sockets_of_one_address_are_added_up() {
        let at = |ip: [u8; 4], port| bound_udp(UDP, SocketAddrV4::new(Ipv4Addr::from(ip), port));
        let both = BoundUdp { waiting: 0x1e00, dropped: 5_212_120 };
        assert_eq!(at([127, 0, 0, 1], 0xafe3), Some(both));
        assert_eq!(at([127, 0, 0, 2], 0xafe3), Some(BoundUdp { waiting: 0, dropped: 0 }));
        assert_eq!(at([127, 0, 0, 1], 0x4a37), Some(BoundUdp { waiting: 0, dropped: 9 }));
        assert_eq!(at([127, 0, 0, 1], 1), None, "nobody is bound to it");
    }
}
