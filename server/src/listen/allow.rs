//! Who may send.

use std::net::IpAddr;

use ipnet::IpNet;

/// The networks whose hosts may send.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllowList {
    networks: Vec<IpNet>,
    own: Option<IpAddr>,
}

impl AllowList {
    /// The rule of a listener bound to the address `own`. No networks: everybody may send.
    ///
    /// This machine itself may always: from a loopback address, or from the listener's own, which the
    /// kernel takes from nowhere else.
    pub(crate) fn new(networks: Vec<IpNet>, own: Option<IpAddr>) -> Self {
        Self { networks, own }
    }

    /// Whether a sender's packets are taken; the address is canonical, never IPv4 inside IPv6.
    pub(crate) fn is_allowed(&self, sender: IpAddr) -> bool {
        self.networks.is_empty()
            || sender.is_loopback()
            || self.own == Some(sender)
            || self.networks.iter().any(|network| network.contains(&sender))
    }

    /// Reads a network, or an address alone.
    ///
    /// # Errors
    /// What is wrong with it and what was expected, in words.
    pub(crate) fn parse(text: &str) -> Result<IpNet, String> {
        let network = text.parse::<IpNet>().ok();
        network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).ok_or_else(|| {
            format!("`{text}` is not a network, expected 10.0.0.0/8, fd00::/8 or an address")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_in_a_network_and_this_machine_are_allowed() {
        let networks = ["10.1.0.0/16", "fd00::/8", "192.0.2.7"];
        let networks = networks.iter().map(|text| AllowList::parse(text).unwrap()).collect();
        let allow = AllowList::new(networks, Some("198.51.100.1".parse().unwrap()));
        for (sender, expected) in [
            ("10.1.255.9", true),
            ("10.2.0.1", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("fd00::1", true),
            ("fe80::1", false),
            ("127.0.0.1", true),
            ("::1", true),
            ("198.51.100.1", true),
        ] {
            assert_eq!(allow.is_allowed(sender.parse().unwrap()), expected, "{sender}");
        }
        assert!(AllowList::default().is_allowed("203.0.113.1".parse().unwrap()));
    }

    #[test]
    fn a_network_that_is_none_is_told() {
        for text in ["10.0.0.0/33", "localhost", "", "10.0.0.0/8,fd00::/8"] {
            assert!(AllowList::parse(text).unwrap_err().contains("is not a network"), "{text}");
        }
    }
}
