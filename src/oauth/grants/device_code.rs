//! `grant_type=urn:ietf:params:oauth:grant-type:device_code` (RFC 8628, section 3.4).

use super::TokenRequest;
use crate::oauth::{OAuthError, Outcome};
use crate::store::TokenResponse;

/// One poll: most of them hear that the person has not decided yet.
pub fn grant<'k>(
    request: &TokenRequest<'k, '_>,
    _: &mut Outcome<'k>,
) -> Result<TokenResponse, OAuthError> {
    let code = request.required("device_code", "RFC 8628, section 3.4")?;
    let known = &request.known;
    known.store.poll_device(known.registry, request.client, code, request.origin.now)
}
