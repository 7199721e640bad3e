//! Which addresses may be reached by requests whose target a user can choose.

use std::{
    error::Error,
    net::{IpAddr, Ipv6Addr},
    sync::Once,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Whether an address belongs to the link or to a cloud's metadata service rather than to a receiver:
/// link-local, the known metadata addresses, multicast and broadcast. Loopback and private networks
/// are fine: that is where self-hosted receivers live.
pub fn is_forbidden(address: IpAddr) -> bool {
    const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match address {
        IpAddr::V4(v4) => {
            v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4.octets() == [100, 100, 100, 200]
                || v4.octets() == [192, 0, 0, 192]
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_forbidden(IpAddr::V4(v4)),
            None => v6.is_unicast_link_local() || v6.is_multicast() || v6 == METADATA_V6,
        },
    }
}

/// Whether a URL's host is written as a forbidden address; names are judged when resolved.
pub fn is_forbidden_literal(url: &reqwest::Url) -> bool {
    url.host_str()
        .map(|host| host.trim_matches(['[', ']']))
        .and_then(|host| host.parse().ok())
        .is_some_and(is_forbidden)
}

/// A name leads to an address that may not be reached.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0} is a link-local or metadata address; set `allow_link_local` if it is meant")]
pub struct ForbiddenAddress(pub String);

/// Resolves names and keeps only addresses that may be reached. The connection is made to exactly
/// these, so a name cannot lead elsewhere between the check and the connection.
#[derive(Debug, Clone, Copy)]
pub struct CheckingResolver;

impl Resolve for CheckingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str();
            let found: Vec<_> = tokio::net::lookup_host((host, 0)).await?.collect();
            let allowed: Vec<_> =
                found.iter().copied().filter(|address| !is_forbidden(address.ip())).collect();
            if allowed.is_empty() && !found.is_empty() {
                let error: Box<dyn Error + Send + Sync> =
                    Box::new(ForbiddenAddress(host.to_owned()));
                return Err(error);
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

/// Gives rustls its cryptography, once per process; whoever did so before is respected.
pub fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if rustls::crypto::ring::default_provider().install_default().is_err() {
            tracing::debug!("another part has set rustls' cryptography up already");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_and_metadata_addresses_are_forbidden() {
        for (address, forbidden) in [
            ("169.254.169.254", true),
            ("169.254.0.1", true),
            ("100.100.100.200", true),
            ("192.0.0.192", true),
            ("::ffff:169.254.169.254", true),
            ("fe80::1", true),
            ("fd00:ec2::254", true),
            ("ff02::1", true),
            ("224.0.0.1", true),
            ("127.0.0.1", false),
            ("10.0.0.1", false),
            ("192.168.1.1", false),
            ("::1", false),
            ("8.8.8.8", false),
        ] {
            assert_eq!(is_forbidden(address.parse().unwrap()), forbidden, "{address}");
        }
    }

    #[test]
    fn forbidden_literals_are_seen_in_every_notation() {
        for (url, forbidden) in [
            ("http://169.254.169.254/latest", true),
            ("http://2852039166/", true),
            ("http://0xa9fea9fe/", true),
            ("http://[fe80::1]/", true),
            ("http://example.org/", false),
        ] {
            assert_eq!(is_forbidden_literal(&url.parse().unwrap()), forbidden, "{url}");
        }
    }
}
