//! Checks a user's name and password, for the password grant (RFC 6749, section 4.3.2) and for the
//! pages.
//!
//!     POST /oauth/token
//!     grant_type=password&username=pedroetb&password=guess
//!
//!     HTTP/1.1 400 Bad Request                              429 after ten of them: `throttle/`
//!     {"error":"invalid_grant","error_description":"the user name or the password is wrong"}

use super::throttle::{Attempt, Subject};
use super::{ErrorCode, Known, OAuthError, Origin, Outcome, Rule, User};

/// The same words whether the name or the password is wrong, so that nobody learns which names
/// exist.
const WRONG: Rule = Rule {
    code: ErrorCode::InvalidGrant,
    checked: "the user is known, and the password is right",
    broken: "the user name or the password is wrong",
    source: "RFC 6749, section 5.2",
};

/// What was entered as name and password.
#[derive(Clone, Copy)]
pub struct Entered<'a> {
    pub name: &'a str,
    pub password: &'a str,
    /// The section that demands this check.
    pub source: &'static str,
}

/// The user with this name and password; `invalid_grant` if they are wrong, in the same time
/// whether it is the name or the password.
pub fn sign_in<'a>(
    known: &Known<'a>,
    entered: Entered,
    origin: Origin,
    outcome: &mut Outcome<'a>,
) -> Result<&'a User, OAuthError> {
    let user = known.registry.user(entered.name);
    outcome.user = user;
    let attempt = Attempt {
        subject: Subject::User(entered.name),
        presented: &[entered.password],
        kept: user.map(|user| &user.password),
        decoy: known.registry.decoy_password(),
    };
    let right = known.throttle.attempt(&attempt, origin, known.in_turn)?;
    match user {
        Some(user) if right.is_some() => {
            known.did(format_args!("user {}, by password", user.name), entered.source);
            Ok(user)
        }
        Some(_) => Err(WRONG.error().logged_as("the password is wrong")),
        None => Err(WRONG.error().logged_as("there is no such user")),
    }
}
