//! How a bearer token arrives (RFC 6750, section 2).
//!
//!     GET /
//!     Authorization: Bearer 72ab415822b56cf0f9f93f07fe978d9aae859325

use super::bearer::Challenge;
use super::{Authorization, ErrorCode, Known, OAuthError};

/// The token of a request, from its `Authorization` field and, if that is allowed, from its query
/// (RFC 6750, sections 2.1 and 2.3).
pub fn token<'a>(
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
        (None, None) => Err(Challenge::NoToken),
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

/// What follows the scheme `Bearer`: `None` for another scheme, `Some(None)` if it is malformed.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::grants::samples::World;

    fn outcome(authorization: &[&str], query: Option<&str>) -> String {
        let fields = authorization.iter().map(|field| field.as_bytes());
        let world = World::new();
        match token(&world.known(), Authorization::of(fields), query) {
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
