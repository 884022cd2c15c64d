//! `POST /oauth/token` (RFC 6749, section 3.2).

use super::{Call, reply};
use crate::encode::form::Form;
use crate::encode::json::Object;
use crate::http::Response;
use crate::oauth::grants::{self, TokenRequest, TokenResponse};
use crate::oauth::{OAuthError, Outcome, audience};

pub fn answer<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Response {
    respond(grant(call, outcome), outcome)
}

fn grant<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Result<TokenResponse, OAuthError> {
    let form = form(call)?;
    let client = call.client(&form, outcome)?;
    let request = TokenRequest { known: call.known, client, form: &form, origin: call.origin };
    grants::grant(&request, outcome)
}

pub fn form<'a>(call: &Call<'a>) -> Result<Form<'a>, OAuthError> {
    let parameters = audience::parameters(call.known.registry, &grants::PARAMETERS);
    call.strict_form(parameters, "RFC 6749, section 3.2")
}

pub fn respond(granted: Result<TokenResponse, OAuthError>, outcome: &mut Outcome) -> Response {
    match granted {
        Ok(response) => reply::private_json(body(&response)),
        Err(error) => reply::oauth_error(error, outcome),
    }
}

/// RFC 6749, section 5.1.
fn body(response: &TokenResponse) -> String {
    let mut object = Object::new()
        .string("token_type", "bearer")
        .string("access_token", &response.access_token.reveal())
        .number("expires_in", response.expires_in);
    if let Some(token) = &response.refresh_token {
        object = object.string("refresh_token", &token.reveal());
    }
    if !response.scope.is_empty() {
        object = object.string("scope", response.scope.as_str());
    }
    object.finish()
}
