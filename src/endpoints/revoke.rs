//! `POST /oauth/revoke` (RFC 7009).

use super::{Call, reply};
use crate::http::Response;
use crate::oauth::{OAuthError, Outcome, revoke};

const PARAMETERS: [&str; 4] = ["token", "token_type_hint", "client_id", "client_secret"];

pub fn answer<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Response {
    match asked(call, outcome) {
        // It has a body because some clients insist on one.
        Ok(()) => reply::private_json("{}".into()),
        Err(error) => reply::oauth_error(error, outcome),
    }
}

fn asked<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Result<(), OAuthError> {
    let form = call.strict_form(&PARAMETERS, "RFC 6749, section 3.2")?;
    let client = call.client(&form, outcome)?;
    let token = call.known.required(&form, "token", "RFC 7009, section 2.1")?;
    revoke::revoke(&call.known, token, client, call.origin.now)
}
