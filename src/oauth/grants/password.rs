//! `grant_type=password` (RFC 6749, section 4.3).
//!
//! Today's advice is against it (RFC 9700, section 2.4): the client sees the password. It is here
//! because the demo is built on it, and each client has to be given it by name.

use super::TokenRequest;
use crate::oauth::sign_in::{Entered, sign_in};
use crate::oauth::{OAuthError, Outcome, scope};
use crate::store::TokenResponse;

pub fn grant<'k>(
    request: &TokenRequest<'k, '_>,
    outcome: &mut Outcome<'k>,
) -> Result<TokenResponse, OAuthError> {
    const SOURCE: &str = "RFC 6749, section 4.3.2";
    let name = request.required("username", SOURCE)?;
    let password = request.required("password", SOURCE)?;
    let user = sign_in(&request.known, Entered { name, password }, request.origin, outcome)?;
    let scope = scope::for_client(request.client, request.form.get("scope"))?;
    let scope = scope::for_user(scope, user)?;
    let (known, client) = (&request.known, request.client);
    Ok(known.store.issue_for_user(known.registry, client, &user.name, scope, request.origin.now))
}
