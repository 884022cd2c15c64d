//! The one place that writes statuses, cache fields and challenges.

use std::borrow::Cow;
use std::sync::Arc;

use super::Call;
use crate::encode::json::Object;
use crate::http::Response;
use crate::oauth::bearer::Refusal;
use crate::oauth::{ErrorCode, GrantType, OAuthError};

/// A response, and what the log and the metrics are told beside it.
pub struct Reply {
    pub response: Response,
    /// Whose token or request this is about, where it is not the client that has shown who it is.
    pub client: Option<Arc<str>>,
    pub user: Option<Arc<str>>,
    pub refusal: Option<OAuthError>,
    pub issued: Option<GrantType>,
}

impl From<Response> for Reply {
    fn from(response: Response) -> Reply {
        Reply { response, client: None, user: None, refusal: None, issued: None }
    }
}

impl Reply {
    pub fn client(mut self, client: &Arc<str>) -> Reply {
        self.client = Some(Arc::clone(client));
        self
    }

    pub fn user(mut self, user: Option<Arc<str>>) -> Reply {
        self.user = user.or(self.user);
        self
    }

    /// An answer to a refused request, with the time after which another can succeed.
    pub fn refused(mut self, refusal: OAuthError) -> Reply {
        if let Some(seconds) = refusal.retry_after {
            self.response.add("Retry-After", &seconds.to_string());
        }
        self.refusal = Some(refusal);
        self
    }
}

const JSON: &str = "Content-Type: application/json\r\n";
/// For what no cache may keep (RFC 6749, section 5.1).
const PRIVATE_JSON: &str =
    "Cache-Control: no-store\r\nPragma: no-cache\r\nContent-Type: application/json\r\n";
const TEXT: &str = "Content-Type: text/plain; charset=utf-8\r\n";
const PRIVATE_TEXT: &str = "Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n";
/// Public documents, which caches may keep for a while.
const DOCUMENT: &str = "Cache-Control: max-age=300\r\nContent-Type: application/json\r\n";

pub fn text(body: &'static str) -> Reply {
    Response::with_fields(200, TEXT).body(body).into()
}

pub fn private_text(body: &'static str) -> Reply {
    Response::with_fields(200, PRIVATE_TEXT).body(body).into()
}

pub fn document(json: &str) -> Reply {
    Response::with_fields(200, DOCUMENT).body(String::from(json)).into()
}

pub fn private_json(json: String) -> Reply {
    Response::with_fields(200, PRIVATE_JSON).body(json).into()
}

pub fn not_found() -> Reply {
    plain_error(404, "not_found", "there is nothing at this path")
}

/// `status` with the methods that would do.
#[cold]
pub fn methods(status: u16, methods: &str) -> Reply {
    let mut reply = match status {
        405 => plain_error(405, "method_not_allowed", "this path knows other methods"),
        other => Response::new(other).into(),
    };
    reply.response.add("Allow", methods);
    reply
}

#[cold]
fn plain_error(status: u16, error: &str, description: &str) -> Reply {
    Response::with_fields(status, JSON).body(error_body(error, description)).into()
}

fn error_body(error: &str, description: &str) -> String {
    Object::new().string("error", error).string("error_description", description).finish()
}

/// An error of the token endpoint and its neighbours (RFC 6749, section 5.2).
pub fn oauth_error(error: OAuthError) -> Reply {
    let status = match error.code {
        ErrorCode::InvalidClient => 401,
        ErrorCode::TemporarilyUnavailable => 429,
        _ => 400,
    };
    let body = error_body(error.code.as_str(), &error.description);
    let mut response = Response::with_fields(status, PRIVATE_JSON).body(body);
    if status == 401 {
        response = response.field("WWW-Authenticate", "Basic realm=\"oauth2d\"");
    }
    Reply::from(response).refused(error)
}

/// A refusal of a bearer token, with its challenge (RFC 6750, section 3; RFC 9728, section 5.1).
pub fn bearer_refusal(call: &Call, refusal: Refusal) -> Reply {
    let status = match &refusal {
        Refusal::Error { error, .. } if error.code == ErrorCode::InvalidRequest => 400,
        Refusal::Error { error, .. } if error.code == ErrorCode::InsufficientScope => 403,
        _ => 401,
    };
    bearer_refusal_with(call, refusal, status)
}

/// The same with another status.
pub fn bearer_refusal_with(call: &Call, refusal: Refusal, status: u16) -> Reply {
    let mut challenge = format!(
        "Bearer realm=\"oauth2d\", resource_metadata=\"{}\"",
        call.settings.resource_metadata_uri
    );
    let (body, error) = match refusal {
        Refusal::NoToken => (error_body("unauthorized", "this needs a bearer token"), None),
        Refusal::Error { error, scope } => {
            challenge.push_str(&format!(", error=\"{}\"", error.code.as_str()));
            if let Some(scope) = scope {
                challenge.push_str(&format!(", scope=\"{}\"", scope.as_str()));
            }
            (error_body(error.code.as_str(), &error.description), Some(error))
        }
    };
    let response = Response::with_fields(status, PRIVATE_JSON).body(body);
    let response = response.field("WWW-Authenticate", &challenge);
    Reply { refusal: error, ..response.into() }
}

const PAGE: &str = "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
    X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n\
    Content-Type: text/html; charset=utf-8\r\n";

/// A page for a person, with what keeps it from being framed, cached or extended by others.
pub fn page(status: u16, html: impl Into<Cow<'static, str>>, style_policy: &str) -> Response {
    let policy = format!(
        "default-src 'none'; style-src {style_policy}; base-uri 'none'; frame-ancestors 'none'"
    );
    Response::with_fields(status, PAGE).field("Content-Security-Policy", &policy).body(html)
}

/// The status of a page on which an attempt has failed.
pub fn attempt_status(error: &OAuthError) -> u16 {
    match error.code {
        ErrorCode::TemporarilyUnavailable => 429,
        _ => 403,
    }
}

/// Sends a browser on with a GET, whatever its own method was: a 307 would hand its password on
/// (RFC 9700, section 4.12).
pub fn redirect(location: &str) -> Reply {
    const FIELDS: &str = "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n";
    Response::with_fields(303, FIELDS).field("Location", location).into()
}
