//! Where a request comes from, and when it came.

use std::net::{IpAddr, Ipv6Addr};

use super::Timestamp;

/// What the rules know about where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The client's own address, as far as the proxies on the way are trusted.
    pub address: IpAddr,
    /// Whether the request has `X-Forwarded-For` but comes from no trusted proxy.
    pub relays: bool,
    /// The time of day, for what expires and for the log.
    pub now: Timestamp,
    /// A clock that nobody can set back, for counting attempts.
    pub uptime: Uptime,
}

impl Origin {
    /// The address that failed attempts are counted for. Whoever has one IPv6 address has its whole
    /// subnet, so only the first 64 bits count (RFC 4291, section 2.5.4); a mapped address counts
    /// as its IPv4 address (RFC 4291, section 2.5.5.2).
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
