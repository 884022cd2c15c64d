//! What a token may be used for (RFC 6749, section 3.3).

use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use super::{Client, ErrorCode, Known, OAuthError, Rule, User};

/// A set of scope tokens, in the order in which they were named. The empty scope takes no memory.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Scope(Option<Arc<str>>);

/// The text has a character that no scope token may have.
#[derive(Debug, PartialEq)]
pub struct Malformed;

impl Scope {
    /// Reads `scope-token *( SP scope-token )`; extra blanks and repetitions do no harm.
    pub fn parse(text: &str) -> Result<Scope, Malformed> {
        let legal = |b: u8| matches!(b, b' ' | 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        match text.bytes().all(legal) {
            true => Ok(Scope::from_tokens(text.split(' '))),
            false => Err(Malformed),
        }
    }

    /// The scope of these tokens, without repetitions.
    pub fn from_tokens<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Scope {
        let named = tokens.into_iter().filter(|token| !token.is_empty());
        let mut joined = String::new();
        for token in distinct(named) {
            if !joined.is_empty() {
                joined.push(' ');
            }
            joined.push_str(token);
        }
        Scope((!joined.is_empty()).then(|| joined.into()))
    }

    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.as_str().split(' ').filter(|token| !token.is_empty())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The tokens separated by one blank, as answers show them.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("")
    }

    /// Whether this contains every token of `other`.
    pub fn covers(&self, other: &Scope) -> bool {
        other.tokens().all(|token| self.contains(token))
    }

    pub fn contains(&self, token: &str) -> bool {
        self.tokens().any(|own| own == token)
    }

    /// The part of this that the client and the user may have.
    pub fn left_to(&self, client: &Client, user: Option<&User>) -> Scope {
        let left = self.within(&client.scopes);
        match user.and_then(|user| user.scopes.as_ref()) {
            Some(limit) => left.within(limit),
            None => left,
        }
    }

    /// The tokens that `other` has too.
    pub fn within(&self, other: &Scope) -> Scope {
        if other.covers(self) {
            return self.clone();
        }
        Scope::from_tokens(self.tokens().filter(|token| other.contains(token)))
    }
}

/// Up to so many items are compared one by one. More are looked up, since a stranger may send
/// thousands.
const FEW: usize = 8;

/// The items without repetitions, at a cost in proportion to their number.
fn distinct<T: Copy + Eq + Hash>(items: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    let mut first = Vec::new();
    let mut more = HashSet::new();
    items.filter(move |&item| match first.len() < FEW {
        true => {
            let is_new = !first.contains(&item);
            first.extend(is_new.then_some(item));
            is_new
        }
        false => !first.contains(&item) && more.insert(item),
    })
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

const WELL_FORMED: Rule = Rule {
    code: ErrorCode::InvalidScope,
    checked: "the scope is well-formed",
    broken: "the scope has a character that no scope can have",
    source: "RFC 6749, section 3.3",
};

const CLIENT_MAY_ASK: Rule = Rule {
    code: ErrorCode::InvalidScope,
    checked: "the client may ask for this scope",
    broken: "the client may not ask for this scope",
    source: "RFC 6749, section 3.3",
};

const SOMETHING_TO_GIVE: Rule = Rule {
    code: ErrorCode::InvalidScope,
    checked: "the user may grant some of this scope",
    broken: "the user may grant nothing of this scope",
    source: "RFC 6749, section 3.3",
};

/// Many programs ask for it on their own, to get a refresh token (OpenID Connect Core 1.0, section
/// 11).
const OFFLINE_ACCESS: &str = "offline_access";

/// What a client asks for by `requested`, without `offline_access` if that is none of its scopes.
/// `None` if it asks for nothing.
pub fn asked(client: &Client, requested: Option<&str>) -> Result<Option<Scope>, Malformed> {
    let Some(scope) = requested.map(Scope::parse).transpose()? else { return Ok(None) };
    if !scope.contains(OFFLINE_ACCESS) || client.scopes.contains(OFFLINE_ACCESS) {
        return Ok(Some(scope));
    }
    let left = Scope::from_tokens(scope.tokens().filter(|token| *token != OFFLINE_ACCESS));
    Ok((!left.is_empty()).then_some(left))
}

/// The scope for a client that asks for `requested`: all of it or an error, and the client's
/// default if it asks for nothing (RFC 6749, section 3.3).
pub fn for_client(
    known: &Known,
    client: &Client,
    requested: Option<&str>,
) -> Result<Scope, OAuthError> {
    let asked = asked(client, requested).map_err(|Malformed| WELL_FORMED.error())?;
    let Some(scope) = asked else {
        let what = format_args!("no scope was requested, so the client's default applies");
        known.did(what, "RFC 6749, section 3.3");
        return Ok(client.default_scopes.clone());
    };
    known.must(client.scopes.covers(&scope), CLIENT_MAY_ASK)?;
    // Tokens with the default scope share one allocation.
    Ok(match scope == client.default_scopes {
        true => client.default_scopes.clone(),
        false => scope,
    })
}

/// The part of `scope` that this user may grant; an error if that is nothing of it.
pub fn for_user(known: &Known, scope: Scope, user: &User) -> Result<Scope, OAuthError> {
    let Some(limit) = &user.scopes else { return Ok(scope) };
    let left = scope.within(limit);
    known.must(!left.is_empty() || scope.is_empty(), SOMETHING_TO_GIVE)?;
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::grants::samples::World;
    use crate::oauth::registry::samples;
    use std::cell::Cell;
    use std::hash::Hasher;

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

    /// An item that counts how often it is looked at.
    #[derive(Clone, Copy)]
    struct Counted<'a>(usize, &'a Cell<usize>);

    impl PartialEq for Counted<'_> {
        fn eq(&self, other: &Self) -> bool {
            self.1.set(self.1.get() + 1);
            self.0 == other.0
        }
    }

    impl Eq for Counted<'_> {}

    impl Hash for Counted<'_> {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.1.set(self.1.get() + 1);
            self.0.hash(state);
        }
    }

    #[test]
    fn repetitions_are_found_at_a_cost_in_proportion() {
        let looks = |items: usize| {
            let looks = Cell::new(0);
            let given = (0..items).chain(0..items).map(|item| Counted(item, &looks));
            assert_eq!(distinct(given).count(), items);
            looks.get()
        };
        let (few, many) = (looks(1_000), looks(30_000));
        assert!(many < few * 40, "30 times as many items cost {many} in place of {few} looks");
        assert!(many < 30_000 * 2 * 16, "{many}");
    }

    #[test]
    fn offline_access_is_ignored_where_it_is_not_the_clients() {
        let mut client = samples::client("a");
        let world = World::new();
        let given = |client: &Client, text| {
            for_client(&world.known(), client, Some(text)).map_err(|it| it.code)
        };
        assert_eq!(given(&client, "write offline_access"), Ok(scope("write")));
        assert_eq!(given(&client, "offline_access"), Ok(scope("read")));
        assert_eq!(given(&client, "offline_access admin"), Err(ErrorCode::InvalidScope));
        assert_eq!(given(&client, ""), Ok(Scope::default()));
        client.scopes = scope("read offline_access");
        assert_eq!(given(&client, "offline_access"), Ok(scope("offline_access")));
    }

    #[test]
    fn what_is_left_is_what_both_may_have() {
        let mut client = samples::client("a");
        let mut user = samples::user("u");
        let granted = scope("write read admin");
        assert_eq!(granted.left_to(&client, Some(&user)), scope("write read"));
        assert_eq!(granted.left_to(&client, None), scope("write read"));
        user.scopes = Some(scope("read other"));
        assert_eq!(granted.left_to(&client, Some(&user)), scope("read"));
        client.scopes = scope("write");
        assert_eq!(granted.left_to(&client, Some(&user)), Scope::default());
    }
}
