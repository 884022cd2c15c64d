//! `grant_type=client_credentials` (RFC 6749, section 4.4).

use super::TokenRequest;
use crate::oauth::{OAuthError, scope};
use crate::store::TokenResponse;

/// The client acts for itself. The configuration gives this grant to no public client, since it
/// would be anyone's (RFC 6749, section 4.4).
pub fn grant(request: &TokenRequest) -> Result<TokenResponse, OAuthError> {
    let scope = scope::for_client(request.client, request.form.get("scope"))?;
    Ok(request.store.issue_for_client(request.registry, request.client, scope, request.now))
}
