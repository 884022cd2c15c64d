//! Ending a token (RFC 7009).

use super::{Client, ErrorCode, Known, OAuthError, Timestamp};

/// Ends the client's token; one that is not there has ended already. Another client's lives on:
/// `unauthorized_client` (RFC 7009, section 2.1).
pub fn revoke(
    known: &Known,
    token: &str,
    client: &Client,
    now: Timestamp,
) -> Result<(), OAuthError> {
    match known.store.revoke(token, client, now) {
        true => Ok(()),
        false => Err(OAuthError::new(
            ErrorCode::UnauthorizedClient,
            "the token was issued to another client",
            "RFC 7009, section 2.1",
        )),
    }
}
