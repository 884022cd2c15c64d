//! `POST /oauth/introspect` (RFC 7662).

use super::{Call, reply};
use crate::encode::json::Object;
use crate::http::Response;
use crate::oauth::{OAuthError, Outcome, client_auth, introspect};
use crate::store::TokenInfo;

const PARAMETERS: [&str; 4] = ["token", "token_type_hint", "client_id", "client_secret"];

pub fn answer<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Response {
    match asked(call, outcome) {
        Ok(Some(facts)) => reply::private_json(active(call, &facts)),
        Ok(None) => reply::private_json(Object::new().boolean("active", false).finish()),
        Err(error) => reply::oauth_error(error, outcome),
    }
}

fn asked<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Result<Option<TokenInfo>, OAuthError> {
    let form = call.strict_form(&PARAMETERS)?;
    let client = call.client(&form, outcome)?;
    client_auth::require_secret(client)?;
    let token =
        form.get("token").ok_or_else(|| OAuthError::missing("token", "RFC 7662, section 2.1"))?;
    Ok(introspect::introspect(&call.known, token, client, call.origin.now))
}

/// RFC 7662, section 2.2. A refresh token has no `token_type`: an API that asks must not take it
/// for an access token.
fn active(call: &Call, facts: &TokenInfo) -> String {
    let mut object = Object::new().boolean("active", true);
    if !facts.scope.is_empty() {
        object = object.string("scope", facts.scope.as_str());
    }
    object = object.string("client_id", &facts.client);
    if let Some(user) = &facts.user {
        object = object.string("username", user);
    }
    object = match facts.is_refresh_token {
        true => object.string("token_use", "refresh_token"),
        false => object.string("token_type", "bearer"),
    };
    object
        .number("exp", facts.expires.seconds())
        .number("iat", facts.issued_at.seconds())
        .string("sub", facts.user.as_ref().unwrap_or(&facts.client))
        .string("iss", &call.settings.issuer)
        .finish()
}
