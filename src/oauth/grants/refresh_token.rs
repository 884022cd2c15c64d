//! `grant_type=refresh_token` (RFC 6749, section 6).
//!
//!     client ── refresh token 1 ──> token endpoint
//!            <── access token 2, refresh token 2 ──
//!
//!     POST /oauth/token                                     as a client, authenticated
//!     grant_type=refresh_token&refresh_token=5e0c…e1&scope=read
//!
//!     {"token_type":"bearer","access_token":"72ab…25","expires_in":3600,
//!      "refresh_token":"5e0c…9f","scope":"read"}
//!
//! A refresh token is replaced at every use. `oauth/family.rs` says what happens when a used one
//! comes again.

use super::issue::{Fresh, Granted};
use super::{TokenRequest, TokenResponse};
use crate::oauth::audience::Audience;
use crate::oauth::family::{self, end_if_used};
use crate::oauth::grace;
use crate::oauth::scope::{self, Malformed};
use crate::oauth::{ErrorCode, FamilyToken, OAuthError, Outcome, Rule, Scope, audience};
use crate::store::{Change, Family, Key, OnlyIf};

const SOURCE: &str = "RFC 6749, section 6";

const KNOWN: Rule = good("the refresh token's family is alive");
const ISSUED_TO_CLIENT: Rule = good("the refresh token was issued to this client");
const NOT_USED: Rule = good("it has not been used before, or is within its grace");
const ALIVE: Rule = good("it has not expired");
const RESOURCE_KNOWN: Rule = good("its resource still accepts these tokens");
const USER_KNOWN: Rule = good("its user is still in the configuration");

/// The same words whatever is wrong with it.
const fn good(checked: &'static str) -> Rule {
    let broken = "the refresh token is unknown, expired or revoked";
    Rule { code: ErrorCode::InvalidGrant, checked, broken, source: SOURCE }
}

const WITHIN_GRANT: Rule = Rule {
    code: ErrorCode::InvalidScope,
    checked: "the scope is no wider than what was granted",
    broken: "the scope is malformed or wider than what was granted",
    source: SOURCE,
};

const SOMETHING_LEFT: Rule = Rule {
    code: ErrorCode::InvalidScope,
    checked: "something is left of the scope that was granted",
    broken: "nothing is left of the scope that was granted",
    source: "RFC 6749, section 3.3",
};

/// Rotates the refresh token. Of two requests with the same one, the second to reach the store
/// loses; it checks again, and then finds a token that has been used.
pub fn grant<'k>(
    request: &TokenRequest<'k, '_>,
    outcome: &mut Outcome<'k>,
) -> Result<TokenResponse, OAuthError> {
    let presented = request.required("refresh_token", SOURCE)?;
    let named = audience::named(&request.known, request.form)?;
    let token = FamilyToken::parse(presented).ok_or_else(|| KNOWN.error())?;
    loop {
        if let Some(response) = rotation(request, &token, named, outcome)? {
            return Ok(response);
        }
    }
}

/// The checks, then the one step that can happen only once; `None` if another request was faster.
fn rotation<'k>(
    request: &TokenRequest<'k, '_>,
    token: &FamilyToken,
    named: Audience,
    outcome: &mut Outcome<'k>,
) -> Result<Option<TokenResponse>, OAuthError> {
    let (family, newest) = family_of(request, token)?;
    // A user who has left the configuration grants nothing any more.
    let user = request.known.registry.user_numbered(family.user);
    let user = request.must_find(user, USER_KNOWN)?;
    outcome.user = Some(user);
    // The resource is the one of the original grant, and must still take these tokens.
    let (registry, whose) = (request.known.registry, (request.client, Some(user)));
    let audience = audience::in_force(registry, family.resource, whose);
    audience.ok_or_else(|| RESOURCE_KNOWN.error())?;
    audience::must_be_granted(&request.known, named, family.resource)?;
    // "MUST NOT include any scope not originally granted by the resource owner", nor one that the
    // client or the user has lost since.
    let left = family.scope.left_to(request.client, Some(user));
    request.must(!left.is_empty() || family.scope.is_empty(), SOMETHING_LEFT)?;
    let asked = scope::asked(request.client, request.form.get("scope"));
    let scope = request.must_find(narrowed(left, asked), WITHIN_GRANT)?;

    // "The authorization server MAY issue a new refresh token", which has the scope of the old one.
    let (changes, response) = replaced(request, token, (&family, scope)).split();
    let key = token.family.key();
    // The old access token ends, unless the old refresh token has a grace and may come again.
    let ended =
        (request.client.refresh_token_grace == 0).then_some(Change::TakeAccessTokensOf(key));
    let once = OnlyIf::RefreshTokenIs(key, newest);
    if request.known.store.apply(once, ended.into_iter().chain(changes))?.is_none() {
        return Ok(None);
    }
    request.did(format_args!("this refresh token is now used, and a new one replaces it"), SOURCE);
    request.given(&response);
    Ok(Some(response))
}

/// The family of a refresh token that this client may use now, and the key of the family's newest.
fn family_of(request: &TokenRequest, token: &FamilyToken) -> Result<(Family, Key), OAuthError> {
    let now = request.origin.now;
    let family = request.known.store.family(&token.family.key(), now)?;
    let family = family.ok_or_else(|| not_good(request, token))?;
    request.known.checked(KNOWN);
    // "The refresh token is bound to the client to which it was issued". Another client's attempt
    // changes nothing.
    if family.client != request.client.number {
        let error = ISSUED_TO_CLIENT.error();
        return Err(error.logged_as("the refresh token is another client's"));
    }
    request.known.checked(ISSUED_TO_CLIENT);
    // "Validate the refresh token": it is the newest, or still within its grace.
    let usable = grace::token_of(&family, &token.key())
        .filter(|found| grace::may_be_used(found, request.client, now))
        .ok_or_else(|| not_good(request, token))?;
    request.known.checked(NOT_USED);
    request.must(now < usable.expires, ALIVE)?;
    let newest = family.refresh_token.ok_or_else(|| KNOWN.error())?;
    Ok((family, newest))
}

/// What replaces `token`: an access token for `scope`, and the next refresh token of the family.
fn replaced(
    request: &TokenRequest,
    token: &FamilyToken,
    (family, scope): (&Family, Scope),
) -> Fresh {
    let granted = Granted {
        family: Some(token.family),
        user: Some(family.user),
        resource: family.resource,
        scope: family.scope.clone(),
    };
    let mut fresh = request.fresh(&granted, scope);
    if let Some((_, row)) = &mut fresh.family {
        let most = request.known.registry.max_tokens_per_client;
        grace::hand_on(row, (family, &token.key()), request.client, most);
    }
    fresh
}

/// The scope of the new access token: what the client asks for, or all; `None` if it asks for more.
fn narrowed(left: Scope, asked: Result<Option<Scope>, Malformed>) -> Option<Scope> {
    match asked {
        Ok(None) => Some(left),
        Ok(Some(asked)) if left.covers(&asked) => Some(asked),
        _ => None,
    }
}

/// Refuses a token that is not usable; one that was used before ends its family.
#[cold]
fn not_good(request: &TokenRequest, token: &FamilyToken) -> OAuthError {
    match end_if_used(&request.known, token, request.client, request.origin.now) {
        Ok(used) => family::not_good(used, "refresh token", "RFC 9700, section 4.14.2", KNOWN),
        Err(unavailable) => unavailable.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::Timestamp;
    use crate::oauth::grants::samples::{NOW, World};

    fn refresh(
        world: &World,
        id: &str,
        token: &FamilyToken,
        now: Timestamp,
    ) -> Result<TokenResponse, OAuthError> {
        let form = format!("grant_type=refresh_token&refresh_token={}", &*token.reveal());
        world.grant(id, &form, now)
    }

    fn refresh_for(
        world: &World,
        token: &FamilyToken,
        scope: &str,
    ) -> Result<TokenResponse, OAuthError> {
        let token = token.reveal();
        let form = format!("grant_type=refresh_token&refresh_token={}&scope={scope}", &*token);
        world.grant("a", &form, NOW)
    }

    #[test]
    fn rotation_replaces_both_tokens_and_reuse_revokes_the_new_ones() {
        let world = World::new();
        let first = world.issue(NOW);
        let old = first.refresh_token.unwrap();
        let second = refresh(&world, "a", &old, NOW).unwrap();
        assert!(!world.is_live(&first.access_token, NOW));
        assert!(world.is_live(&second.access_token, NOW));
        let error = refresh(&world, "a", &old, NOW).unwrap_err();
        let reason = "refresh token reused: 2 tokens revoked (RFC 9700, section 4.14.2)";
        assert_eq!(error.reason(), reason);
        assert!(!world.is_live(&second.access_token, NOW));
        let error = refresh(&world, "a", &second.refresh_token.unwrap(), NOW).unwrap_err();
        assert_eq!(error.reason(), format!("{} ({SOURCE})", KNOWN.broken));
        assert_eq!(world.store.counts(), crate::store::Counts::default());
    }

    #[test]
    fn a_used_refresh_token_is_known_as_long_as_its_family_lives() {
        let world = World::new();
        let first = world.issue(NOW).refresh_token.unwrap();
        let mut newest = first;
        // Six times the lifetime of a refresh token.
        for week in 1..=12 {
            let now = NOW.plus_seconds(week * 604_800);
            newest = refresh(&world, "a", &newest, now).unwrap().refresh_token.unwrap();
        }
        let now = NOW.plus_seconds(12 * 604_800);
        assert!(refresh(&world, "a", &first, now).unwrap_err().reason().contains("reused"));
        assert!(refresh(&world, "a", &newest, now).is_err());
    }

    #[test]
    fn a_code_that_comes_as_a_refresh_token_is_refused() {
        let world = World::new();
        let code = FamilyToken::parse(&world.code(None)).unwrap();
        assert_eq!(refresh(&world, "a", &code, NOW).unwrap_err().code, ErrorCode::InvalidGrant);
        assert_eq!(refresh(&world, "b", &code, NOW).unwrap_err().code, ErrorCode::InvalidGrant);
    }

    #[test]
    fn another_client_neither_uses_a_refresh_token_nor_ends_its_family() {
        let world = World::new();
        let token = world.issue(NOW).refresh_token.unwrap();
        let error = refresh(&world, "b", &token, NOW).unwrap_err();
        assert_eq!(error.reason(), format!("the refresh token is another client's ({SOURCE})"));
        let second = refresh(&world, "a", &token, NOW).unwrap();
        assert!(refresh(&world, "b", &token, NOW).is_err());
        assert!(world.is_live(&second.access_token, NOW));
    }

    #[test]
    fn a_refresh_token_lives_a_fortnight() {
        let world = World::new();
        let issue = || world.issue(NOW).refresh_token.unwrap();
        assert!(refresh(&world, "a", &issue(), NOW.plus_seconds(1_209_599)).is_ok());
        assert!(refresh(&world, "a", &issue(), NOW.plus_seconds(1_209_600)).is_err());
    }

    #[test]
    fn a_narrower_scope_is_for_one_access_token_and_a_wider_one_costs_nothing() {
        let world = World::new();
        let first = world.issue(NOW).refresh_token.unwrap();
        for scope in ["read+admin", "%22"] {
            let error = refresh_for(&world, &first, scope).unwrap_err();
            assert_eq!((error.code, &*error.description), (WITHIN_GRANT.code, WITHIN_GRANT.broken));
        }
        let second = refresh_for(&world, &first, "read").unwrap();
        assert_eq!(second.scope.as_str(), "read");
        let third = refresh(&world, "a", &second.refresh_token.unwrap(), NOW).unwrap();
        assert_eq!(third.scope.as_str(), "read write");
    }

    #[test]
    fn what_leaves_the_configuration_leaves_the_token_until_it_returns() {
        let mut world = World::new();
        let first = world.issue(NOW).refresh_token.unwrap();
        world.narrow("a", "read");
        let second = refresh(&world, "a", &first, NOW).unwrap();
        assert_eq!(second.scope.as_str(), "read");
        let token = second.refresh_token.unwrap();
        world.narrow("a", "other");
        let error = refresh(&world, "a", &token, NOW).unwrap_err();
        assert_eq!(
            (error.code, &*error.description),
            (ErrorCode::InvalidScope, SOMETHING_LEFT.broken)
        );
        world.narrow("a", "read write");
        assert_eq!(refresh(&world, "a", &token, NOW).unwrap().scope.as_str(), "read write");
    }

    #[test]
    fn who_was_removed_and_comes_back_starts_anew() {
        let mut world = World::new();
        let token = world.issue(NOW).refresh_token.unwrap();
        world.reload(&["a", "b"], &[]);
        assert!(refresh(&world, "a", &token, NOW).is_err());
        world.reload(&["a", "b"], &["user"]);
        assert!(refresh(&world, "a", &token, NOW).is_err());
        let token = world.issue(NOW).refresh_token.unwrap();
        world.reload(&["b"], &["user"]);
        world.reload(&["a", "b"], &["user"]);
        assert!(refresh(&world, "a", &token, NOW).is_err());
    }
}
