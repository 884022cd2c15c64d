//! `POST /oauth/device_authorization` (RFC 8628, section 3.1).

use super::{Call, reply};
use crate::encode::json::Object;
use crate::http::Response;
use crate::oauth::device::{self, Found};
use crate::oauth::{OAuthError, Outcome, Token, UserCode, audience};

const PARAMETERS: [&str; 4] = ["client_id", "client_secret", "scope", "resource"];

pub fn answer<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Response {
    match start(call, outcome) {
        Ok((code, found)) => reply::private_json(body(call, &code, &found.user_code)),
        Err(error) => reply::oauth_error(error, outcome),
    }
}

/// The device code, and the request that the user will find by the user code.
pub type Started<'a> = Result<(Token, Found<'a>), OAuthError>;

pub fn start<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Started<'a> {
    let parameters = audience::parameters(call.known.registry, &PARAMETERS);
    let form = call.strict_form(parameters, "RFC 8628, section 3.1")?;
    let client = call.client(&form, outcome)?;
    device::start(&call.known, client, &form, call.origin)
}

/// RFC 8628, section 3.2.
pub fn body(call: &Call, code: &Token, user_code: &UserCode) -> String {
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
