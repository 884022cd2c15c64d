//! A family: all tokens that come of one grant.
//!
//!     code ──> refresh token 1 ──> refresh token 2 ──> refresh token 3
//!              access token 1      access token 2      access token 3
//!     used     used                used                valid
//!
//! Each refresh token replaces the one before, and they all begin with the family's name. If one
//! that was replaced is used again, someone has a copy: the client or a thief, and we cannot tell
//! which. So the whole family is revoked, and the user signs in again (RFC 9700, section 4.14.2).

use super::{Client, ErrorCode, FamilyToken, Known, OAuthError, Rule, Timestamp};
use crate::store::{Change, Found, OnlyIf};

/// `token` is not the one that is valid now. If this client has a living family of its name, it has
/// been used before: revokes the family, and returns how many tokens that were.
///
/// Another client's attempt does not prove that there is a copy, and revokes nothing.
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
    known.did(format_args!("its whole family is revoked"), "RFC 9700, section 4.14.2");
    Ok(revoked)
}

/// The refusal of a code or refresh token that was used or is unknown.
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
