//! Where outgoing requests may go whose address is not a provider's own: nowhere inside.
//!
//! A name is resolved once, addresses that are not public are refused, and the connection goes to the
//! address that was looked at; there is no second look-up in between that could answer otherwise, no
//! proxy of the environment, and no redirect is followed. What an operator allows by name of a network
//! is let through.

use super::web::ChannelError;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// A network: an address and how many of its bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

/// Which addresses may be reached.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allowed: Arc<Vec<Network>>,
}

/// Why a request does not leave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Inside {
    /// No http or https address.
    #[error("it is no http or https address")]
    Scheme,
    /// The address carries a user or a password.
    #[error("an address with a user name in it is not called")]
    User,
    /// It leads inside.
    #[error("{0} is not a public address; `outgoing_allow` lets a network through")]
    Address(IpAddr),
    /// The name has no address.
    #[error("`{0}` has no address")]
    Nowhere(String),
}

impl Guard {
    /// With networks, such as `10.1.0.0/16`, that are let through.
    pub fn new(allowed: &[String]) -> Result<Self, ChannelError> {
        let networks = allowed.iter().map(|text| {
            Network::parse(text).ok_or_else(|| ChannelError::Config {
                channel: "outgoing_allow",
                reason: format!("`{text}` is no network such as 10.1.0.0/16"),
            })
        });
        Ok(Self {
            allowed: Arc::new(networks.collect::<Result<_, _>>()?),
        })
    }

    /// Whether an address may be reached.
    pub fn lets(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.allowed.iter().any(|network| network.has(address))
    }

    /// Looks at an address that is written out; a name is looked at when it is resolved. The parser of
    /// the URL has read every other way to write an IPv4 address (octal, hexadecimal, one number).
    pub fn check(&self, url: &reqwest::Url) -> Result<(), Inside> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Inside::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Inside::User);
        }
        let host = url.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(address) if !self.lets(address) => Err(Inside::Address(address)),
            _ => Ok(()),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            // One that leads inside is reason enough: a name that has both may be a trap.
            match found.iter().find(|address| !guard.lets(address.ip())) {
                Some(inside) => Err(Inside::Address(inside.ip()).into()),
                None if found.is_empty() => Err(Inside::Nowhere(host).into()),
                None => Ok(Box::new(found.into_iter()) as Addrs),
            }
        })
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most)?,
            None => most,
        };
        Some(Self { address, bits })
    }

    fn has(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(net), IpAddr::V4(one)) => {
                let differ = net.to_bits() ^ one.to_bits();
                differ.checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(net), IpAddr::V6(one)) => {
                let differ = net.to_bits() ^ one.to_bits();
                differ.checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Whether the registries of special addresses (RFC 6890 and its updates) leave it to the public.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        // "This network", private, loopback.
        (0 | 10 | 127, ..) => true,
        // Behind a carrier's translation.
        (100, 64..=127, _) => true,
        // Link-local, where clouds keep their metadata.
        (169, 254, _) => true,
        (172, 16..=31, _) => true,
        // Protocol assignments, documentation, relays of 6to4.
        (192, 0, 0 | 2) | (192, 88, 99) => true,
        (192, 168, _) => true,
        // Benchmarks, documentation.
        (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => true,
        // Multicast, reserved, broadcast.
        (224..=255, ..) => true,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Global unicast, without what carries an IPv4 address inside, documentation and benchmarks.
    let global = (0x2000..=0x3fff).contains(&a);
    let special = a == 0x2002 || a == 0x3fff || (a == 0x2001 && (b < 0x0200 || b == 0x0db8));
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_reached_however_they_are_written() {
        let guard = Guard::default();
        for (url, reached) in [
            ("https://93.184.215.14/x", true),
            ("https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/", true),
            ("https://hooks.example.com/", true),
            ("http://127.0.0.1/", false),
            ("http://127.1/", false),
            ("http://0177.0.0.1/", false),
            ("http://0x7f.0.0.1/", false),
            ("http://2130706433/", false),
            ("http://0/", false),
            ("http://169.254.169.254/latest/meta-data/", false),
            ("http://10.0.0.1/", false),
            ("http://172.31.255.255/", false),
            ("http://192.168.0.1/", false),
            ("http://100.64.0.1/", false),
            ("http://224.0.0.1/", false),
            ("http://255.255.255.255/", false),
            ("http://[::1]/", false),
            ("http://[::]/", false),
            ("http://[::ffff:127.0.0.1]/", false),
            ("http://[::ffff:a9fe:a9fe]/", false),
            ("http://[64:ff9b::7f00:1]/", false),
            ("http://[2002:7f00:1::]/", false),
            ("http://[2001::1]/", false),
            ("http://[fd00::1]/", false),
            ("http://[fe80::1]/", false),
            ("http://１２７.0.0.1/", false),
            ("http://user@93.184.215.14/", false),
            ("ftp://93.184.215.14/", false),
            ("file:///etc/passwd", false),
        ] {
            let parsed = reqwest::Url::parse(url).expect("a URL");
            assert_eq!(guard.check(&parsed).is_ok(), reached, "{url}");
        }
    }

    #[test]
    fn a_network_that_is_allowed_is_let_through_and_its_neighbour_is_not() {
        let networks = ["10.1.0.0/16", "127.0.0.1", "fd00:1::/32", "10.9.9.9/0"];
        let guard = Guard::new(&networks.map(str::to_owned)[..3]).expect("networks");
        for (address, let_through) in [
            ("10.1.255.255", true),
            ("10.2.0.0", false),
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("::ffff:127.0.0.1", true),
            ("fd00:1::5", true),
            ("fd00:2::5", false),
        ] {
            let parsed = address.parse().expect("an address");
            assert_eq!(guard.lets(parsed), let_through, "{address}");
        }
        let all = Guard::new(&[networks[3].to_owned()]).expect("a network");
        assert!(all.lets(IpAddr::from([127, 0, 0, 1])), "no bits count");
        for wrong in ["10.0.0.0/33", "10.0.0", "", "host"] {
            assert!(Guard::new(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
