//! What a token may be used for (RFC 6749, section 3.3).

use std::fmt;
use std::sync::Arc;

use super::{Client, ErrorCode, OAuthError, User};

/// A set of scope tokens, in the order in which they were named; the usual one, of nothing, costs
/// nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Scope(Option<Arc<str>>);

/// A character that a scope token cannot have.
#[derive(Debug, PartialEq)]
pub struct Malformed;

impl Scope {
    /// Reads `scope-token *( SP scope-token )`; more blanks and repetitions do no harm.
    pub fn parse(text: &str) -> Result<Scope, Malformed> {
        let legal = |b: u8| matches!(b, b' ' | 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        match text.bytes().all(legal) {
            true => Ok(Scope::from_tokens(text.split(' '))),
            false => Err(Malformed),
        }
    }

    pub fn from_tokens<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Scope {
        let mut joined = String::new();
        for token in tokens {
            if !token.is_empty() && !joined.split(' ').any(|seen| seen == token) {
                if !joined.is_empty() {
                    joined.push(' ');
                }
                joined.push_str(token);
            }
        }
        Scope((!joined.is_empty()).then(|| joined.into()))
    }

    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.as_str().split(' ').filter(|token| !token.is_empty())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The tokens with one blank between them, as answers show them.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("")
    }

    /// Whether every token of `other` is one of these.
    pub fn covers(&self, other: &Scope) -> bool {
        other.tokens().all(|token| self.contains(token))
    }

    pub fn contains(&self, token: &str) -> bool {
        self.tokens().any(|own| own == token)
    }

    /// Those of these tokens that `other` has too.
    pub fn within(&self, other: &Scope) -> Scope {
        if other.covers(self) {
            return self.clone();
        }
        Scope::from_tokens(self.tokens().filter(|token| other.contains(token)))
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// What a client that asks for `requested` may have: all of it or an error, and its default where
/// it asks for nothing.
pub fn for_client(client: &Client, requested: Option<&str>) -> Result<Scope, OAuthError> {
    let Some(requested) = requested else {
        return Ok(client.default_scopes.clone());
    };
    let scope = Scope::parse(requested)
        .map_err(|Malformed| invalid("the scope has a character that none can have"))?;
    match client.scopes.covers(&scope) {
        // The same text is the same allocation, however many tokens carry it.
        true if scope == client.default_scopes => Ok(client.default_scopes.clone()),
        true => Ok(scope),
        false => Err(invalid("the client may not ask for this scope")),
    }
}

/// The part of `scope` that this user can give; an error where there was something and nothing is
/// left.
pub fn for_user(scope: Scope, user: &User) -> Result<Scope, OAuthError> {
    match &user.scopes {
        Some(most) => narrowed(scope, most),
        None => Ok(scope),
    }
}

/// The part of `scope` that is within `most`; an error where there was something and nothing is
/// left.
pub fn narrowed(scope: Scope, most: &Scope) -> Result<Scope, OAuthError> {
    let left = scope.within(most);
    match left.is_empty() && !scope.is_empty() {
        true => Err(invalid("nothing of this scope can be given")),
        false => Ok(left),
    }
}

fn invalid(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidScope, description, "RFC 6749, section 3.3")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    #[test]
    fn a_scope_is_a_set_in_the_order_named() {
        assert_eq!(scope(" write  read write ").as_str(), "write read");
        assert_eq!(scope(""), Scope::default());
        assert!(scope("a b c").covers(&scope("c a")));
        assert!(!scope("a b").covers(&scope("A")));
        assert!(scope("").covers(&scope("")));
        assert_eq!(scope("c a b").within(&scope("b c")), scope("c b"));
    }

    #[test]
    fn characters_of_a_scope_token() {
        for text in ["a\"", "a\\b", "é", "a\tb", "a\nb", "\u{7f}"] {
            assert_eq!(Scope::parse(text), Err(Malformed), "{text:?}");
        }
        assert!(Scope::parse("!#[]~ https://a/b?c").is_ok());
    }
}
