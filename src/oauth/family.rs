//! A family: all that comes of one grant.
//!
//!     code ──> refresh token 1 ──> refresh token 2 ──> refresh token 3
//!              access token 1      access token 2      access token 3
//!     used     used                used                good
//!
//! Each replaces the one before, and all begin with the family's name. If one comes back that was
//! replaced, somebody has a copy: the client or a thief, and we cannot tell which. So everything
//! that came of the grant ends, and the person signs in again (RFC 9700, section 4.14.2).

use super::{Client, ErrorCode, FamilyToken, Known, OAuthError, Rule, Timestamp};
use crate::store::{Change, Found, OnlyIf};

/// Whether `token`, which is not the one that is good now, belongs to a family of this client that
/// is still alive. Then it has been used before: the family ends, and this is how many of its
/// tokens were revoked.
///
/// Another client's attempt proves nothing about a copy and ends nothing.
pub fn end_if_used(
    known: &Known,
    token: &FamilyToken,
    client: &Client,
    now: Timestamp,
) -> Found<usize> {
    let (store, key) = (known.store, token.family.key());
    let owner = match store.family(&key, now)? {
        Some(family) => Some(family.client),
        None => store.code(&key, now)?.map(|code| code.client),
    };
    if owner != Some(client.number) {
        return Ok(None);
    }
    let revoked = store.apply(OnlyIf::Always, [Change::TakeFamily(key)])?;
    known.did(format_args!("its whole family is ended"), "RFC 9700, section 4.14.2");
    Ok(revoked)
}

/// What a used or unknown code or refresh token is refused with.
pub fn not_good(
    used: Option<usize>,
    what: &str,
    reused: &'static str,
    unknown: Rule,
) -> OAuthError {
    match used {
        Some(revoked) => {
            let text = format!("{what} reused: {revoked} tokens revoked");
            OAuthError::new(ErrorCode::InvalidGrant, text, reused)
        }
        None => unknown.error(),
    }
}
