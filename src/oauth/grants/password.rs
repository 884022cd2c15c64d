//! `grant_type=password` (RFC 6749, section 4.3): the user has given the client name and password.
//!
//!     user ── name and password ──> client ── the same, and its own secret ──> token endpoint
//!                                          <── access token, refresh token ────
//!
//!     POST /oauth/token                                     as a client, authenticated
//!     grant_type=password&username=pedroetb&password=password
//!
//!     {"token_type":"bearer","access_token":"72ab…25","expires_in":3600,"refresh_token":"5e0c…9f"}
//!
//! Do not use it for anything new: the client sees the password (RFC 9700, section 2.4). It is here
//! because the demo is built on it, and only for clients whose `grants` list it.

use super::issue::Granted;
use super::{TokenRequest, TokenResponse};
use crate::oauth::sign_in::{Entered, sign_in};
use crate::oauth::{OAuthError, Outcome, audience, scope};
use crate::store::OnlyIf;

const SOURCE: &str = "RFC 6749, section 4.3.2";

/// An access token for a user, and a refresh token if the client may use one.
pub fn grant<'k>(
    request: &TokenRequest<'k, '_>,
    outcome: &mut Outcome<'k>,
) -> Result<TokenResponse, OAuthError> {
    let name = request.required("username", SOURCE)?;
    let password = request.required("password", SOURCE)?;
    // Checked before the password, so that a request for an unknown resource is no guess.
    let audience = audience::asked(&request.known, request.client, request.form)?;
    // "MUST protect the endpoint against brute force attacks": `sign_in` counts failures.
    let entered = Entered { name, password, source: SOURCE };
    let user = sign_in(&request.known, entered, request.origin, outcome)?;
    // The resource has to accept tokens of this client and this user.
    audience::must_take_client(&request.known, audience, request.client)?;
    audience::must_take_user(&request.known, audience, (Some(user), audience::USER_LISTED))?;
    // What the client asks for, as far as the client and the user may have it.
    let scope = scope::for_client(&request.known, request.client, request.form.get("scope"))?;
    let scope = scope::for_user(&request.known, scope, user)?;
    let (family, resource) = (request.family_name(), audience::number(audience));
    let granted = Granted { family, user: Some(user.number), resource, scope: scope.clone() };
    // The tokens are valid once the store has them, in one step.
    let (changes, response) = request.fresh(&granted, scope).split();
    request.known.store.apply(OnlyIf::Always, changes)?;
    request.given(&response);
    Ok(response)
}
