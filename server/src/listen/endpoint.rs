//! Where a listener is: an address of the network or a file, written like a URL.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

/// A socket's path with its closing zero must fit `sun_path`, which has 108 bytes on Linux.
const MAX_PATH_BYTES: usize = 107;

/// How bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Transport {
    /// UDP datagrams.
    Udp,
    /// TCP connections.
    Tcp,
    /// Datagrams through a socket file.
    UnixDatagram,
    /// Connections through a socket file.
    UnixStream,
}

impl Transport {
    /// The word used in addresses, metrics and the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::UnixDatagram => "unixgram",
            Self::UnixStream => "unix",
        }
    }

    /// Whether there are connections.
    pub(crate) fn is_stream(self) -> bool {
        matches!(self, Self::Tcp | Self::UnixStream)
    }

    /// Whether the address is a file.
    pub(crate) fn is_file(self) -> bool {
        matches!(self, Self::UnixDatagram | Self::UnixStream)
    }
}

/// The address of a listener, with its transport.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Endpoint {
    /// `udp://127.0.0.1:8125`
    Udp(SocketAddr),
    /// `tcp://[::1]:8125`
    Tcp(SocketAddr),
    /// `unixgram:///run/statsd.sock`
    UnixDatagram(PathBuf),
    /// `unix:///run/statsd.sock`
    UnixStream(PathBuf),
}

impl Endpoint {
    /// Reads an address with its transport in front.
    ///
    /// # Errors
    /// What is wrong with it and what was expected, in words.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let unknown = || {
            format!(
                "`{text}` is not a listener's address; expected udp://127.0.0.1:8125, \
                 tcp://127.0.0.1:8125, unixgram:///run/statsd.sock or unix:///run/statsd.sock"
            )
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(unknown)?;
        let transport = match scheme {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            "unixgram" => Transport::UnixDatagram,
            "unix" | "unixstream" => Transport::UnixStream,
            _ => return Err(unknown()),
        };
        Self::new(transport, rest)
    }

    /// An address without its transport, as in the short lists of the configuration.
    ///
    /// # Errors
    /// What is wrong with it and what was expected, in words.
    pub(crate) fn new(transport: Transport, address: &str) -> Result<Self, String> {
        if transport.is_file() {
            let reason = match address.len() {
                0 => "is empty",
                1..=MAX_PATH_BYTES if address.contains('\0') => "holds a zero byte",
                1..=MAX_PATH_BYTES => "",
                _ => "is longer than the 107 bytes a socket's path may have",
            };
            if !reason.is_empty() {
                return Err(format!("the path `{}` {reason}", address.escape_debug()));
            }
            return Ok(match transport {
                Transport::UnixDatagram => Self::UnixDatagram(address.into()),
                _ => Self::UnixStream(address.into()),
            });
        }
        let address: SocketAddr = address.parse().map_err(|_| {
            format!(
                "`{address}` is not an address with a port, expected 127.0.0.1:8125 or [::1]:8125"
            )
        })?;
        Ok(match transport {
            Transport::Udp => Self::Udp(address),
            _ => Self::Tcp(address),
        })
    }

    /// How bytes travel.
    pub(crate) fn transport(&self) -> Transport {
        match self {
            Self::Udp(_) => Transport::Udp,
            Self::Tcp(_) => Transport::Tcp,
            Self::UnixDatagram(_) => Transport::UnixDatagram,
            Self::UnixStream(_) => Transport::UnixStream,
        }
    }

    /// The address, when it is one of UDP.
    pub(crate) fn udp(&self) -> Option<SocketAddr> {
        if let Self::Udp(address) = self { Some(*address) } else { None }
    }

    /// The address in the network; `None` for a file.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Udp(address) | Self::Tcp(address) => Some(address.ip().to_canonical()),
            Self::UnixDatagram(_) | Self::UnixStream(_) => None,
        }
    }

    /// The file, to be resolved against a folder.
    pub(crate) fn path_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::Udp(_) | Self::Tcp(_) => None,
            Self::UnixDatagram(path) | Self::UnixStream(path) => Some(path),
        }
    }

    /// The address without its transport.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Udp(address) | Self::Tcp(address) => address.to_string(),
            Self::UnixDatagram(path) | Self::UnixStream(path) => path.display().to_string(),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.transport().as_str(), self.address())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_and_print_alike() {
        for text in [
            "udp://127.0.0.1:8125",
            "udp://[::1]:0",
            "tcp://0.0.0.0:8125",
            "unixgram:///run/x.sock",
            "unix:///run/x.sock",
            "unix://relative.sock",
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), text);
        }
        let alias = Endpoint::parse("unixstream:///a").unwrap();
        assert_eq!(alias.to_string(), "unix:///a");
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        let long = format!("unix:///{}", "x".repeat(107));
        for (text, part) in [
            ("127.0.0.1:8125", "is not a listener's address"),
            ("http://127.0.0.1:8125", "is not a listener's address"),
            ("udp://localhost:8125", "`localhost:8125` is not an address with a port"),
            ("tcp://127.0.0.1", "is not an address with a port"),
            ("unix://", "is empty"),
            ("unixgram://a\0b", "holds a zero byte"),
            (&long, "longer than the 107 bytes"),
        ] {
            let error = Endpoint::parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
