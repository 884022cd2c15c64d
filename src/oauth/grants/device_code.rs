//! `grant_type=urn:ietf:params:oauth:grant-type:device_code` (RFC 8628, sections 3.4 and 3.5).
//!
//!     device ── device code ──> token endpoint         again and again, at the interval
//!            <── authorization_pending ──
//!     user   ── user code, name, password, allow ──> /oauth/device
//!     device ── device code ──> token endpoint
//!            <── access token, refresh token ──
//!
//!     POST /oauth/token                                     as a client
//!     grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=9a12…7c
//!
//!     {"error":"authorization_pending","error_description":"the user has not decided yet"}

use super::issue::Granted;
use super::{TokenRequest, TokenResponse};
use crate::oauth::{ErrorCode, OAuthError, Outcome, Rule, Timestamp, Token, audience};
use crate::store::{Change, Decision, Device, OnlyIf};

const SOURCE: &str = "RFC 8628, section 3.5";

const KNOWN: Rule = good("the device code is known and was not used before");
const ISSUED_TO_CLIENT: Rule = good("the device code was issued to this client");
const RESOURCE_KNOWN: Rule = good("its resource is still in the configuration");
const USER_KNOWN: Rule = good("its user is still in the configuration");

/// The same words whatever is wrong with it.
const fn good(checked: &'static str) -> Rule {
    let broken = "the device code is unknown or already used";
    Rule { code: ErrorCode::InvalidGrant, checked, broken, source: SOURCE }
}

const ALIVE: Rule = Rule {
    code: ErrorCode::ExpiredToken,
    checked: "the device code has not expired",
    broken: "the device code has expired",
    source: SOURCE,
};

const NOT_DENIED: Rule = Rule {
    code: ErrorCode::AccessDenied,
    checked: "the user has not denied the request",
    broken: "the user has denied the request",
    source: SOURCE,
};

const AT_INTERVAL: Rule = Rule {
    code: ErrorCode::SlowDown,
    checked: "the device has waited for the interval since its last poll",
    broken: "the device polls too often; wait 5 seconds longer",
    source: SOURCE,
};

const DECIDED: Rule = Rule {
    code: ErrorCode::AuthorizationPending,
    checked: "the user has decided",
    broken: "the user has not decided yet",
    source: SOURCE,
};

/// "The interval MUST be increased by 5 seconds."
const SLOWER: u64 = 5;

/// One poll. Most are told that the user has not decided yet.
pub fn grant<'k>(
    request: &TokenRequest<'k, '_>,
    outcome: &mut Outcome<'k>,
) -> Result<TokenResponse, OAuthError> {
    let presented = request.required("device_code", "RFC 8628, section 3.4")?;
    let named = audience::named(&request.known, request.form)?;
    let key = Token::key_of(presented).ok_or_else(|| KNOWN.error())?;
    let (store, now) = (request.known.store, request.origin.now);
    let device = request.must_find(store.device(&key, now)?, KNOWN)?;
    // Another client's device code is as good as none.
    request.must(device.client == request.client.number, ISSUED_TO_CLIENT)?;
    request.must(now < device.expires, ALIVE)?;
    // The resource is the one of the device's first request (RFC 8707, section 2.2).
    let known = &request.known;
    let audience = audience::of_row(known.registry, device.resource);
    let audience = audience.ok_or_else(|| RESOURCE_KNOWN.error())?;
    audience::must_be_granted(known, named, device.resource)?;
    audience::must_take_client(known, audience, request.client)?;
    let (user, scope) = match &device.decision {
        None => return Err(wait(request, (key, &device))),
        Some(Decision::Denied) => return Err(NOT_DENIED.error()),
        Some(Decision::Allowed { user, scope }) => (*user, scope.clone()),
    };
    request.did(format_args!("the user has allowed it"), SOURCE);
    // A user who has left the configuration grants nothing any more.
    let person = request.must_find(known.registry.user_numbered(user), USER_KNOWN)?;
    outcome.user = Some(person);
    audience::must_take_user(known, audience, (Some(person), audience::USER_MAY))?;
    let (family, resource) = (request.family_name(), device.resource);
    let granted = Granted { family, user: Some(user), resource, scope };
    let (fresh, response) = request.fresh(&granted, granted.scope.clone()).split();
    // Of two polls at once, one gets the tokens.
    let taken =
        store.apply(OnlyIf::Allowed(key), [Change::TakeDevice(key)].into_iter().chain(fresh))?;
    taken.ok_or_else(|| KNOWN.error())?;
    request.did(format_args!("the device code is spent: it works once"), SOURCE);
    request.given(&response);
    Ok(response)
}

/// The answer to a poll while the user has not decided; the interval counts from this poll on.
fn wait(request: &TokenRequest, (key, device): (crate::store::Key, &Device)) -> OAuthError {
    let now = request.origin.now;
    let (error, interval) = match too_early(device, now) {
        true => (AT_INTERVAL.error(), device.interval + SLOWER),
        false => {
            request.known.checked(AT_INTERVAL);
            (DECIDED.error(), device.interval)
        }
    };
    let poll = [Change::Poll(key, now, interval)];
    request.known.store.apply(OnlyIf::Undecided(key), poll).map_or_else(OAuthError::from, |_| error)
}

/// "The client SHOULD wait between polling requests", for the interval at least.
fn too_early(device: &Device, now: Timestamp) -> bool {
    device.polled.is_some_and(|polled| now < polled.plus_seconds(device.interval))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::grants::samples::{NOW, World};
    use crate::oauth::{Scope, UserCode};

    /// The code of the error with which the poll of `id` is answered after so many seconds.
    fn poll(world: &World, id: &str, code: &Token, seconds: u64) -> Result<(), ErrorCode> {
        let form = format!(
            "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code={}",
            &*code.reveal()
        );
        let answer = world.grant(id, &form, NOW.plus_seconds(seconds));
        answer.map(drop).map_err(|error| error.code)
    }

    fn decide(world: &World, code: &UserCode, decision: Decision) -> bool {
        let (key, _) = world.store.device_showing(code, NOW).unwrap().unwrap();
        world
            .store
            .apply(OnlyIf::Undecided(key), [Change::Decide(key, decision)])
            .unwrap()
            .is_some()
    }

    fn allowed(world: &World) -> Decision {
        let user = world.registry.user("user").unwrap().number;
        Decision::Allowed { user, scope: Scope::default() }
    }

    #[test]
    fn a_device_polls_at_its_interval_and_gets_its_token_once() {
        use ErrorCode::{AuthorizationPending, InvalidGrant, SlowDown};
        let world = World::new();
        let (code, user_code) = world.device("a");
        for (seconds, expected) in [
            (0, AuthorizationPending),
            (5, AuthorizationPending),
            (9, SlowDown),
            (18, SlowDown),
            (33, AuthorizationPending),
        ] {
            assert_eq!(poll(&world, "a", &code, seconds), Err(expected), "{seconds}");
        }
        assert!(decide(&world, &user_code, allowed(&world)));
        assert!(world.store.device_showing(&user_code, NOW).unwrap().is_none());
        assert_eq!(poll(&world, "b", &code, 34), Err(InvalidGrant));
        assert_eq!(poll(&world, "a", &code, 34), Ok(()));
        assert_eq!(poll(&world, "a", &code, 35), Err(InvalidGrant));
    }

    #[test]
    fn a_denied_device_hears_so() {
        let world = World::new();
        let (code, user_code) = world.device("a");
        assert!(decide(&world, &user_code, Decision::Denied));
        assert_eq!(poll(&world, "a", &code, 0), Err(ErrorCode::AccessDenied));
    }

    #[test]
    fn a_device_hears_of_its_end_for_a_while() {
        let world = World::new();
        let (code, user_code) = world.device("a");
        for (seconds, expected) in [
            (600, ErrorCode::ExpiredToken),
            (629, ErrorCode::ExpiredToken),
            (630, ErrorCode::InvalidGrant),
        ] {
            assert_eq!(poll(&world, "a", &code, seconds), Err(expected), "{seconds}");
        }
        let showing =
            |seconds| world.store.device_showing(&user_code, NOW.plus_seconds(seconds)).unwrap();
        assert!(showing(599).is_some() && showing(600).is_none());
    }

    #[test]
    fn who_was_removed_gives_nothing_any_more() {
        let mut world = World::new();
        let (code, user_code) = world.device("a");
        assert!(decide(&world, &user_code, allowed(&world)));
        world.reload(&["a", "b"], &[]);
        assert_eq!(poll(&world, "a", &code, 0), Err(ErrorCode::InvalidGrant));
    }
}
