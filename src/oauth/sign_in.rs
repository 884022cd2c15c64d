//! A person's name and password, at the token endpoint and on the pages alike.

use std::net::IpAddr;

use super::throttle::{Subject, Throttle};
use super::{ErrorCode, OAuthError, Registry, Timestamp, User};

/// The user of this name and password. `invalid_grant` where there is none, in the same time and
/// the same words whether the name or the password is wrong (RFC 6749, section 5.2).
pub fn sign_in<'a>(
    registry: &'a Registry,
    throttle: &Throttle,
    (name, password): (&str, &str),
    address: IpAddr,
    now: Timestamp,
) -> Result<&'a User, OAuthError> {
    let user = registry.user(name);
    let secret = user.map_or(registry.decoy_password(), |user| &user.password);
    let right = throttle.attempt(Subject::User(name), address, secret, &[password], now)?;
    match user {
        Some(user) if right => Ok(user),
        _ => Err(OAuthError::new(
            ErrorCode::InvalidGrant,
            "the user name or the password is wrong",
            "RFC 6749, section 5.2",
        )
        .logged_as(match user {
            Some(_) => "the password is wrong",
            None => "there is no such user",
        })),
    }
}
