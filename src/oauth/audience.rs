//! Which protected resource a token is for (RFC 8707): requested with the grant, and the same ever
//! after.
//!
//!     POST /oauth/token                                     as a client
//!     grant_type=refresh_token&refresh_token=5e0c…e1&resource=https%3A%2F%2Fother.example.com
//!
//!     {"error":"invalid_target","error_description":"the resource is not the one that was granted"}

use super::resource::{Resource, Unknown};
use super::{Client, ErrorCode, Known, OAuthError, Registry, Rule, User};
use crate::encode::form::Form;
use crate::store::Number;

/// A resource; `None` if a token is for none in particular.
pub type Audience<'k> = Option<&'k Resource>;

/// "The requested resource is invalid, missing, unknown, or malformed."
const KNOWN: Rule = invalid_target(
    "the resource is in the configuration",
    "the resource is unknown, or there are two different ones",
);

/// What was granted for one resource, or for none, is good for no other.
const GRANTED: Rule = Rule {
    checked: "the resource is the one that was granted",
    broken: "the resource is not the one that was granted",
    source: "RFC 8707, section 2.2",
    ..KNOWN
};

const CLIENT_LISTED: Rule = invalid_target(
    "the resource accepts tokens of this client",
    "the resource accepts no tokens of this client",
);

/// For the client that has the user's password.
pub const USER_LISTED: Rule = invalid_target(
    "the resource accepts tokens of this user",
    "the resource accepts no tokens of this user",
);

/// The same where the user is asked for consent.
pub const USER_MAY: Rule = Rule { code: ErrorCode::AccessDenied, ..USER_LISTED };

const fn invalid_target(checked: &'static str, broken: &'static str) -> Rule {
    Rule { code: ErrorCode::InvalidTarget, checked, broken, source: "RFC 8707, section 2" }
}

/// The parameters that an endpoint knows. The last of `all` is `resource`, which counts only if the
/// configuration has resources.
pub fn parameters(registry: &Registry, all: &'static [&'static str]) -> &'static [&'static str] {
    &all[..all.len() - usize::from(registry.resources.is_empty())]
}

/// The resource that a request names, if it names one.
pub fn named<'k>(known: &Known<'k>, form: &Form) -> Result<Audience<'k>, OAuthError> {
    let named = known.registry.resources.named_by(form.all("resource"));
    let named = named.map_err(|Unknown| KNOWN.error())?;
    if let Some(resource) = named {
        known.did(format_args!("the resource is {}", resource.url), KNOWN.source);
    }
    Ok(named)
}

/// The resource of a request that begins a grant: the one that it names, or its client's default.
pub fn asked<'k>(
    known: &Known<'k>,
    client: &Client,
    form: &Form,
) -> Result<Audience<'k>, OAuthError> {
    let named = named(known, form)?;
    let (None, Some(url)) = (named, &client.default_resource) else { return Ok(named) };
    let default = known.registry.resources.named(url).ok_or_else(|| KNOWN.error())?;
    let url = &default.url;
    let what = format_args!("no resource was requested, so the client's default applies: {url}");
    known.did(what, "RFC 8707, section 2.1");
    Ok(Some(default))
}

/// What a row stores of it.
pub fn number(audience: Audience) -> Option<Number> {
    audience.map(|resource| resource.number)
}

/// Refuses a request that names another resource than was granted, or any if none was (RFC 8707,
/// section 2.2).
pub fn must_be_granted(
    known: &Known,
    named: Audience,
    granted: Option<Number>,
) -> Result<(), OAuthError> {
    match named {
        None => Ok(()),
        Some(resource) => known.must(Some(resource.number) == granted, GRANTED),
    }
}

/// Refuses a client whose tokens the resource does not accept.
pub fn must_take_client(
    known: &Known,
    audience: Audience,
    client: &Client,
) -> Result<(), OAuthError> {
    match audience {
        None => Ok(()),
        Some(resource) => known.must(resource.lists_client(client), CLIENT_LISTED),
    }
}

/// Refuses, by this rule, a user whose tokens the resource does not accept.
pub fn must_take_user(
    known: &Known,
    audience: Audience,
    (user, rule): (Option<&User>, Rule),
) -> Result<(), OAuthError> {
    match audience {
        None => Ok(()),
        Some(resource) => known.must(resource.lists_user(user), rule),
    }
}

/// The resource of a row; `None` if the configuration has it no more.
pub fn of_row(registry: &Registry, row: Option<Number>) -> Option<Audience<'_>> {
    match row {
        None => Some(None),
        Some(number) => registry.resources.numbered(number).map(Some),
    }
}

/// The same, and `None` also if the resource no longer accepts this client's or user's tokens.
pub fn in_force<'k>(
    registry: &'k Registry,
    row: Option<Number>,
    (client, user): (&Client, Option<&User>),
) -> Option<Audience<'k>> {
    let takes = |it: &Resource| it.lists_client(client) && it.lists_user(user);
    of_row(registry, row).filter(|audience| audience.is_none_or(takes))
}

/// Where a token is to be used.
#[derive(Clone, Copy, Debug, Default)]
pub enum Place<'k> {
    /// The question does not say where.
    #[default]
    Anywhere,
    At(&'k Resource),
    /// At a resource that does not exist.
    Nowhere,
}

impl<'k> Place<'k> {
    /// This server itself, which is a resource of its own if the configuration has any.
    pub fn here(registry: &'k Registry) -> Place<'k> {
        registry.resources.issuer().map_or(Place::Anywhere, Place::At)
    }
}

/// Whether a token for this audience may be used at `place`, by this client and user. A token for
/// no resource may be used at this server itself only.
pub fn is_good_at(
    place: &Resource,
    audience: Audience,
    (client, user): (&Client, Option<&User>),
) -> bool {
    let is_for_it = match audience {
        Some(resource) => resource.number == place.number,
        None => place.is_issuer,
    };
    is_for_it && place.lists_client(client) && place.lists_user(user)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::registry::samples;
    use std::collections::HashSet;

    #[test]
    fn a_token_is_good_where_it_is_for() {
        let numbered = |url, number| Resource { number: Number(number), ..Resource::new(url) };
        let (one, other) = (numbered("https://a", 1), numbered("https://b", 2));
        let own = Resource { is_issuer: true, ..numbered("https://i", 3) };
        let (client, user) = (samples::client("a"), samples::user("ann"));
        let listed = |name: &str| Some(HashSet::from([name.to_string()]));
        let bobs = Resource { users: listed("bob"), ..own.clone() };
        let of_b = Resource { clients: listed("b"), ..one.clone() };
        for (place, expected) in [
            // For none, for one, for the other, for the server itself.
            (&one, [false, true, false, false]),
            (&own, [true, false, false, true]),
            (&bobs, [false; 4]),
            (&of_b, [false; 4]),
        ] {
            let is_good = |audience| is_good_at(place, audience, (&client, Some(&user)));
            assert_eq!([None, Some(&one), Some(&other), Some(&own)].map(is_good), expected);
        }
    }
}
