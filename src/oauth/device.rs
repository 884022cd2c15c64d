//! The device authorization grant (RFC 8628): the device's request, and the user's decision about
//! it. How the device then gets its token is in `grants/device_code.rs`.

use super::audience::Audience;
use super::throttle::Subject;
use super::{
    Client, ErrorCode, GrantType, Known, OAuthError, Origin, Outcome, Rule, Token, User, UserCode,
    audience, scope,
};
use crate::encode::form::Form;
use crate::store::{Change, Decision, Device, Key, OnlyIf};

/// "An invalidly configured client" gets the error that it would at the token endpoint.
const MAY_USE: Rule = Rule {
    code: ErrorCode::UnauthorizedClient,
    checked: "its grants include device_code",
    broken: "the client may not use this grant",
    source: "RFC 8628, section 3.2",
};

/// Starts a device's request (RFC 8628, section 3.1): returns the device code, and the request that
/// the user will find by the user code.
pub fn start<'k>(
    known: &Known<'k>,
    client: &'k Client,
    form: &Form,
    origin: Origin,
) -> Result<(Token, Found<'k>), OAuthError> {
    known.must(client.may(GrantType::DeviceCode), MAY_USE)?;
    let audience = audience::asked(known, client, form)?;
    audience::must_take_client(known, audience, client)?;
    let scope = scope::for_client(known, client, form.get("scope"))?;
    known.throttle.device_start(client, origin)?;
    let lifetimes = &known.registry.lifetimes;
    let code = Token::random();
    loop {
        let device = Device {
            client: client.number,
            resource: audience::number(audience),
            user_code: UserCode::random(),
            scope: scope.clone(),
            interval: lifetimes.device_interval,
            polled: None,
            expires: origin.now.plus_seconds(lifetimes.device_code),
            decision: None,
        };
        let user_code = device.user_code;
        let room = OnlyIf::RoomForDevice(client.number, PENDING, user_code);
        let key = code.key();
        if known.store.apply(room, [Change::PutDevice(key, device.clone())])?.is_some() {
            let seconds = lifetimes.device_code;
            let what =
                format_args!("a device code and a user code are issued, for {seconds} seconds");
            known.did(what, "RFC 8628, section 3.2");
            return Ok((code, Found { user_code, client, audience, device, key }));
        }
        // Either there are too many, or another device shows the same user code: then the next will
        // do.
        if known.store.devices_of(client.number)? >= PENDING {
            return Err(ROOM.error().unavailable_for(ROOM_AFTER));
        }
    }
}

/// The most devices of one client that may wait at once.
const PENDING: usize = 10_000;

/// Seconds until some of these will have expired.
const ROOM_AFTER: u64 = 60;

/// None is dropped to make room: a user may be typing its code.
const ROOM: Rule = Rule {
    code: ErrorCode::TemporarilyUnavailable,
    checked: "not too many devices of this client are waiting",
    broken: "too many devices of this client are waiting, try again later",
    source: "RFC 9110, section 15.6.4",
};

/// No waiting device shows this code.
const UNKNOWN: Rule = Rule {
    code: ErrorCode::InvalidGrant,
    checked: "a waiting device shows this user code",
    broken: "the user code is unknown or has expired",
    source: "RFC 8628, section 3.3",
};

/// A device's request that a user has found by its user code.
pub struct Found<'k> {
    pub user_code: UserCode,
    pub client: &'k Client,
    pub audience: Audience<'k>,
    pub device: Device,
    key: Key,
}

/// The pending request with the user code that was typed. A wrong code counts as a failed attempt:
/// codes are short, so nobody may try many (RFC 8628, section 5.1).
pub fn find<'k>(
    known: &Known<'k>,
    typed: &str,
    origin: Origin,
    outcome: &mut Outcome<'k>,
) -> Result<Found<'k>, OAuthError> {
    known.throttle.check(Subject::UserCode, origin)?;
    let shown = match UserCode::parse(typed) {
        Some(user_code) => known.store.device_showing(&user_code, origin.now)?,
        None => None,
    };
    let found = shown.and_then(|(key, device)| {
        let client = known.registry.client_numbered(device.client)?;
        let audience = audience::of_row(known.registry, device.resource)?;
        Some(Found { user_code: device.user_code, client, audience, device, key })
    });
    let Some(found) = found else {
        known.throttle.failed(Subject::UserCode, origin)?;
        return Err(UNKNOWN.error());
    };
    known.checked(UNKNOWN);
    outcome.client = Some(found.client);
    Ok(found)
}

/// What comes of the user's `allow`.
pub enum Allowed {
    Done,
    /// The user may grant nothing of what the device asked for, so the request is denied.
    NothingToGrant,
}

/// The user allows the device's request.
pub fn allow(known: &Known, found: &Found, user: &User) -> Result<Allowed, OAuthError> {
    let may = audience::must_take_user(known, found.audience, (Some(user), audience::USER_MAY));
    let scope = may.and_then(|()| scope::for_user(known, found.device.scope.clone(), user));
    let (decision, allowed) = match scope {
        Ok(scope) => (Decision::Allowed { user: user.number, scope }, Allowed::Done),
        Err(_) => (Decision::Denied, Allowed::NothingToGrant),
    };
    // Someone else may have decided in the meantime.
    known.must(decide(known, found, decision)?, UNKNOWN)?;
    Ok(allowed)
}

/// Denies the device's request, which needs no password: whoever has the code may.
pub fn deny(known: &Known, found: &Found) -> Result<(), OAuthError> {
    decide(known, found, Decision::Denied).map(drop)
}

/// Stores the decision; false if there was one already.
fn decide(known: &Known, found: &Found, decision: Decision) -> Result<bool, OAuthError> {
    let change = Change::Decide(found.key, decision);
    let is_first = known.store.apply(OnlyIf::Undecided(found.key), [change])?.is_some();
    if is_first {
        let what = format_args!("the user's decision is stored for the device's next poll");
        known.did(what, "RFC 8628, section 3.3");
    }
    Ok(is_first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::grants::samples::{NOW, World, origin};

    #[test]
    fn a_full_house_refuses_and_drops_nobody() {
        let world = World::new();
        let known = world.known();
        let client = world.registry.client("a").unwrap();
        let (_, first) = world.device("a");
        for _ in 1..PENDING {
            world.device("a");
        }
        let form = Form::parse("", &[]).unwrap();
        let error = start(&known, client, &form, origin(NOW)).err().unwrap();
        assert_eq!((error.code, &*error.description), (ROOM.code, ROOM.broken));
        assert!(world.store.device_showing(&first, NOW).unwrap().is_some());
        world.device("b");
        while world.store.sweep(NOW.plus_seconds(700)) {}
        assert!(start(&known, client, &form, origin(NOW)).is_ok());
    }

    #[test]
    fn a_decision_is_made_once() {
        let world = World::new();
        let (known, mut outcome) = (world.known(), Outcome::default());
        let (_, code) = world.device("a");
        let found = find(&known, &code.reveal(), origin(NOW), &mut outcome).unwrap();
        assert_eq!(outcome.client.map(|client| &*client.id), Some("a"));
        deny(&known, &found).unwrap();
        let late = allow(&known, &found, world.registry.user("user").unwrap());
        assert_eq!(late.err().unwrap().description, UNKNOWN.broken);
        assert!(find(&known, &code.reveal(), origin(NOW), &mut outcome).is_err());
    }

    #[test]
    fn what_no_user_may_give_is_denied() {
        let mut world = World::new();
        world.narrow("a", "write read");
        let known = world.known();
        let client = world.registry.client("a").unwrap();
        let form = Form::parse("scope=write", &["scope"]).unwrap();
        let (_, found) = start(&known, client, &form, origin(NOW)).ok().unwrap();
        let reader = world.registry.user("reader").unwrap();
        let allowed = allow(&known, &found, reader).unwrap();
        assert!(matches!(allowed, Allowed::NothingToGrant));
    }
}
