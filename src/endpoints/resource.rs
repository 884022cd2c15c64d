//! `GET /`: a resource behind a bearer token (RFC 6750), and the whole point of the demo.

use super::Call;
use super::reply::{self, Reply};
use crate::oauth::bearer::{self, Refusal, Requirements};
use crate::oauth::{ErrorCode, OAuthError};

#[inline(never)] // see answer() in mod.rs
pub fn answer(call: &Call) -> Reply {
    match check(call) {
        Ok(facts) => reply::private_text("Congratulations, you are in a secret area!")
            .client(&facts.client)
            .user(facts.user),
        Err(refusal) => reply::bearer_refusal(call, refusal),
    }
}

fn check(call: &Call) -> Result<crate::store::TokenInfo, Refusal> {
    let malformed = |error| Refusal::Error { error, scope: None };
    let form = match call.settings.bearer_in_query {
        true => Some(call.query(&["access_token"]).map_err(malformed)?),
        false => None,
    };
    if form.as_ref().is_some_and(|form| form.repeated().is_some()) {
        let text = "there is more than one token";
        let source = "RFC 6750, section 3.1";
        return Err(malformed(OAuthError::new(ErrorCode::InvalidRequest, text, source)));
    }
    let in_query = form.as_ref().and_then(|form| form.get("access_token"));
    let token = bearer::presented(call.authorization(), in_query)?;
    bearer::check(call.store, token, &Requirements::default(), call.now)
}
