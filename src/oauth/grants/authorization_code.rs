//! `grant_type=authorization_code` (RFC 6749, section 4.1.3).

use super::TokenRequest;
use crate::oauth::{OAuthError, Outcome};
use crate::store::TokenResponse;

/// The code stands for everything that was agreed on; what is sent with it has to fit.
pub fn grant<'k>(
    request: &TokenRequest<'k, '_>,
    _: &mut Outcome<'k>,
) -> Result<TokenResponse, OAuthError> {
    let code = request.required("code", "RFC 6749, section 4.1.3")?;
    request.known.store.redeem_code(
        request.known.registry,
        request.client,
        code,
        request.form.get("redirect_uri"),
        request.form.get("code_verifier"),
        request.origin.now,
    )
}
