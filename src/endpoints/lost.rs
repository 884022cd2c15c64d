//! A page instead of JSON, for a person who has opened an address without a page in a browser: the
//! 401 of `/`, a 404 or a 405.
//!
//!     GET / HTTP/1.1
//!     Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8
//!
//!     HTTP/1.1 401 Unauthorized
//!     WWW-Authenticate: Bearer realm="oauth2d", …
//!     Vary: Accept
//!     Content-Type: text/html; charset=utf-8
//!
//! Programs get JSON as usual, and so does everyone who does not prefer HTML.

use super::route::Route;
use super::{Call, pages};
use crate::http::{Response, Status};

/// Endpoints for programs alone, like everything below `/.well-known/`.
const PROGRAMS: [&str; 6] = [
    "/oauth/authenticate",
    "/oauth/token",
    "/oauth/introspect",
    "/oauth/revoke",
    "/oauth/device_authorization",
    "/oauth/register",
];

/// Whether a person may have got an answer with this status by mistake.
pub fn may_be(status: Status) -> bool {
    matches!(status, Status::Unauthorized | Status::NotFound | Status::MethodNotAllowed)
}

/// Makes the answer a page, if it may be for a person and the request prefers HTML. Either way
/// caches must know that there are two forms.
#[cold]
#[inline(never)]
pub fn apply(call: &Call, route: Option<&Route>, response: &mut Response) {
    if !may_be_a_person(call, route, response.status) {
        return;
    }
    let accept = call.request.head.fields.all("accept");
    let accept: Vec<&str> = accept.filter_map(|line| std::str::from_utf8(line).ok()).collect();
    if prefers_html(&accept) {
        let page = pages::lost(response.status, &call.settings.issuer, call.settings.is_demo);
        let json = std::mem::replace(response, page);
        for name in ["WWW-Authenticate", "Allow"] {
            json.values(name).for_each(|value| response.add(name, value));
        }
    }
    response.add("Vary", "Accept");
}

fn may_be_a_person(call: &Call, route: Option<&Route>, status: Status) -> bool {
    let path = call.request.head.path;
    let own = route.map_or("", |route| route.path);
    let is_for_programs =
        !path.starts_with('/') || path.contains("/.well-known/") || is_programs(path);
    match status {
        Status::Unauthorized => own == "/",
        Status::NotFound | Status::MethodNotAllowed => !is_for_programs,
        _ => false,
    }
}

/// With the issuer's path before it, too, and even if the endpoint is switched off.
fn is_programs(path: &str) -> bool {
    PROGRAMS.iter().any(|own| path.ends_with(own))
}

/// Whether `text/html` has a higher quality than `application/json`, each by the most specific
/// range that matches it (RFC 9110, section 12.5.1).
fn prefers_html(accept: &[&str]) -> bool {
    let quality = |kind, subtype| {
        let ranges = accept.iter().flat_map(|line| line.split(','));
        let fitting = ranges.filter_map(|range| fits(range, kind, subtype));
        fitting.max().map_or(0, |(_, quality)| quality)
    };
    quality("text", "html") > quality("application", "json")
}

/// How specific a range is, and its quality in thousandths; `None` if it does not match this type
/// or cannot be read.
fn fits(range: &str, kind: &str, subtype: &str) -> Option<(u8, u16)> {
    let mut parts = range.split(';').map(str::trim);
    let (own_kind, own_subtype) = parts.next()?.split_once('/')?;
    let specific = match (own_kind, own_subtype) {
        ("*", "*") => 0,
        (own, "*") if own.eq_ignore_ascii_case(kind) => 1,
        (own, sub) if own.eq_ignore_ascii_case(kind) && sub.eq_ignore_ascii_case(subtype) => 2,
        _ => return None,
    };
    match parts.next() {
        None => Some((specific, 1000)),
        // Any other parameter asks for a variant that we do not have.
        Some(parameter) => {
            let (name, value) = parameter.split_once('=')?;
            let is_quality = name.trim().eq_ignore_ascii_case("q");
            is_quality.then(|| thousandths(value.trim())).flatten().map(|it| (specific, it))
        }
    }
}

/// `0` or `1`, and up to three digits after a dot (RFC 9110, section 12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    if digits.len() > 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part: u16 = format!("{digits:0<3}").parse().ok()?;
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_preferred_by_a_higher_quality_of_the_most_specific_range() {
        for (accept, expected) in [
            (&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"][..], true),
            (&["text/html"], true),
            (&["TEXT/HTML;Q=0.1"], true),
            (&["text/*"], true),
            (&["*/*;q=0.1, text/html"], true),
            (&["application/json;q=0.5", "text/html;q=0.6"], true),
            (&["*/*, application/json;q=0.2"], true),
            (&[], false),
            (&["*/*"], false),
            (&["application/json"], false),
            (&["text/html, application/json"], false),
            (&["text/html;q=0.5, application/json;q=0.5"], false),
            (&["text/html;q=0.5, */*"], false),
            (&["text/*, text/html;q=0"], false),
            (&["text/html;level=1"], false),
            (&["text/html;q=2"], false),
            (&["text/html;q=0.0001"], false),
            (&["text/html;q=x", "nonsense", ";", "/"], false),
            (&["text/plain"], false),
        ] {
            assert_eq!(prefers_html(accept), expected, "{accept:?}");
        }
    }
}
