//! `grant_type=urn:ietf:params:oauth:grant-type:device_code` (RFC 8628, section 3.4).

use super::TokenRequest;
use crate::oauth::OAuthError;
use crate::store::TokenResponse;

/// One poll: most of them hear that the person has not decided yet.
#[inline(never)] // see answer() in endpoints/mod.rs
pub fn grant(request: &TokenRequest) -> Result<TokenResponse, OAuthError> {
    let code = request.required("device_code", "RFC 8628, section 3.4")?;
    request.store.poll_device(request.registry, request.client, code, request.now)
}
