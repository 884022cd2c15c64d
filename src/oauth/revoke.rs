//! Token revocation (RFC 7009).
//!
//!     POST /oauth/revoke                                    as a client
//!     token=5e0c…9f
//!
//!     {}

use super::family::end_if_used;
use super::{Client, ErrorCode, FamilyToken, Known, OAuthError, Rule, Timestamp, Token};
use crate::store::{Change, OnlyIf, Store, Unavailable};

const OWN: Rule = Rule {
    code: ErrorCode::UnauthorizedClient,
    checked: "the token was issued to this client",
    broken: "the token was issued to another client",
    source: "RFC 7009, section 2.1",
};

const ENDABLE: Rule = Rule {
    code: ErrorCode::UnsupportedTokenType,
    checked: "the token is one that this server has given out",
    broken: "the token is part of the server's configuration and ends when it is removed there",
    source: "RFC 7009, section 2.2.1",
};

/// Revokes a token of this client. A token that does not exist counts as revoked, which is what the
/// client wants (RFC 7009, section 2.2). Another client's token lives on.
pub fn revoke(
    known: &Known,
    token: &str,
    client: &Client,
    now: Timestamp,
) -> Result<(), OAuthError> {
    let fixed = Token::key_of(token).and_then(|key| known.registry.fixed_tokens.get(&key));
    if let Some(fixed) = fixed {
        known.must(fixed.client == client.id, OWN)?;
        known.must(false, ENDABLE)?;
    } else if let Some(key) = Token::key_of(token)
        && let Some(row) = known.store.access_token(&key, now)?
    {
        // "Verifies whether the token was issued to the client making the revocation request."
        known.must(row.client == client.number, OWN)?;
        known.store.apply(OnlyIf::Always, [Change::TakeAccessToken(key)])?;
        known.did(format_args!("the access token is revoked"), "RFC 7009, section 2.1");
    } else if let Some(token) = FamilyToken::parse(token)
        && let Some(family) = known.store.family(&token.family.key(), now)?
    {
        known.must(family.client == client.number, OWN)?;
        // "If the particular token is a refresh token [...] the authorization server SHOULD also
        // invalidate all access tokens based on the same authorization grant." A used one does so
        // too: whoever has it may have the others.
        end_if_used(known, &token, client, now)?;
    } else {
        let what = format_args!("there is no such token, so there is nothing to revoke");
        known.did(what, "RFC 7009, section 2.2");
    }
    Ok(())
}

/// Revokes any client's token or code, for an operator who has found it somewhere: an access token
/// alone, anything else with its family. Returns how many tokens that were.
pub fn end(store: &Store, token: &str) -> Result<usize, Unavailable> {
    let change = match (Token::key_of(token), FamilyToken::parse(token)) {
        (Some(key), _) => Change::TakeAccessToken(key),
        (None, Some(token)) => Change::TakeFamily(token.family.key()),
        (None, None) => return Ok(0),
    };
    Ok(store.apply(OnlyIf::Always, [change])?.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::grants::samples::{NOW, World};

    fn outcome(world: &World, token: &str, id: &str) -> Result<(), ErrorCode> {
        let client = world.registry.client(id).unwrap();
        revoke(&world.known(), token, client, NOW).map_err(|error| error.code)
    }

    #[test]
    fn an_access_token_ends_alone() {
        let world = World::new();
        let response = world.issue(NOW);
        let token = response.access_token.reveal();
        assert_eq!(outcome(&world, &token, "b"), Err(ErrorCode::UnauthorizedClient));
        assert!(world.is_live(&response.access_token, NOW));
        assert_eq!(outcome(&world, &token, "a"), Ok(()));
        assert!(!world.is_live(&response.access_token, NOW));
        assert_eq!(world.store.counts().refresh_tokens, 1);
        assert_eq!(outcome(&world, &token, "b"), Ok(()));
    }

    #[test]
    fn a_refresh_token_ends_with_its_family_a_used_one_too() {
        let world = World::new();
        let first = world.issue(NOW).refresh_token.unwrap().reveal();
        assert_eq!(outcome(&world, &first, "b"), Err(ErrorCode::UnauthorizedClient));
        let form = format!("grant_type=refresh_token&refresh_token={}", &*first);
        let second = world.grant("a", &form, NOW).unwrap();
        assert_eq!(outcome(&world, &first, "a"), Ok(()));
        assert!(!world.is_live(&second.access_token, NOW));
        assert_eq!(world.store.counts(), crate::store::Counts::default());
    }

    #[test]
    fn what_is_no_token_has_ended() {
        let world = World::new();
        for token in ["", "unknown", &"0".repeat(40), &"0".repeat(64), &world.code(None)] {
            assert_eq!(outcome(&world, token, "a"), Ok(()));
        }
    }
}
