//! `GET /`: a protected resource, for whoever has a bearer token (RFC 6750).

use super::{Call, reply};
use crate::http::Response;
use crate::oauth::audience::Place;
use crate::oauth::bearer::{self, Challenge, Requirements};
use crate::oauth::{ErrorCode, OAuthError, Outcome, TokenInfo, presented};

pub fn answer<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Response {
    match token(call, outcome) {
        Ok(_) => reply::private_text("Congratulations, you are in a secret area!"),
        Err(challenge) => reply::challenge(call, challenge, outcome),
    }
}

/// The token of a request for one of this server's own resources, `/` and `/oauth/userinfo`; the
/// log will say whose it is.
pub fn token<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Result<TokenInfo<'a>, Challenge> {
    let malformed = |error| Challenge::Error { error, scope: None };
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
    let token = presented::token(&call.known, call.authorization(), in_query)?;
    let place = Place::here(call.known.registry);
    let requirements = Requirements { place, ..Requirements::default() };
    let info = bearer::find(&call.known, token, call.origin.now)?;
    info.tell(outcome);
    bearer::check(&call.known, &info, &requirements)?;
    Ok(info)
}
