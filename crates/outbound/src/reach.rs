//! Where a request may go when somebody else chose its address.
//!
//! Without it whoever may name an address can make this machine ask services that only it can reach: itself, its neighbours, the cloud's
//! metadata. An address is judged after its name was resolved, on the very addresses that are then connected to, so that a name that
//! answers differently the second time gains nothing. Ranges: IANA's special-purpose registries (RFC 6890 and what they list since).

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper_util::client::legacy::connect::dns::{GaiFuture, GaiResolver, Name};
use ipnet::IpNet;
use tower_service::Service;

/// Ranges that are not of the public internet.
const SPECIAL: [&str; 27] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/9",
    "ff00::/8",
];

/// Which addresses may be connected to.
#[derive(Debug, Clone)]
pub struct Reach {
    special: Arc<[IpNet]>,
    allow: Arc<[IpNet]>,
}

impl Reach {
    /// The public internet, and the networks that are named besides (`10.1.0.0/16`, `127.0.0.1`).
    ///
    /// # Errors
    /// In words: one of them is no network.
    pub fn public_and(allow: &[String]) -> Result<Self, String> {
        let allow: Result<Vec<IpNet>, String> = allow
            .iter()
            .map(|text| {
                text.parse::<IpNet>()
                    .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
                    .map_err(|_| format!("`{text}` is neither an IP address nor a network"))
            })
            .collect();
        let special = SPECIAL.iter().map(|text| {
            text.parse()
                .expect("invariant: the ranges above are networks; a test reads them")
        });
        Ok(Self {
            special: special.collect(),
            allow: allow?.into(),
        })
    }

    /// Whether this address may be connected to. An IPv4 address inside an IPv6 one is judged as what is reached by it.
    #[must_use]
    pub fn admits(&self, address: IpAddr) -> bool {
        let inner = inner(address);
        if self
            .allow
            .iter()
            .any(|net| net.contains(&address) || net.contains(&inner))
        {
            return true;
        }
        !self
            .special
            .iter()
            .any(|net| net.contains(&inner) || (inner != address && is_mapped(address)))
    }

    /// Judges a host that is an address by itself, and so never resolved; none if it is a name.
    pub(crate) fn literal(&self, host: &str) -> Option<bool> {
        let bare = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host);
        bare.parse().ok().map(|address| self.admits(address))
    }
}

/// Whether it is written `::ffff:a.b.c.d`: no honest address of a service is.
const fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(six) if six.to_ipv4_mapped().is_some())
}

/// The IPv4 address that is reached through an IPv6 one: mapped, NAT64 (RFC 6052) and 6to4 (RFC 3056).
fn inner(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else {
        return address;
    };
    if let Some(four) = six.to_ipv4_mapped() {
        return IpAddr::V4(four);
    }
    let part = |at: usize| {
        let octets: [u8; 16] = Ipv6Addr::octets(&six);
        IpAddr::V4(Ipv4Addr::new(
            octets[at],
            octets[at + 1],
            octets[at + 2],
            octets[at + 3],
        ))
    };
    match six.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => part(12),
        [0x2002, ..] => part(2),
        _ => address,
    }
}

/// Resolves names; with a [`Reach`], to what it admits alone.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    system: GaiResolver,
    reach: Option<Reach>,
}

impl Resolver {
    pub(crate) fn of(reach: Option<Reach>) -> Self {
        Self {
            system: GaiResolver::new(),
            reach,
        }
    }
}

/// What a refused address is told with.
pub(crate) const OUT_OF_REACH: &str = "it is an address of this machine or of a private network, which requests to addresses that others named must not go to";

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Resolving;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.system.poll_ready(cx)
    }

    fn call(&mut self, name: Name) -> Resolving {
        Resolving {
            system: self.system.call(name),
            reach: self.reach.clone(),
        }
    }
}

/// A name that is being resolved.
pub(crate) struct Resolving {
    system: GaiFuture,
    reach: Option<Reach>,
}

impl Future for Resolving {
    type Output = io::Result<std::vec::IntoIter<SocketAddr>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let found: Vec<SocketAddr> = ready!(Pin::new(&mut self.system).poll(cx))?.collect();
        // One that is not admitted refuses all: a name that mixes both is made to be tried until the wrong one is taken.
        let admitted = |reach: &Reach| found.iter().all(|a| reach.admits(a.ip()));
        if self.reach.as_ref().is_some_and(|reach| !admitted(reach)) {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                OUT_OF_REACH,
            )));
        }
        Poll::Ready(Ok(found.into_iter()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(allow: &[&str], address: &str) -> bool {
        let allow: Vec<String> = allow.iter().map(ToString::to_string).collect();
        Reach::public_and(&allow)
            .unwrap()
            .admits(address.parse().unwrap())
    }

    #[test]
    fn nothing_private_is_admitted_however_it_is_written() {
        for address in [
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!admits(&[], address), "{address}");
        }
    }

    #[test]
    fn the_public_internet_is_admitted() {
        for address in [
            "8.8.8.8",
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001::200e",
            "64:ff9b::808:808",
        ] {
            assert!(admits(&[], address), "{address}");
        }
    }

    #[test]
    fn what_is_named_is_admitted_and_nothing_beside_it() {
        assert!(admits(&["127.0.0.1"], "127.0.0.1"));
        assert!(!admits(&["127.0.0.1"], "127.0.0.2"));
        assert!(admits(&["10.1.0.0/16"], "10.1.2.3"));
        assert!(!admits(&["10.1.0.0/16"], "10.2.0.1"));
        assert!(admits(&["fd00::/8"], "fd12::1"));
        for text in ["", "10.0.0.0/33", "example.com", "10.0.0"] {
            assert!(Reach::public_and(&[text.to_owned()]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_that_is_an_address_is_judged_as_one() {
        let reach = Reach::public_and(&[]).unwrap();
        for (host, judged) in [
            ("127.0.0.1", Some(false)),
            ("[::1]", Some(false)),
            ("[2606:4700:4700::1111]", Some(true)),
            ("8.8.8.8", Some(true)),
            ("localhost", None),
            // Not an address to the one that connects either: it is resolved, and judged then.
            ("0x7f000001", None),
            ("2130706433", None),
            ("127.1", None),
        ] {
            assert_eq!(reach.literal(host), judged, "{host}");
        }
    }
}
