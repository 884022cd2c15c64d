//! The request target (RFC 9112, section 3.2), and the hosts that it may name.

use std::net::Ipv6Addr;

use super::Refusal;

/// Splits a target, in one of its four forms, into path and query (RFC 9112, section 3.2).
pub fn split<'b>(method: &str, target: &'b str) -> Result<(&'b str, Option<&'b str>), Refusal> {
    const BAD: Refusal =
        Refusal::Malformed(&("the request target is malformed", "RFC 9112, section 3.2"));
    if target.bytes().any(|b| !b.is_ascii_graphic() || b == b'#') {
        return Err(BAD);
    }
    if target == "*" && method == "OPTIONS" {
        return Ok((target, None));
    }
    if method == "CONNECT" {
        // The authority form has no path; `endpoints` refuses CONNECT.
        return if is_host(target.as_bytes()) && target.contains(':') {
            Ok((target, None))
        } else {
            Err(BAD)
        };
    }
    let local =
        if target.starts_with('/') { target } else { after_authority(target).ok_or(BAD)? };
    Ok(match local.split_once('?') {
        Some(("", query)) => ("/", Some(query)),
        Some((path, query)) => (path, Some(query)),
        None if local.is_empty() => ("/", None),
        None => (local, None),
    })
}

/// What follows `http://host` in the absolute form.
fn after_authority(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    (end > 0 && is_host(&rest.as_bytes()[..end])).then(|| &rest[end..])
}

/// `uri-host [":" port]`, or nothing (RFC 9110, section 7.2; RFC 3986, section 3.2.2).
pub fn is_host(value: &[u8]) -> bool {
    let (host, port) = match value.iter().rposition(|&b| b == b':') {
        Some(colon) if !value[colon..].contains(&b']') => (&value[..colon], &value[colon + 1..]),
        _ => (value, &[][..]),
    };
    port.iter().all(u8::is_ascii_digit)
        && (port.is_empty() || !host.is_empty())
        && match host {
            [b'[', literal @ .., b']'] => is_ip_literal(literal),
            name => is_name(name),
        }
}

/// `reg-name`, without the comma that it may have: that is how a proxy would join two fields.
fn is_name(name: &[u8]) -> bool {
    let mut bytes = name.iter();
    while let Some(&byte) = bytes.next() {
        let is_good = match byte {
            b'%' => bytes.by_ref().take(2).filter(|b| b.is_ascii_hexdigit()).count() == 2,
            _ => is_plain(byte),
        };
        if !is_good {
            return false;
        }
    }
    true
}

/// What is between the brackets: `IPv6address` or `IPvFuture`.
fn is_ip_literal(literal: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(literal) else { return false };
    let Some(future) = text.strip_prefix(['v', 'V']) else {
        return text.parse::<Ipv6Addr>().is_ok();
    };
    future.split_once('.').is_some_and(|(version, address)| {
        !version.is_empty()
            && version.bytes().all(|b| b.is_ascii_hexdigit())
            && !address.is_empty()
            && address.bytes().all(|b| is_plain(b) || b == b':')
    })
}

/// `unreserved` or `sub-delims`, except the comma (RFC 3986, section 2).
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_forms_of_a_target() {
        for (method, target, path, query) in [
            ("GET", "/a", "/a", None),
            ("GET", "/a?b?c", "/a", Some("b?c")),
            ("GET", "http://h/a?b", "/a", Some("b")),
            ("GET", "HTTP://h:80", "/", None),
            ("GET", "http://h?b", "/", Some("b")),
            ("OPTIONS", "*", "*", None),
            ("CONNECT", "h:443", "h:443", None),
        ] {
            assert_eq!(split(method, target), Ok((path, query)), "{target}");
        }
        for (method, target) in [
            ("GET", "*"),
            ("GET", "a"),
            ("GET", "ftp://h/"),
            ("GET", "http:///a"),
            ("GET", "/a#b"),
            ("GET", "http://u@h/"),
            ("CONNECT", "/a"),
            ("GET", "/é"),
        ] {
            assert!(split(method, target).is_err(), "{target}");
        }
    }

    #[test]
    fn a_host_is_a_name_or_a_literal_and_a_port() {
        let hosts = "a a: a:1 a.b-c_d %41%7a a!$&'()*+;=~ 127.0.0.1:80 [::1] [::1]:80 \
            [::ffff:1.2.3.4] [v1f.a:b]";
        for host in hosts.split(' ').chain([""]) {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        let others = "a%zz a%4 % %4 %g0 a/b u@a a:b :80 a:1:2 a,b \u{e9} [ [] [a] [::1 ::1] [1::2::3] \
            [::1]x [::1%25eth0] [v.a] [v1.] [vg.a] [v1a] [v1.a/]";
        for host in others.split(' ').chain(["a b"]) {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }
}
