//! The documents by which a client finds everything else.

use super::{Call, reply};
use crate::http::Response;
use crate::oauth::Outcome;

/// `GET /.well-known/oauth-authorization-server` (RFC 8414).
pub fn server(call: &Call, _: &mut Outcome) -> Response {
    reply::document(&call.settings.server_metadata)
}

/// `GET /.well-known/oauth-protected-resource` (RFC 9728).
pub fn resource(call: &Call, _: &mut Outcome) -> Response {
    reply::document(&call.settings.resource_metadata)
}
