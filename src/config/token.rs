//! `[token NAME]`: an access token that an operator has issued by hand.

use std::sync::Arc;

use super::Read;
use super::keys::Keys;
use super::nearest::did_you_mean;
use super::resource;
use crate::encode::{date, hex};
use crate::oauth::fixed_token::FixedToken;
use crate::oauth::{Scope, Timestamp};
use crate::store::Key;

/// How many seconds before its end the operator is warned.
const SOON: u64 = 14 * 86_400;

pub fn read(keys: &mut Keys, read: &mut Read) {
    let key = hash(keys, read);
    let client = named(keys, "client", read);
    let user = named(keys, "user", read);
    let scope = keys.scopes("scopes");
    let resource = resource::named(keys, "resource", read).map(|value| Arc::from(value.text));
    let expires = expires(keys, read);
    keys.end();
    for (key, what) in [
        ("token_hash", "the token has no token_hash; oauth2d --new-token makes one"),
        ("client", "the token has no client; name the client that it belongs to"),
    ] {
        if !keys.has(key) {
            keys.fault(keys.line(), what);
        }
    }
    let scope = scope.unwrap_or_default();
    check_scopes(keys, &scope, (client.as_deref(), user.as_deref()), read);
    let (Some(key), Some(client)) = (key, client) else { return };
    read.tokens.push(FixedToken { key, client, user, scope, resource, expires });
}

fn hash(keys: &mut Keys, read: &Read) -> Option<Key> {
    let value = keys.take("token_hash")?;
    let digest = value.text.strip_prefix("sha256$");
    let digest = digest.and_then(|it| hex::decode::<32>(it.to_ascii_lowercase().as_bytes()));
    let Some(digest) = digest else {
        let what = "token_hash must be sha256$HEX; oauth2d --new-token makes one";
        keys.fault(value.line, what);
        return None;
    };
    let key = Key::from_bytes(*digest.first_chunk().expect("a digest has 32 bytes"));
    if read.tokens.iter().any(|token| token.key == key) {
        keys.fault(value.line, "another [token] has this token_hash; give each its own");
    }
    Some(key)
}

/// The name of a client or a user of this file.
fn named(keys: &mut Keys, kind: &'static str, read: &Read) -> Option<Arc<str>> {
    let value = keys.take(kind)?;
    if !read.names.may_have(kind, &value.text) {
        let meant = did_you_mean(&value.text, read.names.of(kind));
        keys.fault(value.line, format!("{kind} is not a [{kind}] of this file{meant}"));
    }
    Some(value.text.into())
}

/// Checks that it has no scope that its client or its user may not have.
fn check_scopes(
    keys: &mut Keys,
    scope: &Scope,
    (client, user): (Option<&str>, Option<&str>),
    read: &Read,
) {
    let client = read.clients.iter().find(|it| Some(&*it.id) == client);
    let user = read.users.iter().find(|it| Some(&*it.name) == user);
    let outside = |of: &Scope| scope.tokens().any(|token| !of.contains(token));
    let line = keys.line_of("scopes");
    if client.is_some_and(|client| outside(&client.scopes)) {
        keys.fault(line, "scopes has one that the token's client may not have; leave it out");
    } else if user.and_then(|user| user.scopes.as_ref()).is_some_and(outside) {
        keys.fault(line, "scopes has one that the token's user may not have; leave it out");
    }
}

/// The end of the day that is given.
fn expires(keys: &mut Keys, read: &Read) -> Option<Timestamp> {
    let value = keys.take("expires")?;
    let Some(day) = date::day(&value.text) else {
        keys.fault(value.line, "expires must be a day that exists, such as 2027-06-30");
        return None;
    };
    let end = (day + 1) * 86_400;
    let now = read.now.seconds();
    if end <= now {
        keys.warn(value.line, "the token has expired; give it a later day or remove it");
    } else if end - now <= SOON {
        let days = (end - now).div_ceil(86_400);
        let what = format!("the token expires within {days} days; replace it in time");
        keys.warn(value.line, what);
    }
    Some(Timestamp(end * 1000))
}

#[cfg(test)]
mod tests {
    use crate::config::tests::warnings_at;

    /// A day ends when the next begins.
    #[test]
    fn the_day_counts_to_its_end_and_fourteen_more_are_soon() {
        const DAY: u64 = 86_400_000;
        for (now, told) in [
            (0, None),
            (DAY - 1, None),
            (DAY, Some("the token expires within 14 days; replace it in time")),
            (15 * DAY - 1, Some("the token expires within 1 days; replace it in time")),
            (15 * DAY, Some("the token has expired; give it a later day or remove it")),
        ] {
            let text = format!(
                "[client c]\n[token t]\ntoken_hash = sha256${}\nclient = c\nexpires = 1970-01-15\n",
                "0".repeat(64)
            );
            let expected: Vec<_> = told.into_iter().map(|what| (5, what.to_owned())).collect();
            assert_eq!(warnings_at(&text, now), expected, "{now}");
        }
    }
}
