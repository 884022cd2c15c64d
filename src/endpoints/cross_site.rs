//! Requests that another website makes its visitors' browsers send here.
//!
//!     a website          the visitor's browser                            here
//!       | <img src="https://auth.example.com/oauth/device?user_code=…">     |
//!       |------------------------>|                                         |
//!       |                         | GET /oauth/device?user_code=…           |
//!       |                         | Sec-Fetch-Site: cross-site              |
//!       |                         |---------------------------------------->|
//!
//! The user knows nothing of such a request. If it could try a code or a password, any website
//! could use up the attempts of its visitors' addresses, or get a device allowed. So it is answered
//! with the first page and does nothing (RFC 6749, section 10.12).

use super::Call;

/// Whether the browser says so (Fetch Metadata, section 2.3) or a POST names another origin (RFC
/// 6454, section 7.3). `null` means nothing: our own forms send it too, since the pages have no
/// referrer.
pub fn is_cross_site(call: &Call) -> bool {
    let head = &call.request.head;
    if head.fields.all("sec-fetch-site").any(|site| site == b"cross-site") {
        return true;
    }
    let host = head.fields.first("host").and_then(|host| str::from_utf8(host).ok());
    let here = Here { issuer: &call.settings.issuer, host: host.unwrap_or("") };
    head.method == "POST"
        && head.fields.all("origin").any(|origin| origin != b"null" && !here.has(origin))
}

/// The names by which a browser may know the server: the issuer's, and the one that it has sent the
/// request to. They differ behind a proxy, and on one's own machine.
struct Here<'a> {
    issuer: &'a str,
    host: &'a str,
}

impl Here<'_> {
    /// Whether `origin` has the issuer's scheme and authority, or is `http` or `https` at the
    /// request's `Host`. Case and the scheme's default port do not count (RFC 6454, section 5).
    fn has(&self, origin: &[u8]) -> bool {
        let Some((port, authority)) = str::from_utf8(origin).ok().and_then(parts) else {
            return false;
        };
        parts(self.issuer)
            .is_some_and(|(own, issuer)| own == port && issuer.eq_ignore_ascii_case(authority))
            || without(port, self.host).eq_ignore_ascii_case(authority)
    }
}

/// The default port of the URL's scheme, and its authority without that port.
fn parts(url: &str) -> Option<(&'static str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let port = match scheme {
        _ if scheme.eq_ignore_ascii_case("http") => ":80",
        _ if scheme.eq_ignore_ascii_case("https") => ":443",
        _ => return None,
    };
    let authority = rest.split('/').next().filter(|authority| !authority.is_empty())?;
    Some((port, without(port, authority)))
}

fn without<'a>(port: &str, authority: &'a str) -> &'a str {
    authority.strip_suffix(port).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn here_is_the_issuers_origin_and_the_host_that_was_asked() {
        let here = Here { issuer: "https://Auth.example.com:443/p", host: "localhost:3000" };
        for origin in [
            "https://auth.example.com",
            "https://auth.example.com:443",
            "HTTPS://AUTH.EXAMPLE.COM",
            "http://localhost:3000",
            "https://localhost:3000",
        ] {
            assert!(here.has(origin.as_bytes()), "{origin}");
        }
        for origin in [
            "",
            "null",
            "auth.example.com",
            "http://auth.example.com",
            "https://auth.example.com:8443",
            "https://auth.example.com.evil.org",
            "https://evil.org/auth.example.com",
            "https://evil.org",
            "http://localhost",
            "http://localhost:300",
            "ftp://localhost:3000",
            "chrome-extension://localhost:3000",
        ] {
            assert!(!here.has(origin.as_bytes()), "{origin}");
        }
    }

    #[test]
    fn a_schemes_own_port_does_not_count() {
        let here = Here { issuer: "https://auth.example.com", host: "auth.test:80" };
        assert!(here.has(b"http://auth.test"));
        assert!(!here.has(b"https://auth.test"));
        assert!(Here { host: "auth.test", ..here }.has(b"https://auth.test"));
        assert!(!Here { issuer: "", host: "" }.has(b"https://"));
        assert!(!Here { issuer: "", host: "" }.has(b"\xff"));
    }
}
