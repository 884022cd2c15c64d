//! `grant_type=password` (RFC 6749, section 4.3).
//!
//! Today's advice is against it (RFC 9700, section 2.4): the client sees the password. It is here
//! because the demo is built on it, and each client has to be given it by name.

use super::TokenRequest;
use crate::oauth::sign_in::sign_in;
use crate::oauth::{OAuthError, scope};
use crate::store::TokenResponse;

#[inline(never)] // see answer() in endpoints/mod.rs
pub fn grant(request: &TokenRequest) -> Result<TokenResponse, OAuthError> {
    const SOURCE: &str = "RFC 6749, section 4.3.2";
    let name = request.required("username", SOURCE)?;
    let password = request.required("password", SOURCE)?;
    let who = (name, password);
    let user = sign_in(request.registry, request.throttle, who, request.address, request.now)?;
    let scope = scope::for_client(request.client, request.form.get("scope"))?;
    let scope = scope::for_user(scope, user)?;
    let (registry, client) = (request.registry, request.client);
    Ok(request.store.issue_for_user(registry, client, &user.name, scope, request.now))
}
