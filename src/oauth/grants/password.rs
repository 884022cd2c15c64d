//! `grant_type=password` (RFC 6749, section 4.3): the client has the person's name and password.
//!
//!     person ── name and password ──> client ── the same, and its own secret ──> token endpoint
//!                                            <── access token, refresh token ────
//!
//!     POST /oauth/token                                     as a client, authenticated
//!     grant_type=password&username=pedroetb&password=password
//!
//!     {"token_type":"bearer","access_token":"72ab…25","expires_in":3600,"refresh_token":"5e0c…9f"}
//!
//! Today's advice is against it, since the client sees the password (RFC 9700, section 2.4). It is
//! here because the demo is built on it, and each client has to be given it by name.

use super::issue::Granted;
use super::{TokenRequest, TokenResponse};
use crate::oauth::sign_in::{Entered, sign_in};
use crate::oauth::{OAuthError, Outcome, audience, scope};
use crate::store::OnlyIf;

const SOURCE: &str = "RFC 6749, section 4.3.2";

/// An access token for a user, and a refresh token where the client may use one.
pub fn grant<'k>(
    request: &TokenRequest<'k, '_>,
    outcome: &mut Outcome<'k>,
) -> Result<TokenResponse, OAuthError> {
    let name = request.required("username", SOURCE)?;
    let password = request.required("password", SOURCE)?;
    // Before the password: a request that cannot be meant tries none.
    let audience = audience::asked(&request.known, request.client, request.form)?;
    // "MUST protect the endpoint against brute force attacks": signing in counts failures.
    let entered = Entered { name, password, source: SOURCE };
    let user = sign_in(&request.known, entered, request.origin, outcome)?;
    audience::must_take_client(&request.known, audience, request.client)?;
    audience::must_take_user(&request.known, audience, (Some(user), audience::USER_LISTED))?;
    let scope = scope::for_client(&request.known, request.client, request.form.get("scope"))?;
    let scope = scope::for_user(&request.known, scope, user)?;
    let (family, resource) = (request.family_name(), audience::number(audience));
    let granted = Granted { family, user: Some(user.number), resource, scope: scope.clone() };
    let (changes, response) = request.fresh(&granted, scope).split();
    request.known.store.apply(OnlyIf::Always, changes)?;
    request.given(&response);
    Ok(response)
}
