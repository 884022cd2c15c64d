//! The one place where statuses, cache headers and challenges are decided.

use std::borrow::Cow;

use super::Call;
use crate::encode::json::Object;
use crate::http::{Response, Status};
use crate::oauth::bearer::{Challenge, Requirements};
use crate::oauth::{ErrorCode, OAuthError, Outcome, Scope};

const JSON: &str = "Content-Type: application/json\r\n";
/// For answers that no cache may store (RFC 6749, section 5.1).
const PRIVATE_JSON: &str =
    "Cache-Control: no-store\r\nPragma: no-cache\r\nContent-Type: application/json\r\n";
const TEXT: &str = "Content-Type: text/plain; charset=utf-8\r\n";
const PRIVATE_TEXT: &str = "Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n";
/// For public documents, which caches may store for a while.
const DOCUMENT: &str = "Cache-Control: max-age=300\r\nContent-Type: application/json\r\n";

pub fn text(body: &'static str) -> Response {
    Response::with_fields(Status::Ok, TEXT).body(body)
}

pub fn private_text(body: &'static str) -> Response {
    Response::with_fields(Status::Ok, PRIVATE_TEXT).body(body)
}

pub fn document(json: &str) -> Response {
    Response::with_fields(Status::Ok, DOCUMENT).body(String::from(json))
}

pub fn private_json(json: String) -> Response {
    Response::with_fields(Status::Ok, PRIVATE_JSON).body(json)
}

pub fn created(json: String) -> Response {
    Response::with_fields(Status::Created, PRIVATE_JSON).body(json)
}

pub fn not_found(outcome: &mut Outcome) -> Response {
    let what = "there is nothing at this path";
    let error = OAuthError::new(ErrorCode::NotFound, what, "RFC 9110, section 15.5.5");
    plain_error(Status::NotFound, error, outcome)
}

/// Says in words, too, which methods are allowed.
#[cold]
pub fn method_not_allowed(methods: &str, outcome: &mut Outcome) -> Response {
    let what = format!("this path supports {methods}");
    let error = OAuthError::new(ErrorCode::MethodNotAllowed, what, "RFC 9110, section 15.5.6");
    plain_error(Status::MethodNotAllowed, error, outcome).field("Allow", methods)
}

/// `OPTIONS *`: the methods of the server as a whole (RFC 9110, section 9.3.7).
#[cold]
pub fn options(methods: &str) -> Response {
    Response::new(Status::NoContent).field("Allow", methods)
}

#[cold]
fn plain_error(status: Status, error: OAuthError, outcome: &mut Outcome) -> Response {
    let body = error_body(error.code.as_str(), &error.description);
    refused(Response::with_fields(status, JSON).body(body), error, outcome)
}

fn error_body(error: &str, description: &str) -> String {
    Object::new().string("error", error).string("error_description", description).finish()
}

/// Completes the answer to a refused request, and notes why it is refused.
pub fn refused(mut response: Response, error: OAuthError, outcome: &mut Outcome) -> Response {
    if let Some(seconds) = error.retry_after {
        response.add("Retry-After", &seconds.to_string());
    }
    outcome.refusal = Some(error);
    response
}

/// An error of the token endpoint and those like it (RFC 6749, section 5.2).
#[cold]
pub fn oauth_error(error: OAuthError, outcome: &mut Outcome) -> Response {
    let status = match error.code {
        ErrorCode::InvalidClient => Status::Unauthorized,
        ErrorCode::TemporarilyUnavailable => unavailable(&error),
        _ => Status::BadRequest,
    };
    self::error(status, error, outcome)
}

/// The same, with this status.
pub fn error(status: Status, error: OAuthError, outcome: &mut Outcome) -> Response {
    let body = error_body(error.code.as_str(), &error.description);
    let mut response = Response::with_fields(status, PRIVATE_JSON).body(body);
    if status == Status::Unauthorized {
        response = response.field("WWW-Authenticate", "Basic realm=\"oauth2d\"");
    }
    refused(response, error, outcome)
}

/// 429 if the client has tried too often (RFC 6585, section 4), 503 if the server cannot do it now
/// (RFC 9110, section 15.6.4).
pub fn unavailable(error: &OAuthError) -> Status {
    match error.is_unavailable {
        true => Status::ServiceUnavailable,
        false => Status::TooManyRequests,
    }
}

/// The answer to a request whose bearer token is missing or not good enough (RFC 6750, section
/// 3.1).
#[cold]
pub fn challenge(call: &Call, challenge: Challenge, outcome: &mut Outcome) -> Response {
    let status = match challenge.code() {
        Some(ErrorCode::InvalidRequest) => Status::BadRequest,
        Some(ErrorCode::InsufficientScope) => Status::Forbidden,
        _ => Status::Unauthorized,
    };
    challenge_with((status, &call.settings.resource_metadata_uri), challenge, None, outcome)
}

/// The same for a proxy, which understands 401 and 403 and nothing else. The metadata it names are
/// those of the resource that the proxy asked about.
#[cold]
pub fn proxy_challenge(
    call: &Call,
    challenge: Challenge,
    asked: &Requirements,
    outcome: &mut Outcome,
) -> Response {
    let metadata = call.settings.metadata_uri(asked.place);
    let (status, scope) = match challenge.code() {
        Some(ErrorCode::InsufficientScope) => (Status::Forbidden, None),
        // Tells the client which scope to ask for, so that it asks for no more.
        _ => (Status::Unauthorized, asked.scopes.first()),
    };
    challenge_with((status, &metadata), challenge, scope, outcome)
}

/// The challenge: where the resource's metadata are, what was wrong, and which `scope` would do
/// (RFC 6750, section 3; RFC 9728, section 5.1).
fn challenge_with(
    (status, metadata): (Status, &str),
    challenge: Challenge,
    scope: Option<&Scope>,
    outcome: &mut Outcome,
) -> Response {
    let mut field = format!("Bearer realm=\"oauth2d\", resource_metadata=\"{metadata}\"");
    let (error, lacking) = match challenge {
        Challenge::NoToken => (None, None),
        // The token could not be looked up, so nothing is known about it.
        Challenge::Error { error, .. } if error.is_unavailable => {
            return oauth_error(error, outcome);
        }
        Challenge::Error { error, scope } => (Some(error), scope),
    };
    if let Some(error) = &error {
        field.push_str(&format!(", error=\"{}\"", error.code.as_str()));
    }
    if let Some(scope) = lacking.as_ref().or(scope).filter(|scope| !scope.is_empty()) {
        field.push_str(&format!(", scope=\"{}\"", scope.as_str()));
    }
    let response = Response::with_fields(status, PRIVATE_JSON).field("WWW-Authenticate", &field);
    match error {
        None => {
            let what = "this needs a bearer token";
            let error = OAuthError::new(ErrorCode::Unauthorized, what, "RFC 6750, section 3");
            let body = error_body(error.code.as_str(), what);
            refused(response.body(body), error, outcome)
        }
        Some(error) => {
            let body = error_body(error.code.as_str(), &error.description);
            refused(response.body(body), error, outcome)
        }
    }
}

/// What a proxy passes on to the service behind it.
pub fn authenticated(fields: &[(&str, String)]) -> Response {
    let mut response = Response::with_fields(Status::Ok, "Cache-Control: no-store\r\n");
    for (name, value) in fields {
        response.add(name, value);
    }
    response
}

/// The metrics, in Prometheus' text format.
pub fn metrics(text: String) -> Response {
    const FIELDS: &str = "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n";
    Response::with_fields(Status::Ok, FIELDS).body(text)
}

/// `X-Frame-Options` is for browsers that do not know `frame-ancestors` (RFC 9700, section 4.16).
const PAGE: &str = "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
    X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n\
    Content-Type: text/html; charset=utf-8\r\n";

/// A page for a person, which nobody else may frame, cache or add to: another site could lay the
/// frame under a button of its own (RFC 9700, section 4.16). `sources` are the policy's directives
/// for what the page may load.
pub fn page(status: Status, html: impl Into<Cow<'static, str>>, sources: &str) -> Response {
    let policy = format!("default-src 'none'; {sources}; base-uri 'none'; frame-ancestors 'none'");
    Response::with_fields(status, PAGE).field("Content-Security-Policy", &policy).body(html)
}

/// Sends the browser on by GET, whatever the method of its request: with a 307 it would send the
/// password on to the client (RFC 9700, section 4.12).
pub fn redirect(location: &str) -> Response {
    const FIELDS: &str =
        "Cache-Control: no-store\r\nPragma: no-cache\r\nReferrer-Policy: no-referrer\r\n";
    Response::with_fields(Status::SeeOther, FIELDS).field("Location", location)
}
