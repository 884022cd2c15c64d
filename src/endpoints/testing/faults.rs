//! `faults = …`: answers of the token endpoint that go wrong on purpose.
//!
//!     faults = ok invalid_grant status:503 delay:2 close
//!
//! One word for each request of an authenticated client, and then from the beginning again. A
//! request that fails changes nothing, as if it had never arrived, except with `truncated` and
//! `garbage`, whose answers were made and then lost.

use std::thread;
use std::time::Duration;

use super::Testing;
use crate::config::testing::FaultKind;
use crate::endpoints::{Call, reply, token};
use crate::http::{Response, Status};
use crate::oauth::grants::{self, TokenRequest, TokenResponse};
use crate::oauth::{ErrorCode, FamilyToken, GrantType, OAuthError, Outcome, Rule};
use crate::store::{Change, OnlyIf};

/// What the log says about a fault: it was asked for.
const ON_PURPOSE: Rule = Rule {
    code: ErrorCode::TemporarilyUnavailable,
    checked: "nothing is meant to fail here",
    broken: "a fault that the configuration asks for",
    source: "faults of this client",
};

/// Seconds until a client may try again.
const RETRY_AFTER: u64 = 1;

/// The answer of the token endpoint, right or wrong.
pub fn token<'a>(testing: &'a Testing, call: &Call<'a>, outcome: &mut Outcome<'a>) -> Response {
    let broken = |outcome: &mut Outcome<'a>| {
        let form = token::form(call)?;
        let client = call.client(&form, outcome)?;
        let request = TokenRequest { known: call.known, client, form: &form, origin: call.origin };
        Ok(match testing.next_fault(&client.id) {
            None => right(&request, outcome),
            Some(fault) => {
                outcome.fault = (fault.kind != FaultKind::Ok).then_some(fault.word.as_str());
                wrong(&fault.kind, &request, outcome)
            }
        })
    };
    broken(outcome).unwrap_or_else(|error| reply::oauth_error(error, outcome))
}

fn right<'a>(request: &TokenRequest<'a, '_>, outcome: &mut Outcome<'a>) -> Response {
    token::respond(grants::grant(request, outcome), outcome)
}

fn wrong<'a>(
    kind: &FaultKind,
    request: &TokenRequest<'a, '_>,
    outcome: &mut Outcome<'a>,
) -> Response {
    match kind {
        FaultKind::Ok => right(request, outcome),
        FaultKind::Error(code) => reply::oauth_error(with_code(*code), outcome),
        FaultKind::Status(status) => reply::error(*status, ON_PURPOSE.error(), outcome),
        FaultKind::Delay(seconds) => {
            let response = right(request, outcome);
            thread::sleep(Duration::from_secs(*seconds));
            response
        }
        // The log shows the number that nginx uses for it.
        FaultKind::Close => Response::new(Status::Other(444)).nothing(),
        FaultKind::Truncated => right(request, outcome).half(),
        FaultKind::Garbage => {
            // The right answer is made, and nobody gets it.
            right(request, outcome);
            reply::page(Status::Ok, GARBAGE, "style-src 'none'")
        }
        FaultKind::Short => token::respond(short(request, outcome), outcome),
        FaultKind::NoRefreshToken => {
            token::respond(without_refresh_token(request, outcome), outcome)
        }
    }
}

/// What a proxy says whose server is gone.
const GARBAGE: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head><title>Welcome</title></head>\n\
    <body><h1>Welcome</h1><p>This is no answer to a token request.</p></body>\n</html>\n";

fn with_code(code: ErrorCode) -> OAuthError {
    let error = Rule { code, ..ON_PURPOSE }.error();
    match code {
        ErrorCode::TemporarilyUnavailable => error.unavailable_for(RETRY_AFTER),
        _ => error,
    }
}

/// The right answer, with an access token that lives one second.
fn short<'a>(
    request: &TokenRequest<'a, '_>,
    outcome: &mut Outcome<'a>,
) -> Result<TokenResponse, OAuthError> {
    let mut client = request.client.clone();
    client.access_token_lifetime = 1;
    let mut own = Outcome::default();
    let TokenRequest { known, form, origin, .. } = *request;
    let brief = TokenRequest { known, client: &client, form, origin };
    let granted = grants::grant(&brief, &mut own);
    outcome.user = own.user.and_then(|user| request.known.registry.user(&user.name));
    outcome.issued = own.issued;
    granted
}

/// The right answer without its refresh token, as from a server that issues none, or goes on with
/// the one that was sent (RFC 6749, section 6: it "MAY issue a new refresh token").
fn without_refresh_token<'a>(
    request: &TokenRequest<'a, '_>,
    outcome: &mut Outcome<'a>,
) -> Result<TokenResponse, OAuthError> {
    let (store, now) = (request.known.store, request.origin.now);
    let is_refresh = request.form.get("grant_type") == Some(GrantType::RefreshToken.as_str());
    let sent = request.form.get("refresh_token").filter(|_| is_refresh);
    let before = match sent.and_then(FamilyToken::parse) {
        Some(sent) => store.family(&sent.family.key(), now)?,
        None => None,
    };
    let mut response = grants::grant(request, outcome)?;
    let Some(fresh) = response.refresh_token.take() else { return Ok(response) };
    let key = fresh.family.key();
    if let Some(mut family) = store.family(&key, now)? {
        // The previous ones are valid again, for as long as the new one would have been.
        (family.refresh_token, family.beside) =
            before.map_or_else(Default::default, |before| (before.refresh_token, before.beside));
        let once = OnlyIf::RefreshTokenIs(key, fresh.key());
        store.apply(once, [Change::PutFamily(key, family)])?;
    }
    Ok(response)
}
