//! Bearer tokens (RFC 6750): what one must have. How it arrives is told in `presented.rs`.

use std::borrow::Cow;

use super::audience::{self, Place};
use super::{ErrorCode, Known, OAuthError, Rule, Scope, Timestamp, TokenInfo};

/// Why a request is not let through.
#[derive(Debug, PartialEq)]
pub enum Challenge {
    /// No token at all: the challenge then names no error (RFC 6750, section 3.1).
    NoToken,
    Error {
        error: OAuthError,
        /// For `insufficient_scope`: what would be enough.
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

/// What a token must have besides being good; each list is alternatives, and empty where anything
/// will do.
#[derive(Debug, Default)]
pub struct Requirements<'a> {
    pub scopes: Vec<Scope>,
    pub clients: Vec<Cow<'a, str>>,
    pub users: Vec<Cow<'a, str>>,
    /// Where it is to be good.
    pub place: Place<'a>,
    /// Something that nothing satisfies was asked for.
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

/// A refusal of a token that is good, but not for this.
const fn insufficient(checked: &'static str, broken: &'static str) -> Rule {
    Rule { code: ErrorCode::InsufficientScope, checked, broken, source: "RFC 6750, section 3.1" }
}

const POSSIBLE: Rule = insufficient(
    "what is required of the token can be read",
    "the requirement is malformed, so no token meets it",
);
/// A mistake in a proxy's file must not open the service behind it.
const PLACE_KNOWN: Rule = insufficient(
    "the resource that is asked about is known",
    "the resource that is asked about is unknown",
);
const HAS_SCOPE: Rule =
    insufficient("the token has a scope that is required", "the token lacks a scope");
const CLIENT_LISTED: Rule =
    insufficient("the token's client is on the list", "the token's client is not on the list");
const USER_LISTED: Rule =
    insufficient("the token's user is on the list", "the token's user is not on the list");

/// What the token is, if it is good.
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

/// That the token meets the requirements.
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
            // Where a scope was asked, it is told whatever else is lacking.
            let scope = requirements.scopes.first().cloned();
            known.must(is_listed, listed).map_err(refused(scope))?;
        }
    }
    Ok(())
}

/// Which scopes are needed, as far as the configuration knows them: others are the request's words.
#[cold]
fn lacking(known: &Known, needed: &[Scope]) -> String {
    let all = known.registry.scopes();
    let is_known = |scope: &&Scope| scope.tokens().all(|token| all.contains(&token));
    let named: Vec<&str> = needed.iter().filter(is_known).map(Scope::as_str).collect();
    match named.is_empty() {
        true => "the token lacks a scope, and no client may have it".into(),
        false => format!("the token lacks a scope; needed is {}", named.join(" or ")),
    }
}
