//! `POST /oauth/device_authorization` (RFC 8628, section 3.1).

use super::Call;
use super::reply::{self, Reply};
use crate::encode::json::Object;
use crate::oauth::device::{self, UserCode};
use crate::oauth::{OAuthError, Token};

const PARAMETERS: [&str; 3] = ["client_id", "client_secret", "scope"];

#[inline(never)] // see answer() in mod.rs
pub fn answer(call: &Call) -> Reply {
    match start(call) {
        Ok((code, user_code)) => reply::private_json(body(call, &code, &user_code)),
        Err(error) => reply::oauth_error(error),
    }
}

fn start(call: &Call) -> Result<(Token, UserCode), OAuthError> {
    let form = call.strict_form(&PARAMETERS)?;
    let client = call.client(&form)?;
    let registry = &call.settings.registry;
    device::start(call.store, registry, client, form.get("scope"), call.now)
}

/// RFC 8628, section 3.2.
fn body(call: &Call, code: &Token, user_code: &UserCode) -> String {
    let lifetimes = &call.settings.registry.lifetimes;
    let (uri, shown) = (&call.settings.verification_uri, user_code.reveal());
    Object::new()
        .string("device_code", &code.reveal())
        .string("user_code", &shown)
        .string("verification_uri", uri)
        .string("verification_uri_complete", &format!("{uri}?user_code={shown}"))
        .number("expires_in", lifetimes.device_code)
        .number("interval", lifetimes.device_interval)
        .finish()
}
