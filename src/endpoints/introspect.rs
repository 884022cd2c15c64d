//! `POST /oauth/introspect` (RFC 7662).

use super::{Call, reply};
use crate::encode::json::Object;
use crate::http::Response;
use crate::oauth::{OAuthError, Outcome, TokenInfo, client_auth, introspect};

const PARAMETERS: [&str; 4] = ["token", "token_type_hint", "client_id", "client_secret"];

pub fn answer<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Response {
    match asked(call, outcome) {
        Ok(Some(info)) => reply::private_json(active(call, &info)),
        Ok(None) => reply::private_json(Object::new().boolean("active", false).finish()),
        Err(error) => reply::oauth_error(error, outcome),
    }
}

fn asked<'a>(
    call: &Call<'a>,
    outcome: &mut Outcome<'a>,
) -> Result<Option<TokenInfo<'a>>, OAuthError> {
    let form = call.strict_form(&PARAMETERS, "RFC 6749, section 3.2")?;
    let client = call.client(&form, outcome)?;
    client_auth::require_secret(&call.known, client)?;
    let token = call.known.required(&form, "token", "RFC 7662, section 2.1")?;
    Ok(introspect::introspect(&call.known, token, client, call.origin.now)?)
}

/// RFC 7662, section 2.2. A refresh token has no `token_type`, so that no API takes it for an
/// access token.
fn active(call: &Call, info: &TokenInfo) -> String {
    let scope = info.scope();
    let mut object = Object::new().boolean("active", true);
    if !scope.is_empty() {
        object = object.string("scope", scope.as_str());
    }
    object = object.string("client_id", &info.client.id);
    if let Some(user) = info.user {
        object = object.string("username", &user.name);
    }
    object = match info.is_refresh_token {
        true => object.string("token_use", "refresh_token"),
        false => object.string("token_type", "bearer"),
    };
    // A token from the configuration may have neither.
    for (member, time) in [("exp", info.expires), ("iat", info.issued_at)] {
        if let Some(time) = time {
            object = object.number(member, time.seconds());
        }
    }
    object
        .string("sub", info.user.map_or(&info.client.id, |user| &user.name))
        .string("iss", &call.settings.issuer)
        .strings("aud", info.audience.map(|resource| &*resource.url))
        .finish()
}
