//! `grant_type=refresh_token` (RFC 6749, section 6).

use super::TokenRequest;
use crate::oauth::{OAuthError, Outcome};
use crate::store::TokenResponse;

/// The refresh token is spent and replaced at every use, so that a stolen one shows
/// (RFC 9700, section 4.14.2).
pub fn grant<'k>(
    request: &TokenRequest<'k, '_>,
    _: &mut Outcome<'k>,
) -> Result<TokenResponse, OAuthError> {
    let token = request.required("refresh_token", "RFC 6749, section 6")?;
    request.known.store.rotate_refresh_token(
        request.known.registry,
        request.client,
        token,
        request.form.get("scope"),
        request.origin.now,
    )
}
