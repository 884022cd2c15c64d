//! `grant_type=client_credentials` (RFC 6749, section 4.4).

use super::TokenRequest;
use crate::oauth::{OAuthError, Outcome, scope};
use crate::store::TokenResponse;

/// The client acts for itself. The configuration gives this grant to no public client, since it
/// would be anyone's (RFC 6749, section 4.4).
pub fn grant<'k>(
    request: &TokenRequest<'k, '_>,
    _: &mut Outcome<'k>,
) -> Result<TokenResponse, OAuthError> {
    let scope = scope::for_client(request.client, request.form.get("scope"))?;
    let known = &request.known;
    Ok(known.store.issue_for_client(known.registry, request.client, scope, request.origin.now))
}
