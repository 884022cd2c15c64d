//! Redirect URIs: where a browser may be sent back to (RFC 6749, section 3.1.2).

use crate::encode::form::push_encoded;

/// What is wrong with a redirect URI in the configuration, if anything is. `insecure` allows plain
/// `http` to any host.
pub fn fault(uri: &str, insecure: bool) -> Option<&'static str> {
    let (scheme, rest) = match uri.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
        _ => {
            return Some(
                "is relative; write the whole URI, such as https://app.example.com/callback",
            );
        }
    };
    if !uri.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b)) {
        return Some("has a character that a URI cannot have; escape it as % and two digits");
    }
    if uri.contains('#') {
        return Some("has a fragment; leave out # and what follows it");
    }
    match scheme.as_str() {
        "javascript" | "data" | "vbscript" => Some("would run a script; use https"),
        "http" | "https" => {
            let authority = rest.strip_prefix("//").map(authority).unwrap_or_default();
            if authority.is_empty() || authority.starts_with(':') {
                Some("has no host; write the whole URI, such as https://app.example.com/callback")
            } else if authority.contains('@') {
                Some("has a user in it; leave out what comes before @")
            } else if scheme == "http" && !insecure && loopback_host(authority).is_none() {
                Some(
                    "sends codes in the clear; use https, or set insecure_redirects = yes in [server]",
                )
            } else {
                None
            }
        }
        _ if rest.is_empty() => Some("has nothing after its scheme"),
        _ => None,
    }
}

/// Whether `sent` equals `registered`, character for character. Only the port of a loopback address
/// may differ, since a native app gets it from its system (RFC 9700, section 2.1; RFC 8252, section
/// 7.3).
pub fn matches(sent: &str, registered: &str) -> bool {
    sent == registered
        || match (without_loopback_port(sent), without_loopback_port(registered)) {
            (Some(sent), Some(registered)) => sent == registered,
            _ => false,
        }
}

/// The host and what follows the port, if this is `http` to a loopback host.
fn without_loopback_port(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let authority = authority(rest);
    Some((loopback_host(authority)?, &rest[authority.len()..]))
}

fn authority(rest: &str) -> &str {
    &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())]
}

/// The host of an authority with or without a port, if it is loopback.
fn loopback_host(authority: &str) -> Option<&'static str> {
    ["127.0.0.1", "[::1]", "localhost"].into_iter().find(|host| {
        authority.strip_prefix(host).is_some_and(|port| match port.strip_prefix(':') {
            Some(digits) => {
                !digits.is_empty()
                    && digits.bytes().all(|b| b.is_ascii_digit())
                    && digits.parse::<u16>().is_ok()
            }
            None => port.is_empty(),
        })
    })
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// `uri` with these parameters added to its query, of which nothing is lost.
pub fn with_parameters(uri: &str, parameters: &[(&str, &str)]) -> String {
    let mut joined = String::from(uri);
    for (name, value) in parameters {
        match joined.find('?') {
            None => joined.push('?'),
            // The query is empty, so no separator is needed.
            Some(mark) if mark + 1 == joined.len() => {}
            Some(_) => joined.push('&'),
        }
        joined.push_str(name);
        joined.push('=');
        push_encoded(&mut joined, value);
    }
    joined
}

/// Where the user will be sent, in a few words: the host, or the scheme of an app. The port of a
/// program on this computer would tell them nothing (RFC 8252, section 7.3).
pub fn destination(uri: &str) -> &str {
    match uri.split_once("://") {
        Some(("http" | "https", rest)) if loopback_host(authority(rest)).is_some() => {
            "a program on this computer"
        }
        Some(("http" | "https", rest)) => authority(rest),
        _ => uri.split_once(':').map_or(uri, |(scheme, _)| scheme),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_loopback_port_may_differ() {
        for (sent, registered) in [
            ("https://example.com/cb", "https://example.com/cb"),
            ("http://127.0.0.1:49152/cb?x=1", "http://127.0.0.1/cb?x=1"),
            ("http://[::1]:1/cb", "http://[::1]:2/cb"),
            ("http://localhost/cb", "http://localhost:8080/cb"),
            ("com.example.app:/cb", "com.example.app:/cb"),
        ] {
            assert!(matches(sent, registered), "{sent}");
        }
        for (sent, registered) in [
            ("https://evilexample.com/cb", "https://example.com/cb"),
            ("https://example.com.evil.org/cb", "https://example.com/cb"),
            ("https://example.com/cb/", "https://example.com/cb"),
            ("https://example.com/cb?x", "https://example.com/cb"),
            ("https://example.com:8443/cb", "https://example.com/cb"),
            ("https://127.0.0.1:1/cb", "https://127.0.0.1/cb"),
            ("http://127.0.0.1:1@evil.org/cb", "http://127.0.0.1/cb"),
            ("http://127.0.0.1.evil.org/cb", "http://127.0.0.1/cb"),
            ("http://127.0.0.1:99999/cb", "http://127.0.0.1/cb"),
            ("http://127.0.0.1:/cb", "http://127.0.0.1/cb"),
            ("http://127.0.0.1:+1/cb", "http://127.0.0.1/cb"),
            ("http://localhost/cb", "http://127.0.0.1/cb"),
            ("http://127.0.0.1/other", "http://127.0.0.1/cb"),
        ] {
            assert!(!matches(sent, registered), "{sent}");
        }
    }

    #[test]
    fn faults_of_a_registered_uri() {
        for uri in [
            "https://app.example.com/cb",
            "http://127.0.0.1/cb",
            "http://[::1]:80",
            "http://localhost:1/cb",
            "com.example.app:/cb",
            "HTTPS://h/?a=b",
        ] {
            assert_eq!(fault(uri, false), None, "{uri}");
        }
        for uri in [
            "/cb",
            "app.example.com/cb",
            "//h/cb",
            "https:///cb",
            "https:cb",
            "https://h/#f",
            "https://h/#",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,x",
            "http://h/cb",
            "https://u@h/",
            "http://localhost.evil.org/",
            "http://127.0.0.1@evil.org/",
            "https://h/é",
            "https://h/\"",
            "app:",
            "https://:80/",
        ] {
            assert!(fault(uri, false).is_some(), "{uri}");
        }
        assert_eq!(fault("http://h/cb", true), None);
        assert!(fault("javascript:alert(1)", true).is_some());
    }

    #[test]
    fn parameters_join_a_query_that_is_there() {
        let both = [("code", "a b"), ("iss", "https://h")];
        for (uri, expected) in [
            ("https://h/cb", "https://h/cb?code=a%20b&iss=https%3A%2F%2Fh"),
            ("https://h/cb?x=1", "https://h/cb?x=1&code=a%20b&iss=https%3A%2F%2Fh"),
            ("https://h/cb?", "https://h/cb?code=a%20b&iss=https%3A%2F%2Fh"),
            ("https://h/cb?x=/y?", "https://h/cb?x=/y?&code=a%20b&iss=https%3A%2F%2Fh"),
        ] {
            assert_eq!(with_parameters(uri, &both), expected);
        }
    }

    #[test]
    fn destinations_in_few_words() {
        assert_eq!(destination("https://app.example.com:8443/cb?x"), "app.example.com:8443");
        assert_eq!(destination("com.example.app:/cb"), "com.example.app");
        for uri in ["http://127.0.0.1:4711/cb", "http://[::1]/", "https://localhost:1/cb"] {
            assert_eq!(destination(uri), "a program on this computer", "{uri}");
        }
        assert_eq!(destination("http://localhost.example.com/cb"), "localhost.example.com");
    }
}
