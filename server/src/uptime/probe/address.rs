//! Names to addresses to a connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout_at},
};

use super::{Progress, Stage, spend};

/// More addresses than this are not tried.
const MAX_ADDRESSES: usize = 8;

/// Where cloud providers hand out credentials, outside of the link-local ranges.
const METADATA_V4: [Ipv4Addr; 2] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16)];
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// Looks the name up and opens a connection to the first address that takes one.
///
/// # Errors
/// What each address answered, in words.
pub(super) async fn connect(
    host: &str,
    port: u16,
    deadline: Instant,
    progress: &mut Progress,
) -> Result<TcpStream, String> {
    progress.stage = Stage::Resolve;
    let start = Instant::now();
    let found = lookup_host((host, port)).await;
    spend(&mut progress.phases.dns, start);
    let found: Vec<SocketAddr> =
        found.map_err(|error| format!("cannot look up {host}: {error}"))?.collect();
    let addresses = mixed(found);
    if addresses.is_empty() {
        return Err(format!("{host} has no address"));
    }
    progress.stage = Stage::Connect;
    let mut failures = Vec::new();
    for (index, address) in addresses.iter().enumerate() {
        if !progress.allow_link_local && is_local_secret(address.ip()) {
            failures.push(format!(
                "{address}: link-local and metadata addresses are not probed; set `allow_link_local` in [monitors]"
            ));
            continue;
        }
        let start = Instant::now();
        let share = deadline.saturating_duration_since(start) / (addresses.len() - index) as u32;
        match timeout_at(start + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                spend(&mut progress.phases.connect, start);
                return Ok(stream);
            }
            Ok(Err(error)) => failures.push(format!("{address}: {}", reason(&error))),
            Err(_) => failures.push(format!("{address}: no answer within {share:.1?}")),
        }
    }
    Err(failures.join("; "))
}

/// The families in turn, in the order found, so that one broken family costs one attempt.
fn mixed(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = found.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut mixed = Vec::new();
    while mixed.len() < MAX_ADDRESSES {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            break;
        }
        mixed.extend(pair.into_iter().flatten());
    }
    mixed
}

/// Whether an address is reachable only from this machine's own network segment and may hand out
/// credentials.
fn is_local_secret(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_link_local() || METADATA_V4.contains(&v4),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6 == METADATA_V6,
    }
}

/// The plain words of an error, without its number.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_metadata_services_are_known() {
        for (address, expected) in [
            ("169.254.169.254", true),
            ("fe80::1", true),
            ("::ffff:169.254.169.254", true),
            ("fd00:ec2::254", true),
            ("100.100.100.200", true),
            ("127.0.0.1", false),
            ("10.0.0.1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_local_secret(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn the_families_are_tried_in_turn() {
        let addresses =
            |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect::<Vec<_>>();
        let found = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]);
        let expected = addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]);
        assert_eq!(mixed(found), expected);
    }
}
