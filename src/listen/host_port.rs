//! From `HOST:PORT` to bound sockets, one for every address that it stands for.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use crate::os;

/// How often another free port is tried if the first is taken on one of the addresses.
const FREE_PORT_ATTEMPTS: usize = 20;

/// A place to listen: a name or an address, as written, and a port.
#[derive(Clone, Debug, PartialEq)]
pub struct HostPort {
    /// An IPv6 address is in brackets.
    pub host: String,
    pub port: u16,
}

/// A listening TCP socket.
pub struct Bound {
    pub listener: TcpListener,
    /// Has the real port if 0 was asked for.
    pub address: SocketAddr,
}

impl HostPort {
    /// Reads `HOST:PORT`; an error is the end of a sentence that begins with the key's name.
    pub fn parse(text: &str) -> Result<HostPort, String> {
        HostPort::read(text).ok_or_else(|| match HostPort::meant(text) {
            Some(meant) => format!("must be HOST:PORT; did you mean {meant}?"),
            None => "must be HOST:PORT, such as localhost:3000 or [::1]:3000".into(),
        })
    }

    fn read(text: &str) -> Option<HostPort> {
        let (host, digits) = text.rsplit_once(':')?;
        let port = digits.parse().ok().filter(|_| is_number(digits))?;
        is_host(host).then(|| HostPort { host: host.into(), port })
    }

    /// What was meant by a port alone, a URL, a port that is too large, or an IPv6 address without
    /// brackets.
    fn meant(text: &str) -> Option<HostPort> {
        let (host, digits) = text.rsplit_once(':').unwrap_or(("", text));
        let url = text.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let host = match host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) if host.is_empty() => "localhost".into(),
            Err(_) => host.into(),
        };
        // With too many digits it exceeds any port.
        let port = digits.parse().unwrap_or(u16::MAX);
        let mended = is_number(digits).then(|| format!("{host}:{port}"));
        HostPort::read(url.or(mended.as_deref())?)
    }

    /// The host as an address, if it is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    pub fn is_wildcard(&self) -> bool {
        self.address().is_some_and(|address| address.is_unspecified())
    }

    /// Its URL with this port, by a name that a browser can use.
    pub fn url(&self, port: u16) -> String {
        let host = if self.is_wildcard() { "localhost" } else { &self.host };
        format!("http://{host}:{port}")
    }

    /// Whether both would bind the same address, as far as that is known without a look-up.
    pub fn overlaps(&self, other: &HostPort) -> bool {
        let is_same = |a: &IpAddr, b: &IpAddr| a == b || a.is_unspecified() || b.is_unspecified();
        let others = other.known_addresses();
        self.port == other.port
            && self.port != 0
            && (self.host.eq_ignore_ascii_case(&other.host)
                || self.known_addresses().iter().any(|a| others.iter().any(|b| is_same(a, b))))
    }

    /// The addresses that are known without a look-up.
    fn known_addresses(&self) -> Vec<IpAddr> {
        if self.host.eq_ignore_ascii_case("localhost") {
            // Loopback by definition (RFC 6761, section 6.3), whatever the system's configuration
            // says.
            return vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        }
        self.address().into_iter().collect()
    }

    /// Whether the system need not be asked, which may take any time.
    pub fn needs_no_look_up(&self) -> bool {
        !self.known_addresses().is_empty()
    }

    /// The addresses that it stands for, each once.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let known = self.known_addresses();
        if !known.is_empty() {
            return Ok(known.into_iter().map(|ip| SocketAddr::new(ip, self.port)).collect());
        }
        let mut addresses: Vec<SocketAddr> =
            (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        addresses.sort_unstable();
        addresses.dedup();
        Ok(addresses)
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            let legal = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
            !text.is_empty() && text.bytes().all(legal)
        }
    }
}

/// Listens on every address of `place` that this machine has, all on one port.
pub fn bind(place: &HostPort) -> io::Result<Vec<Bound>> {
    let addresses = place.resolve()?;
    // A port that is free on one address may be taken on another. Then the next free one is tried.
    let mut attempts = if place.port == 0 { FREE_PORT_ATTEMPTS } else { 1 };
    loop {
        match bind_all(&addresses) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && attempts > 1 => attempts -= 1,
            bound_or_not => return bound_or_not,
        }
    }
}

fn bind_all(addresses: &[SocketAddr]) -> io::Result<Vec<Bound>> {
    let mut bound: Vec<Bound> = Vec::new();
    let mut lacking = ErrorKind::AddrNotAvailable.into();
    for &(mut address) in addresses {
        if let Some(first) = bound.first() {
            address.set_port(first.address.port());
        }
        match TcpListener::bind(address) {
            Ok(listener) => {
                os::widen_backlog(&listener);
                os::bound_send_buffers(&listener);
                bound.push(Bound { address: listener.local_addr()?, listener });
            }
            Err(error) if is_lacking(&error) => lacking = error,
            Err(error) => return Err(error),
        }
    }
    match bound.is_empty() {
        true => Err(lacking),
        false => Ok(bound),
    }
}

/// Whether this machine lacks the address, or even its family (EAFNOSUPPORT).
fn is_lacking(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable || matches!(error.raw_os_error(), Some(47 | 97))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_host_and_a_port() {
        for text in ["localhost:3000", "[::1]:0", "10.0.0.1:65535", "a-b.example_1:1"] {
            assert_eq!(HostPort::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "a:", "a:+1", "[a]:1", "a b:1", "a/:1", "http://a", "65 536"] {
            let told = "must be HOST:PORT, such as localhost:3000 or [::1]:3000";
            assert_eq!(HostPort::parse(text), Err(told.into()), "{text}");
        }
        for (text, meant) in [
            ("3000", "localhost:3000"),
            (":3000", "localhost:3000"),
            ("a:70000", "a:65535"),
            ("99999999999", "localhost:65535"),
            ("::1:3000", "[::1]:3000"),
            ("http://a:3000/", "a:3000"),
        ] {
            let told = format!("must be HOST:PORT; did you mean {meant}?");
            assert_eq!(HostPort::parse(text), Err(told));
        }
    }

    #[test]
    fn localhost_is_loopback_of_both_families() {
        let addresses = HostPort::parse("LocalHost:7").unwrap().resolve().unwrap();
        assert_eq!(addresses, ["127.0.0.1:7".parse().unwrap(), "[::1]:7".parse().unwrap()]);
        assert!(!HostPort::parse("127.0.0.1:1").unwrap().is_wildcard());
        assert!(HostPort::parse("[::]:1").unwrap().is_wildcard());
    }

    #[test]
    fn places_overlap_where_one_address_would_be_bound_twice() {
        let place = |text| HostPort::parse(text).unwrap();
        for (a, b, expected) in [
            ("localhost:1", "127.0.0.1:1", true),
            ("localhost:1", "[::1]:1", true),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("Example:1", "example:1", true),
            ("localhost:1", "localhost:2", false),
            ("localhost:0", "localhost:0", false),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("example:1", "127.0.0.1:1", false),
        ] {
            assert_eq!(place(a).overlaps(&place(b)), expected, "{a} {b}");
            assert_eq!(place(b).overlaps(&place(a)), expected, "{b} {a}");
        }
    }

    /// An address for documentation, which no machine has (RFC 5737).
    const LACKING: &str = "192.0.2.1:0";

    #[test]
    fn an_address_that_the_machine_lacks_is_skipped() {
        let addresses = [LACKING, "127.0.0.1:0", "127.0.0.2:0"].map(|text| text.parse().unwrap());
        let bound = bind_all(&addresses).unwrap();
        let ips: Vec<String> = bound.iter().map(|bound| bound.address.ip().to_string()).collect();
        assert_eq!(ips, ["127.0.0.1", "127.0.0.2"]);
        assert_ne!(bound[0].address.port(), 0);
        assert_eq!(bound[0].address.port(), bound[1].address.port());
    }

    #[test]
    fn at_least_one_address_must_bind() {
        let error = bind_all(&[LACKING.parse().unwrap()]).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
        // A machine without IPv6 lacks the family (EAFNOSUPPORT), which has no kind of its own.
        assert!(is_lacking(&io::Error::from_raw_os_error(97)));
        assert!(!is_lacking(&io::Error::from_raw_os_error(13)));
    }
}
