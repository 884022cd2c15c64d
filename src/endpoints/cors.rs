//! Which other websites' scripts may call the server from a browser: the CORS protocol of the Fetch
//! standard.
//!
//! Never the two pages: no other website has any business there. Never with credentials: there are
//! no cookies.

use super::Call;
use super::route::{self, Readers, Route};
use crate::http::{Response, Status};
use crate::oauth::{ErrorCode, OAuthError, Outcome};

/// The answer to a preflight, an OPTIONS request in which the browser asks before it sends the real
/// one.
#[cold]
pub fn preflight(call: &Call, route: Option<&Route>) -> Option<Response> {
    let head = &call.request.head;
    let is_preflight = head.fields.first("origin").is_some()
        && head.fields.first("access-control-request-method").is_some();
    let readers = route::readers(head.path, route);
    if !is_preflight || readers == Readers::Nobody {
        return None;
    }
    let mut response = Response::new(Status::NoContent);
    if allowed_origin(call, readers).is_some() {
        let methods = route.map_or("GET, HEAD".into(), |route| route.methods.join(", "));
        response = response
            .field("Access-Control-Allow-Methods", &methods)
            .field("Access-Control-Max-Age", "600");
        if let Some(asked) = head.fields.first("access-control-request-headers")
            && let Ok(asked) = std::str::from_utf8(asked)
            && asked.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
        {
            response = response.field("Access-Control-Allow-Headers", asked);
        }
    }
    Some(response)
}

/// Adds the fields that let the caller read the answer. A caller that may not is noted for the log,
/// since the browser tells it nothing.
pub fn apply(call: &Call, route: Option<&Route>, response: &mut Response, outcome: &mut Outcome) {
    let readers = route::readers(call.request.head.path, route);
    if readers == Readers::AllowedOrigins && !call.settings.allowed_origins.is_empty() {
        response.add("Vary", "Origin");
    }
    if let Some(origin) = allowed_origin(call, readers) {
        response.add("Access-Control-Allow-Origin", origin);
        response.add("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After");
    } else if readers == Readers::AllowedOrigins
        && call.request.head.fields.first("origin").is_some()
    {
        tell_of_elsewhere(call, outcome);
    }
}

#[cold]
fn tell_of_elsewhere(call: &Call, outcome: &mut Outcome) {
    if is_from_elsewhere(call) {
        let what = "the origin is not in allowed_origins";
        let error = OAuthError::new(ErrorCode::OriginNotAllowed, what, "Fetch, CORS protocol");
        outcome.refusal.get_or_insert(error);
    }
}

/// Whether the request comes from another origin. Our own pages send `Origin` too, with the origin
/// that they send the request to.
fn is_from_elsewhere(call: &Call) -> bool {
    let fields = &call.request.head.fields;
    let Some(origin) = fields.first("origin") else { return false };
    let own = fields.first("host").unwrap_or_default();
    [&b"http://"[..], b"https://"].iter().all(|scheme| origin.strip_prefix(*scheme) != Some(own))
}

fn allowed_origin<'a>(call: &Call<'a>, readers: Readers) -> Option<&'a str> {
    match readers {
        Readers::Nobody => None,
        Readers::Anyone => Some("*"),
        Readers::AllowedOrigins => {
            let allowed = &call.settings.allowed_origins;
            if allowed.is_empty() {
                return None;
            }
            let origin = call.request.head.fields.first("origin")?;
            allowed.iter().find(|own| own.as_bytes() == origin).map(String::as_str)
        }
    }
}
