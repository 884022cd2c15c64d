//! Where a request comes from, and when.

use std::net::{IpAddr, Ipv6Addr};

use super::Timestamp;

/// What the rules know of a request's way here.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The client's own, as far as proxies can be believed.
    pub address: IpAddr,
    /// Whether it sends `X-Forwarded-For` without being a proxy that is believed.
    pub relays: bool,
    /// For what lives and expires: the clock on the wall, which tokens and logs show.
    pub now: Timestamp,
    /// For what is counted: nobody sets this clock back.
    pub uptime: Uptime,
}

impl Origin {
    /// Whose failures count together. Whoever has one IPv6 address has all of its subnet, so only
    /// the first 64 bits tell people apart (RFC 4291, section 2.5.4); a mapped one is its IPv4
    /// address (RFC 4291, section 2.5.5.2).
    pub fn network(&self) -> IpAddr {
        match self.address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
            address => address,
        }
    }
}

/// Milliseconds since the program's start, by a clock that never jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uptime(pub u64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::grants::samples::origin;

    #[test]
    fn an_ipv6_subnet_is_one_and_a_mapped_address_is_its_ipv4_address() {
        for (address, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"),
            ("2001:db8:1:3::", "2001:db8:1:3::"),
        ] {
            let address = address.parse().unwrap();
            let origin = Origin { address, ..origin(Timestamp(0)) };
            assert_eq!(origin.network().to_string(), expected, "{address}");
        }
    }
}
