use super::*;
use crate::oauth::grants::samples::{self, AT_ONCE};
use crate::oauth::registry;
use crate::oauth::secret::Secret;
use crate::oauth::{Timestamp, Uptime};
use std::cell::Cell;

const USER: Subject = Subject::User("user");

/// A request from 10.0.0.`last`, this many seconds after the start.
fn origin(last: u8, seconds: u64) -> Origin {
    Origin {
        address: [10, 0, 0, last].into(),
        uptime: Uptime(seconds * 1000),
        ..samples::origin(Timestamp(0))
    }
}

fn from(address: &str) -> Origin {
    Origin { address: address.parse().unwrap(), ..origin(0, 0) }
}

/// Tries a secret that is `right`: whether it was accepted, or the seconds to wait.
fn attempt(
    throttle: &Throttle,
    subject: Subject,
    presented: &str,
    origin: Origin,
) -> Result<bool, u64> {
    let kept = StoredSecret::Plain(Secret::new("right"));
    let presented = [presented];
    let attempt = Attempt { subject, presented: &presented, kept: Some(&kept), decoy: &kept };
    let right = throttle.attempt(&attempt, origin, AT_ONCE);
    right.map(|right| right.is_some()).map_err(|error| error.retry_after.unwrap())
}

fn fail(throttle: &Throttle, subject: Subject, times: u32, origin: Origin) {
    for _ in 0..times {
        assert_eq!(attempt(throttle, subject, "wrong", origin), Ok(false));
    }
}

#[test]
fn after_too_many_failures_even_the_right_one_is_refused() {
    let throttle = Throttle::new();
    fail(&throttle, USER, FAILURES, origin(1, 0));
    assert_eq!(attempt(&throttle, USER, "right", origin(1, 0)), Err(60));
    assert_eq!(attempt(&throttle, USER, "wrong", origin(1, 1)), Err(59));
    assert_eq!(throttle.refused(), 2);
    // Others are not refused: another address, another user, a client of the same name.
    assert_eq!(attempt(&throttle, USER, "right", origin(2, 0)), Ok(true));
    assert_eq!(attempt(&throttle, Subject::User("other"), "right", origin(1, 0)), Ok(true));
    assert_eq!(attempt(&throttle, Subject::Client("user"), "right", origin(1, 0)), Ok(true));
    // The next minute begins anew.
    assert_eq!(attempt(&throttle, USER, "right", origin(1, 60)), Ok(true));
}

#[test]
fn the_refusal_lasts_a_minute_from_the_failure_that_was_one_too_many() {
    let throttle = Throttle::new();
    fail(&throttle, USER, FAILURES - 1, origin(1, 0));
    fail(&throttle, USER, 1, origin(1, 50));
    assert_eq!(attempt(&throttle, USER, "right", origin(1, 109)), Err(1));
    assert_eq!(attempt(&throttle, USER, "right", origin(1, 110)), Ok(true));
}

#[test]
fn failures_far_apart_do_not_add_up() {
    let throttle = Throttle::new();
    for minute in 0..3 {
        fail(&throttle, USER, FAILURES - 1, origin(1, minute * 60));
    }
}

#[test]
fn a_subnet_is_one_attacker() {
    let throttle = Throttle::new();
    for subject in [USER, Subject::UserCode] {
        for guess in 0..FAILURES {
            fail(&throttle, subject, 1, from(&format!("2001:db8::{guess:x}:1")));
        }
        let neighbour = from("2001:db8:0:0:ffff::1");
        assert_eq!(attempt(&throttle, subject, "right", neighbour), Err(60));
        assert_eq!(attempt(&throttle, subject, "right", from("2001:db8:0:1::1")), Ok(true));
        fail(&throttle, subject, FAILURES, from("::ffff:192.0.2.1"));
        assert_eq!(attempt(&throttle, subject, "right", from("192.0.2.1")), Err(60));
    }
}

#[test]
fn an_address_that_fails_at_a_thousand_names_is_refused_whatever_it_names() {
    let throttle = Throttle::new();
    let made_up = |n: u32| format!("made up {n}");
    for n in 0..=ADDRESS_FAILURES {
        fail(&throttle, Subject::Client(&made_up(n)), 1, origin(1, u64::from(n) / 50));
    }
    for subject in [USER, Subject::Client("client"), Subject::UserCode] {
        assert_eq!(attempt(&throttle, subject, "right", origin(1, 21)), Err(39));
    }
    assert_eq!(attempt(&throttle, USER, "right", origin(2, 21)), Ok(true));
    // What was refused has not counted: the minute that began with the first failure is over.
    assert_eq!(attempt(&throttle, USER, "right", origin(1, 60)), Ok(true));
}

#[test]
fn a_thousand_failures_of_one_address_are_not_more_than_a_thousand() {
    let throttle = Throttle::new();
    for n in 0..ADDRESS_FAILURES {
        fail(&throttle, Subject::User(&n.to_string()), 1, origin(1, 0));
    }
    assert_eq!(attempt(&throttle, USER, "right", origin(1, 0)), Ok(true));
}

#[test]
fn names_and_addresses_in_masses_push_out_no_lock() {
    let throttle = Throttle::new();
    fail(&throttle, USER, FAILURES, from("2001:db8::1"));
    for n in 0..200_000u32 {
        let origin = from(&format!("2001:db9:{:x}:{:x}::1", n >> 16, n & 0xffff));
        throttle.failed(Subject::User(&n.to_string()), origin).unwrap();
    }
    assert_eq!(attempt(&throttle, USER, "right", from("2001:db8::2")), Err(60));
}

#[test]
fn of_many_guesses_at_once_only_the_first_are_answered() {
    let throttle = Throttle::new();
    let kept = StoredSecret::parse(&StoredSecret::hash_password("right", b"salt", 1)).unwrap();
    let done = Cell::new(0);
    // All arrive before any has failed: each finds, in its turn, that the others have.
    for guess in ["wrong", "right"] {
        let others_fail = |check: &mut dyn FnMut() -> bool| {
            fail(&throttle, USER, FAILURES - done.get(), origin(1, 0));
            done.set(FAILURES);
            Some(check())
        };
        let attempt =
            Attempt { subject: USER, presented: &[guess], kept: Some(&kept), decoy: &kept };
        assert!(throttle.attempt(&attempt, origin(1, 0), &others_fail).is_err());
    }
    assert!(throttle.failed(USER, origin(1, 0)).is_err());
}

#[test]
fn a_decoy_is_never_right_and_counts() {
    let throttle = Throttle::new();
    let decoy = StoredSecret::Plain(Secret::new("right"));
    let attempt = Attempt { subject: USER, presented: &["right"], kept: None, decoy: &decoy };
    for _ in 0..FAILURES {
        assert_eq!(throttle.attempt(&attempt, origin(1, 0), AT_ONCE), Ok(None));
    }
    assert!(throttle.attempt(&attempt, origin(1, 0), AT_ONCE).is_err());
}

#[test]
fn only_slow_secrets_wait_for_their_turn_and_decoys_as_well() {
    let throttle = Throttle::new();
    let fast = StoredSecret::parse(&StoredSecret::hash_random("right")).unwrap();
    let slow = StoredSecret::parse(&StoredSecret::hash_password("right", b"salt", 1)).unwrap();
    let turns = Cell::new(0);
    let count = |check: &mut dyn FnMut() -> bool| {
        turns.set(turns.get() + 1);
        Some(check())
    };
    for (kept, decoy, expected) in
        [(Some(&fast), &slow, 0), (Some(&slow), &fast, 1), (None, &slow, 2), (None, &fast, 2)]
    {
        let attempt = Attempt { subject: USER, presented: &["right"], kept, decoy };
        assert_eq!(
            throttle.attempt(&attempt, origin(1, 0), &count),
            Ok(kept.map(|_| Right::Current))
        );
        assert_eq!(turns.get(), expected);
    }
    // With nothing to compare, no turn is taken.
    let attempt = Attempt { subject: USER, presented: &[], kept: Some(&slow), decoy: &slow };
    assert_eq!(throttle.attempt(&attempt, origin(1, 0), &count), Ok(None));
    assert_eq!(turns.get(), 2);
}

#[test]
fn an_attempt_without_its_turn_is_refused_and_no_failure() {
    let throttle = Throttle::new();
    let slow = StoredSecret::parse(&StoredSecret::hash_password("right", b"salt", 1)).unwrap();
    let attempt = Attempt { subject: USER, presented: &["wrong"], kept: Some(&slow), decoy: &slow };
    for _ in 0..FAILURES {
        let refused = throttle.attempt(&attempt, origin(1, 0), &|_| None).unwrap_err();
        assert_eq!(refused.code, ErrorCode::TemporarilyUnavailable);
        assert_eq!(
            refused.reason(),
            "too many passwords are being checked, try again later (RFC 6585, section 4)"
        );
    }
    assert_eq!(throttle.check(USER, origin(1, 0)), Ok(()));
    assert_eq!(throttle.refused(), u64::from(FAILURES));
}

#[test]
fn each_subject_is_refused_by_its_own_section() {
    let throttle = Throttle::new();
    for (subject, section) in [
        (Subject::Client("a"), "RFC 6749, section 2.3.1"),
        (Subject::User("a"), "RFC 6749, section 4.3.2"),
        (Subject::UserCode, "RFC 8628, section 5.1"),
    ] {
        fail(&throttle, subject, FAILURES, origin(1, 0));
        let refused = throttle.check(subject, origin(1, 0)).unwrap_err();
        assert_eq!(refused.source, section);
    }
}

#[test]
fn a_public_client_starts_sixty_devices_a_minute_from_one_address() {
    let throttle = Throttle::new();
    let public = Client { secret: None, ..registry::samples::client("public") };
    let start = |origin| throttle.device_start(&public, origin).map_err(|error| error.retry_after);
    for _ in 0..DEVICE_STARTS {
        assert_eq!(start(origin(1, 0)), Ok(()));
    }
    assert_eq!(start(origin(1, 1)), Err(Some(59)));
    assert_eq!(start(origin(2, 1)), Ok(()));
    assert_eq!(start(origin(1, 60)), Ok(()));
    // Another client is not affected, and one with a secret has no such limit.
    let other = Client { secret: None, ..registry::samples::client("other") };
    assert_eq!(throttle.device_start(&other, origin(1, 1)), Ok(()));
    for _ in 0..=DEVICE_STARTS {
        assert_eq!(throttle.device_start(&registry::samples::client("app"), origin(1, 0)), Ok(()));
    }
}

#[test]
fn an_untrusted_proxy_is_told_and_a_proxy_that_is_trusted_is_not() {
    let throttle = Throttle::new();
    for relays in [false, true] {
        assert_eq!(throttle.untrusted_proxy(), None);
        for n in 0..=100 {
            let origin = Origin { relays, ..origin(1, 0) };
            throttle.failed(Subject::User(&n.to_string()), origin).unwrap();
        }
    }
    assert_eq!(throttle.untrusted_proxy(), Some([10, 0, 0, 1].into()));
    assert_eq!(throttle.untrusted_proxy(), None);
}
