//! What an application learns about the user who has signed in to it.
//!
//!     GET /oauth/userinfo
//!     Authorization: Bearer 72ab415822b56cf0f9f93f07fe978d9aae859325
//!
//!     {"sub":"ann","preferred_username":"ann","name":"Ann Example",
//!      "email":"ann@example.com","groups":["staff","admins"]}
//!
//! The shape is OpenID Connect's, since that is what applications with a "generic OAuth 2.0"
//! sign-in read (OpenID Connect Core 1.0, section 5.3).

use std::sync::Arc;

use super::bearer::Challenge;
use super::{ErrorCode, Known, Rule, Scope, TokenInfo, User};

/// What the configuration says about a user besides name and password.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    pub name: Option<Arc<str>>,
    pub email: Option<Arc<str>>,
    /// Empty if there are none.
    pub groups: Vec<String>,
}

/// The scopes that open a part of a profile, and how the page names that part (OpenID Connect Core
/// 1.0, section 5.4; `groups` is a common extension).
const WORDS: [(&str, &str); 3] =
    [("profile", "your name"), ("email", "your e-mail address"), ("groups", "your groups")];

/// What the token opens of its user's profile.
pub struct UserInfo<'k> {
    /// The user's id, which never changes.
    pub id: &'k str,
    pub name: Option<&'k str>,
    pub email: Option<&'k str>,
    pub groups: &'k [String],
}

/// A token of a client that acts for itself has no user.
const HAS_USER: Rule = Rule {
    code: ErrorCode::InsufficientScope,
    checked: "the token has a user",
    broken: "the token has no user; its client got it for itself",
    source: "OpenID Connect Core 1.0, section 5.3",
};

/// What this token opens; `insufficient_scope` if it has no user.
pub fn userinfo<'k>(known: &Known, info: &TokenInfo<'k>) -> Result<UserInfo<'k>, Challenge> {
    let lacks_user = |error| Challenge::Error { error, scope: None };
    let user = known.must_find(info.user, HAS_USER).map_err(lacks_user)?;
    Ok(opened(user, &info.scope()))
}

/// The part of the user's profile that these scopes open.
fn opened<'k>(user: &'k User, scope: &Scope) -> UserInfo<'k> {
    let Profile { name, email, groups } = &user.profile;
    UserInfo {
        id: &user.name,
        name: name.as_deref().filter(|_| scope.contains("profile")),
        email: email.as_deref().filter(|_| scope.contains("email")),
        groups: if scope.contains("groups") { groups } else { &[] },
    }
}

/// What a client with this scope will read, in words for the page.
pub fn in_words(scope: &Scope) -> impl Iterator<Item = &'static str> {
    WORDS.into_iter().filter(|(token, _)| scope.contains(token)).map(|(_, words)| words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::registry::samples;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    #[test]
    fn each_scope_opens_its_own_part() {
        let mut user = samples::user("ann");
        user.profile = Profile {
            name: Some("Ann".into()),
            email: Some("ann@example.com".into()),
            groups: vec!["staff".into()],
        };
        for (asked, name, email, groups) in [
            ("profile", Some("Ann"), None, 0),
            ("read email", None, Some("ann@example.com"), 0),
            ("groups", None, None, 1),
            ("profile email groups", Some("Ann"), Some("ann@example.com"), 1),
            ("Profile", None, None, 0),
        ] {
            let info = opened(&user, &scope(asked));
            assert_eq!((info.id, info.name, info.email), ("ann", name, email), "{asked}");
            assert_eq!(info.groups.len(), groups, "{asked}");
        }
    }

    #[test]
    fn what_will_be_read_in_words() {
        let words = |text| in_words(&scope(text)).collect::<Vec<_>>();
        assert_eq!(
            words("groups read email profile"),
            ["your name", "your e-mail address", "your groups"]
        );
        assert!(words("read").is_empty());
    }
}
