//! `grant_type=authorization_code` (RFC 6749, section 4.1.3).

use super::TokenRequest;
use crate::oauth::OAuthError;
use crate::store::TokenResponse;

/// The code stands for everything that was agreed on; what is sent with it has to fit.
#[inline(never)] // see answer() in endpoints/mod.rs
pub fn grant(request: &TokenRequest) -> Result<TokenResponse, OAuthError> {
    let code = request.required("code", "RFC 6749, section 4.1.3")?;
    request.store.redeem_code(
        request.registry,
        request.client,
        code,
        request.form.get("redirect_uri"),
        request.form.get("code_verifier"),
        request.now,
    )
}
