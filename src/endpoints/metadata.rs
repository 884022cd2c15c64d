//! The documents by which a client finds everything else.

use super::Call;
use super::reply::{self, Reply};

/// `GET /.well-known/oauth-authorization-server` (RFC 8414).
pub fn server(call: &Call) -> Reply {
    reply::document(&call.settings.server_metadata)
}

/// `GET /.well-known/oauth-protected-resource` (RFC 9728).
pub fn resource(call: &Call) -> Reply {
    reply::document(&call.settings.resource_metadata)
}
