//! `POST /oauth/register` (RFC 7591), which exists only if the configuration has a
//! `registration_client`.
//!
//!     POST /oauth/register
//!     {"client_name":"Notes","redirect_uris":["http://127.0.0.1:49152/callback"]}
//!
//!     {"client_id":"mcp-clients","redirect_uris":["http://127.0.0.1:49152/callback"],
//!      "token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"],
//!      "response_types":["code"],"scope":"read write","client_name":"Notes"}

use super::{Call, reply};
use crate::encode::json::Object;
use crate::http::Response;
use crate::oauth::registration::{Registered, register};
use crate::oauth::{GrantType, Outcome};

pub const PATH: &str = "/oauth/register";

pub fn answer<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Response {
    let id = call.settings.registration_client.as_deref();
    let Some(client) = id.and_then(|id| call.settings.registry.client(id)) else {
        return reply::not_found(outcome);
    };
    outcome.client = Some(client);
    match register(&call.known, client, call.request.body) {
        Ok(registered) => reply::created(body(&registered)),
        Err(error) => reply::oauth_error(error, outcome),
    }
}

/// RFC 7591, section 3.2.1.
fn body(registered: &Registered) -> String {
    let client = registered.client;
    let mut object = Object::new()
        .string("client_id", &client.id)
        .strings("redirect_uris", registered.redirect_uris())
        .string("token_endpoint_auth_method", "none")
        .strings("grant_types", client.grants.iter().copied().map(GrantType::as_str))
        .strings("response_types", ["code"]);
    if !client.scopes.is_empty() {
        object = object.string("scope", client.scopes.as_str());
    }
    if let Some(name) = &registered.name {
        object = object.string("client_name", name);
    }
    object.finish()
}
