//! `grant_type=refresh_token` (RFC 6749, section 6).

use super::TokenRequest;
use crate::oauth::OAuthError;
use crate::store::TokenResponse;

/// The refresh token is spent and replaced at every use, so that a stolen one shows
/// (RFC 9700, section 4.14.2).
#[inline(never)] // see answer() in endpoints/mod.rs
pub fn grant(request: &TokenRequest) -> Result<TokenResponse, OAuthError> {
    let token = request.required("refresh_token", "RFC 6749, section 6")?;
    request.store.rotate_refresh_token(
        request.registry,
        request.client,
        token,
        request.form.get("scope"),
        request.now,
    )
}
