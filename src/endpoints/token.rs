//! `POST /oauth/token` (RFC 6749, section 3.2).

use super::Call;
use super::reply::{self, Reply};
use crate::encode::form::Form;
use crate::encode::json::Object;
use crate::oauth::grants::{self, TokenRequest};
use crate::oauth::{Client, GrantType, OAuthError};
use crate::store::TokenResponse;

#[inline(never)] // see answer() in mod.rs
pub fn answer(call: &Call) -> Reply {
    let form = match call.strict_form(&grants::PARAMETERS) {
        Ok(form) => form,
        Err(error) => return reply::oauth_error(error),
    };
    let client = match call.client(&form) {
        Ok(client) => client,
        Err(error) => return reply::oauth_error(error),
    };
    match grant(call, client, &form) {
        Ok((grant_type, issued)) => granted(grant_type, issued),
        Err(error) => refused(call, &form, error),
    }
}

#[inline(never)] // see answer() in mod.rs
fn granted(grant_type: GrantType, issued: TokenResponse) -> Reply {
    let mut reply = reply::private_json(body(&issued));
    reply.issued = Some(grant_type);
    reply.user(issued.user)
}

#[cold]
fn refused(call: &Call, form: &Form, error: OAuthError) -> Reply {
    let named = form.get("username").and_then(|name| call.settings.registry.user(name));
    let user = named.map(|user| user.name.clone());
    reply::oauth_error(error).user(user)
}

#[inline(never)] // see answer() in mod.rs
fn grant(
    call: &Call,
    client: &Client,
    form: &Form,
) -> Result<(GrantType, TokenResponse), OAuthError> {
    grants::grant(&TokenRequest {
        registry: &call.settings.registry,
        store: call.store,
        throttle: call.throttle,
        client,
        form,
        address: call.address,
        now: call.now,
    })
}

/// RFC 6749, section 5.1.
fn body(issued: &TokenResponse) -> String {
    let mut object = Object::new()
        .string("token_type", "bearer")
        .string("access_token", &issued.access_token.reveal())
        .number("expires_in", issued.expires_in);
    if let Some(token) = &issued.refresh_token {
        object = object.string("refresh_token", &token.reveal());
    }
    if !issued.scope.is_empty() {
        object = object.string("scope", issued.scope.as_str());
    }
    object.finish()
}
