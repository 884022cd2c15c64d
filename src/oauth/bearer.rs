//! Bearer tokens (RFC 6750): what a token must have to be let through. How it arrives in a request
//! is in `presented.rs`.

use std::borrow::Cow;

use super::audience::{self, Place};
use super::{ErrorCode, Known, OAuthError, Rule, Scope, Timestamp, TokenInfo};

/// Why a request is not let through; `reply.rs` makes a `WWW-Authenticate` of it.
#[derive(Debug, PartialEq)]
pub enum Challenge {
    /// No token at all. The challenge then has no error code (RFC 6750, section 3.1).
    NoToken,
    Error {
        error: OAuthError,
        /// For `insufficient_scope`: a scope that would be enough.
        scope: Option<Scope>,
    },
}

impl Challenge {
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Challenge::NoToken => None,
            Challenge::Error { error, .. } => Some(error.code),
        }
    }
}

/// What a token must have besides being valid. Each list holds alternatives; an empty one demands
/// nothing.
#[derive(Debug, Default)]
pub struct Requirements<'a> {
    pub scopes: Vec<Scope>,
    pub clients: Vec<Cow<'a, str>>,
    pub users: Vec<Cow<'a, str>>,
    /// The resource that it must be for.
    pub place: Place<'a>,
    /// The requirements could not be read, so that no token meets them.
    pub impossible: bool,
}

const GOOD: Rule = Rule {
    code: ErrorCode::InvalidToken,
    checked: "the token is known, has not expired and was not revoked",
    broken: "the token is unknown, expired or revoked",
    source: "RFC 6750, section 3.1",
};

/// "If it was not, the resource server MUST refuse to serve the respective request."
const FOR_THIS: Rule = Rule {
    code: ErrorCode::InvalidToken,
    checked: "the token is for this resource",
    broken: "the token is for another resource",
    source: "RFC 9700, section 2.3",
};

/// A rule that a valid token may still fail.
const fn insufficient(checked: &'static str, broken: &'static str) -> Rule {
    Rule { code: ErrorCode::InsufficientScope, checked, broken, source: "RFC 6750, section 3.1" }
}

const POSSIBLE: Rule = insufficient(
    "the requirement can be read",
    "the requirement is malformed, so no token meets it",
);
/// A mistake in a proxy's configuration must not open the service behind it.
const PLACE_KNOWN: Rule =
    insufficient("the resource in question is known", "the resource in question is unknown");
const HAS_SCOPE: Rule =
    insufficient("the token has the scope that is required", "the token lacks a scope");
const CLIENT_LISTED: Rule =
    insufficient("the token's client is on the list", "the token's client is not on the list");
const USER_LISTED: Rule =
    insufficient("the token's user is on the list", "the token's user is not on the list");

/// Looks up a token; refuses one that is not valid.
pub fn find<'k>(
    known: &Known<'k>,
    token: &str,
    now: Timestamp,
) -> Result<TokenInfo<'k>, Challenge> {
    let refused = |error| Challenge::Error { error, scope: None };
    let found = TokenInfo::of_access_token(known, token, now)
        .map_err(|unavailable| refused(unavailable.into()))?;
    let info = known.must_find(found, GOOD).map_err(refused)?;
    info.explain(known);
    Ok(info)
}

/// Checks that the token meets the requirements.
pub fn check(
    known: &Known,
    info: &TokenInfo,
    requirements: &Requirements,
) -> Result<(), Challenge> {
    let refused = |scope| move |error| Challenge::Error { error, scope };
    if requirements.impossible {
        return Err(refused(None)(POSSIBLE.error()));
    }
    match requirements.place {
        Place::Anywhere => {}
        Place::Nowhere => return Err(refused(None)(PLACE_KNOWN.error())),
        Place::At(place) => {
            let is_good = audience::is_good_at(place, info.audience, (info.client, info.user));
            known.must(is_good, FOR_THIS).map_err(refused(None))?;
        }
    }
    if let Some(first) = requirements.scopes.first() {
        let own = info.scope();
        let is_enough = requirements.scopes.iter().any(|scope| own.covers(scope));
        known
            .must(is_enough, HAS_SCOPE)
            .map_err(|error| error.logged_as(lacking(known, &requirements.scopes)))
            .map_err(refused(Some(first.clone())))?;
    }
    let user = info.user.map_or("", |user| &user.name);
    for (names, name, listed) in [
        (&requirements.clients, &*info.client.id, CLIENT_LISTED),
        (&requirements.users, user, USER_LISTED),
    ] {
        if !names.is_empty() {
            let is_listed = names.iter().any(|listed| !name.is_empty() && listed == name);
            // Whatever is lacking, the challenge names the scope that was required.
            let scope = requirements.scopes.first().cloned();
            known.must(is_listed, listed).map_err(refused(scope))?;
        }
    }
    Ok(())
}

/// Names the scopes that were required, if the configuration has them: others are the request's
/// words, which the log does not repeat.
#[cold]
fn lacking(known: &Known, needed: &[Scope]) -> String {
    let all = known.registry.scopes();
    let is_known = |scope: &&Scope| scope.tokens().all(|token| all.contains(&token));
    let named: Vec<&str> = needed.iter().filter(is_known).map(Scope::as_str).collect();
    match named.is_empty() {
        true => "the token lacks a scope, and no client may have it".into(),
        false => format!("the token lacks a scope; it needs {}", named.join(" or ")),
    }
}
