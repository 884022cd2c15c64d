//! Bearer tokens (RFC 6750): how one arrives and what it must have.

use std::borrow::Cow;

use super::{Authorization, ErrorCode, Known, OAuthError, Rule, Scope, Timestamp, TokenInfo};

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
    /// Something that nothing satisfies was asked for.
    pub impossible: bool,
}

/// The token of a request, from its `Authorization` field and, where that is allowed, from its
/// query (RFC 6750, sections 2.1 and 2.3).
pub fn presented<'a>(
    known: &Known,
    authorization: Authorization<'a>,
    query: Option<&'a str>,
) -> Result<&'a str, Challenge> {
    let malformed = |text: &'static str| {
        let error = OAuthError::new(ErrorCode::InvalidRequest, text, "RFC 6750, section 3.1");
        Err(Challenge::Error { error, scope: None })
    };
    let field = match authorization {
        Authorization::None => None,
        Authorization::One(value) => bearer(value),
        Authorization::Several => return malformed("there is more than one Authorization field"),
    };
    match (field, query) {
        (None, None) => {
            known.did(format_args!("failed: the request has a token"), "RFC 6750, section 3");
            Err(Challenge::NoToken)
        }
        (Some(Some(token)), None) => {
            known.did(
                format_args!("the token is in the Authorization field"),
                "RFC 6750, section 2.1",
            );
            Ok(token)
        }
        (None, Some(token)) => {
            known.did(format_args!("the token is in the query"), "RFC 6750, section 2.3");
            Ok(token)
        }
        (Some(None), None) => malformed("the Authorization field holds no bearer token"),
        (Some(_), Some(_)) => malformed("there is more than one token"),
    }
}

/// What follows the scheme `Bearer`: `None` for another scheme, `Some(None)` where it is malformed.
fn bearer(value: &[u8]) -> Option<Option<&str>> {
    let scheme = value.split(|&b| b == b' ' || b == b'\t').next()?;
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return None;
    }
    let token = value[scheme.len()..].trim_ascii();
    let body = token.trim_ascii_end();
    let unpadded = match body.iter().rposition(|&b| b != b'=') {
        Some(last) => &body[..=last],
        None => return Some(None),
    };
    let legal = |b: &u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(b);
    Some(match unpadded.iter().all(legal) {
        true => std::str::from_utf8(body).ok(),
        false => None,
    })
}

const GOOD: Rule = Rule {
    code: ErrorCode::InvalidToken,
    checked: "the token is known, has not expired and was not revoked",
    broken: "the token is unknown, expired or revoked",
    source: "RFC 6750, section 3.1",
};

/// A refusal of a token that is good, but not for this.
const fn insufficient(checked: &'static str, broken: &'static str) -> Rule {
    Rule { code: ErrorCode::InsufficientScope, checked, broken, source: "RFC 6750, section 3.1" }
}

const POSSIBLE: Rule = insufficient(
    "what is required of the token can be read",
    "the requirement is malformed, so no token meets it",
);
const HAS_SCOPE: Rule =
    insufficient("the token has a scope that is required", "the token lacks a scope");
const CLIENT_LISTED: Rule =
    insufficient("the token's client is on the list", "the token's client is not on the list");
const USER_LISTED: Rule =
    insufficient("the token's user is on the list", "the token's user is not on the list");

/// What the token is, if it is good and meets the requirements.
pub fn check<'k>(
    known: &Known<'k>,
    token: &str,
    requirements: &Requirements,
    now: Timestamp,
) -> Result<TokenInfo<'k>, Challenge> {
    let found = TokenInfo::of_access_token(known, token, now)
        .map_err(|unavailable| Challenge::Error { error: unavailable.into(), scope: None })?;
    let refused = |scope| move |error| Challenge::Error { error, scope };
    let info = known.must_find(found, GOOD).map_err(refused(None))?;
    info.explain(known);
    if requirements.impossible {
        return Err(refused(None)(POSSIBLE.error()));
    }
    if let Some(first) = requirements.scopes.first() {
        let own = info.scope();
        let is_enough = requirements.scopes.iter().any(|scope| own.covers(scope));
        known.must(is_enough, HAS_SCOPE).map_err(refused(Some(first.clone())))?;
    }
    let user = info.user.map_or("", |user| &user.name);
    for (names, name, listed) in [
        (&requirements.clients, &*info.client.id, CLIENT_LISTED),
        (&requirements.users, user, USER_LISTED),
    ] {
        if !names.is_empty() {
            let is_listed = names.iter().any(|listed| !name.is_empty() && listed == name);
            known.must(is_listed, listed).map_err(refused(None))?;
        }
    }
    Ok(info)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::grants::samples::World;

    fn outcome(authorization: &[&str], query: Option<&str>) -> String {
        let fields = authorization.iter().map(|field| field.as_bytes());
        let world = World::new();
        match presented(&world.known(), Authorization::of(fields), query) {
            Ok(token) => token.into(),
            Err(Challenge::NoToken) => "none".into(),
            Err(Challenge::Error { error, .. }) => error.code.as_str().into(),
        }
    }

    #[test]
    fn one_token_in_one_place() {
        assert_eq!(outcome(&["Bearer abc"], None), "abc");
        assert_eq!(outcome(&["bEARER  a-._~+/0=="], None), "a-._~+/0==");
        assert_eq!(outcome(&[], Some("abc")), "abc");
        assert_eq!(outcome(&["Basic x"], Some("abc")), "abc");
        assert_eq!(outcome(&[], None), "none");
        assert_eq!(outcome(&["Basic abc"], None), "none");
    }

    #[test]
    fn two_tokens_or_a_malformed_one() {
        for (fields, query) in [
            (&["Bearer abc"][..], Some("abc")),
            (&["Bearer abc", "Bearer abc"], None),
            (&["Bearer abc", "Basic abc"], None),
            (&["Basic abc", "Basic abc"], None),
            (&["Bearer"], None),
            (&["Bearer "], None),
            (&["Bearer a b"], None),
            (&["Bearer \"a\""], None),
            (&["Bearer a=b"], None),
            (&["Bearer ="], None),
            (&["Bearer é"], None),
        ] {
            assert_eq!(outcome(fields, query), "invalid_request", "{fields:?}");
        }
    }
}
