//! `grant_type=client_credentials` (RFC 6749, section 4.4): the client acts for itself.
//!
//!     client ──── its own id and secret ────> token endpoint
//!            <─── access token ──────────────
//!
//!     POST /oauth/token
//!     Authorization: Basic Y29uZmlkZW50aWFsQXBwbGljYXRpb246dG9wU2VjcmV0
//!
//!     grant_type=client_credentials&scope=read
//!
//!     {"token_type":"bearer","access_token":"72ab…25","expires_in":3600,"scope":"read"}

use super::issue::Granted;
use super::{TokenRequest, TokenResponse};
use crate::oauth::{OAuthError, Outcome, audience, scope};
use crate::store::OnlyIf;

/// An access token for the client alone.
pub fn grant<'k>(
    request: &TokenRequest<'k, '_>,
    _: &mut Outcome<'k>,
) -> Result<TokenResponse, OAuthError> {
    // "MUST only be used by confidential clients": the configuration allows it to no other, and
    // such a client has shown its secret by now (RFC 6749, sections 4.4 and 4.4.2).
    let audience = audience::asked(&request.known, request.client, request.form)?;
    audience::must_take_client(&request.known, audience, request.client)?;
    audience::must_take_user(&request.known, audience, (None, audience::USER_LISTED))?;
    let scope = scope::for_client(&request.known, request.client, request.form.get("scope"))?;
    // "A refresh token SHOULD NOT be included": the client can simply ask again (RFC 6749, section
    // 4.4.3).
    let resource = audience::number(audience);
    let granted = Granted { family: None, user: None, resource, scope: scope.clone() };
    let (changes, response) = request.fresh(&granted, scope).split();
    request.known.store.apply(OnlyIf::Always, changes)?;
    request.given(&response);
    Ok(response)
}
