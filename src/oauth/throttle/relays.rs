//! Addresses that look like proxies which are missing in `trusted_proxies`. Everyone behind such a
//! proxy counts as one attacker, so the operator should know.

use std::collections::HashSet;
use std::net::IpAddr;

/// More names than this do not fail from one person's address.
const NAMES: usize = 100;
/// How many addresses are watched at once. Each is reported once at most.
const ADDRESSES: usize = 64;

/// Who has failed through which address.
#[derive(Default)]
pub struct Relays {
    watched: Vec<Relay>,
    /// Those that are due to be reported.
    due: Vec<IpAddr>,
}

struct Relay {
    address: IpAddr,
    names: HashSet<u64>,
    is_found: bool,
}

impl Relays {
    /// Notes that the name with this key has failed through this address.
    pub fn note(&mut self, address: IpAddr, name: u64) {
        let Some(relay) = self.relay(address) else { return };
        if relay.is_found {
            return;
        }
        relay.names.insert(name);
        if relay.names.len() > NAMES {
            relay.is_found = true;
            relay.names = HashSet::new();
            self.due.push(address);
        }
    }

    /// An address to report, each once.
    pub fn take(&mut self) -> Option<IpAddr> {
        self.due.pop()
    }

    /// What is known about this address. A new one replaces the one with the fewest names; `None`
    /// if all have been reported.
    fn relay(&mut self, address: IpAddr) -> Option<&mut Relay> {
        if let Some(at) = self.watched.iter().position(|relay| relay.address == address) {
            return Some(&mut self.watched[at]);
        }
        let new = Relay { address, names: HashSet::new(), is_found: false };
        if self.watched.len() < ADDRESSES {
            self.watched.push(new);
            return self.watched.last_mut();
        }
        let unknown = self.watched.iter_mut().filter(|relay| !relay.is_found);
        let least = unknown.min_by_key(|relay| relay.names.len())?;
        *least = new;
        Some(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn more_than_a_hundred_names_from_one_address_are_told_once() {
        let mut relays = Relays::default();
        for name in (0..100).chain(0..100) {
            relays.note(PROXY, name);
        }
        assert_eq!(relays.take(), None);
        for name in 100..300 {
            relays.note(PROXY, name);
        }
        assert_eq!((relays.take(), relays.take()), (Some(PROXY), None));
    }

    #[test]
    fn a_crowd_of_addresses_takes_no_more_room_and_hides_no_proxy() {
        let mut relays = Relays::default();
        for stranger in 0..10_000u32 {
            relays.note(IpAddr::from(stranger.to_be_bytes()), 0);
            if stranger % 50 == 0 {
                relays.note(PROXY, stranger.into());
            }
        }
        assert_eq!((relays.take(), relays.watched.len()), (Some(PROXY), ADDRESSES));
    }
}
