//! Which pages elsewhere may call from a browser (Fetch, section 3.2).
//!
//! Never the two pages: nothing on another page has any business there. Never with credentials:
//! there are no cookies.

use super::reply::Reply;
use super::{Call, Route};
use crate::http::Response;

/// Who may read an answer.
#[derive(PartialEq)]
enum Readers {
    Anyone,
    AllowedOrigins,
    Nobody,
}

fn readers(call: &Call, route: Option<Route>) -> Readers {
    match route {
        Some(
            Route::Token
            | Route::Revoke
            | Route::Introspect
            | Route::DeviceAuthorization
            | Route::Resource,
        ) => Readers::AllowedOrigins,
        _ if call.request.head.path.contains("/.well-known/") => Readers::Anyone,
        _ => Readers::Nobody,
    }
}

/// The answer to an OPTIONS request that is a preflight: a question of the browser's own, before
/// the real request.
#[cold] // see answer() in mod.rs
pub fn preflight(call: &Call, route: Route) -> Option<Reply> {
    let head = &call.request.head;
    let is_preflight = head.fields.first("origin").is_some()
        && head.fields.first("access-control-request-method").is_some();
    let readers = readers(call, Some(route));
    if !is_preflight || readers == Readers::Nobody {
        return None;
    }
    let mut response = Response::new(204);
    if allowed_origin(call, readers).is_some() {
        response = response
            .field("Access-Control-Allow-Methods", &route.methods().unwrap_or(&["GET"]).join(", "))
            .field("Access-Control-Max-Age", "600");
        if let Some(asked) = head.fields.first("access-control-request-headers")
            && let Ok(asked) = std::str::from_utf8(asked)
            && asked.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
        {
            response = response.field("Access-Control-Allow-Headers", asked);
        }
    }
    Some(response.into())
}

/// Adds the fields by which a browser lets the caller read the answer.
pub fn apply(call: &Call, route: Option<Route>, reply: &mut Reply) {
    let readers = readers(call, route);
    if readers == Readers::AllowedOrigins && !call.settings.allowed_origins.is_empty() {
        reply.response.add("Vary", "Origin");
    }
    if let Some(origin) = allowed_origin(call, readers) {
        reply.response.add("Access-Control-Allow-Origin", origin);
        reply.response.add("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After");
    }
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
