//! Counting failed attempts, so that nobody can try secrets for long (RFC 6749, section 10.10).
//!
//! Each pair of a name and an address has its own counter: an attacker locks out nobody but
//! himself. The counters are a fixed number and cost nothing to a made-up name but the place of
//! the least interesting one.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::secret::{Gate, StoredSecret};
use super::{ErrorCode, OAuthError, Origin};

/// So many failures within [`WINDOW`] are too many. Two windows can meet in a minute, so this is
/// half of the 20 that a minute may have.
const FAILURES: u32 = 10;
/// Seconds in which failures count together, and for which an attacker is then refused.
const WINDOW: u64 = 60;
/// Counters, in groups in which a new one takes the place of the least interesting: 1.5 MiB.
const GROUPS: usize = 8192;
const GROUP: usize = 8;
/// How long an attempt waits for its turn at a slow hash.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whose secret an attempt is about.
#[derive(Clone, Copy, Hash)]
pub enum Subject<'a> {
    Client(&'a str),
    User(&'a str),
    /// User codes have no name: an attempt may hit any of them.
    UserCode,
}

pub struct Throttle {
    counters: Mutex<Vec<Counter>>,
    /// With keys of its own, so that nobody can choose names that fall into one group.
    hasher: RandomState,
    gate: Gate,
    refused: AtomicU64,
    /// When the last counter stops counting. While nobody fails, nothing has to be looked up,
    /// which spares an attempt two turns at the lock and 500 instructions.
    quiet_from: AtomicU64,
}

#[derive(Clone, Copy)]
struct Counter {
    key: u64,
    failures: u32,
    /// When it counts nothing any more.
    until: u64,
}

impl Throttle {
    /// `slow_hashes` is how many may run at once.
    pub fn new(slow_hashes: usize) -> Throttle {
        let counter = Counter { key: 0, failures: 0, until: 0 };
        Throttle {
            counters: Mutex::new(vec![counter; GROUPS * GROUP]),
            hasher: RandomState::new(),
            gate: Gate::new(slow_hashes),
            refused: AtomicU64::new(0),
            quiet_from: AtomicU64::new(0),
        }
    }

    /// Compares what is presented with a secret, of which one of `presented` has to be right: true
    /// where one is. An error where there were too many failures before this attempt, or
    /// meanwhile: a right guess among many at once must not count.
    pub fn attempt(
        &self,
        subject: Subject,
        origin: Origin,
        secret: &StoredSecret,
        presented: &[&str],
    ) -> Result<bool, OAuthError> {
        self.check(subject, origin)?;
        let turn = match secret.cost() {
            0 | 1 => None,
            _ => {
                let turn = self.gate.enter(PATIENCE).ok_or_else(|| self.too_busy())?;
                self.check(subject, origin)?;
                Some(turn)
            }
        };
        let right = presented.iter().any(|presented| secret.matches(presented));
        drop(turn);
        if right {
            self.check(subject, origin)?;
        } else {
            self.failed(subject, origin);
        }
        Ok(right)
    }

    /// An error where this address has had too many failures with this subject.
    pub fn check(&self, subject: Subject, origin: Origin) -> Result<(), OAuthError> {
        let Origin { address, now } = origin;
        if self.quiet_from.load(Ordering::SeqCst) <= now.0 {
            return Ok(());
        }
        let key = self.key(subject, address);
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = counters[group(key)].iter().find(|c| c.key == key && now.0 < c.until);
        match counter {
            Some(counter) if counter.failures >= FAILURES => {
                let seconds = (counter.until - now.0).div_ceil(1000);
                self.refused.fetch_add(1, Ordering::Relaxed);
                Err(too_many(seconds))
            }
            _ => Ok(()),
        }
    }

    /// Counts a failure.
    pub fn failed(&self, subject: Subject, origin: Origin) {
        let Origin { address, now } = origin;
        let key = self.key(subject, address);
        let end = now.plus_seconds(WINDOW).0;
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let group = &mut counters[group(key)];
        let at = group.iter().position(|c| c.key == key && now.0 < c.until);
        let counter = match at {
            Some(at) => &mut group[at],
            None => {
                let interest = |c: &&mut Counter| match now.0 < c.until {
                    true => (c.failures, c.until),
                    false => (0, 0),
                };
                let least = group.iter_mut().min_by_key(interest).expect("a group has counters");
                *least = Counter { key, failures: 0, until: end };
                least
            }
        };
        counter.failures += 1;
        if counter.failures == FAILURES {
            counter.until = end;
        }
        self.quiet_from.fetch_max(end, Ordering::SeqCst);
    }

    /// Attempts that were refused unseen.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn key(&self, subject: Subject, address: IpAddr) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        (subject, address).hash(&mut hasher);
        std::hash::Hasher::finish(&hasher)
    }

    fn too_busy(&self) -> OAuthError {
        self.refused.fetch_add(1, Ordering::Relaxed);
        OAuthError::new(
            ErrorCode::TemporarilyUnavailable,
            "too many passwords are being checked, try again later",
            "RFC 6749, section 10.10",
        )
        .retry_after(PATIENCE.as_secs())
    }
}

fn group(key: u64) -> std::ops::Range<usize> {
    let start = (key >> 32) as usize % GROUPS * GROUP;
    start..start + GROUP
}

fn too_many(seconds: u64) -> OAuthError {
    OAuthError::new(
        ErrorCode::TemporarilyUnavailable,
        "too many failed attempts, try again later",
        "RFC 6749, section 10.10",
    )
    .retry_after(seconds.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::Timestamp;
    use crate::oauth::secret::Secret;

    const NOW: Timestamp = Timestamp(1_000_000_000);
    const USER: Subject = Subject::User("user");

    fn origin(last: u8, now: Timestamp) -> Origin {
        Origin { address: IpAddr::from([10, 0, 0, last]), now }
    }

    fn attempt(
        throttle: &Throttle,
        subject: Subject,
        last: u8,
        presented: &str,
        now: Timestamp,
    ) -> Option<bool> {
        let secret = StoredSecret::Plain(Secret::new("right"));
        throttle.attempt(subject, origin(last, now), &secret, &[presented]).ok()
    }

    #[test]
    fn after_too_many_failures_even_the_right_one_is_refused() {
        let throttle = Throttle::new(1);
        for _ in 0..FAILURES {
            assert_eq!(attempt(&throttle, USER, 1, "wrong", NOW), Some(false));
        }
        assert_eq!(attempt(&throttle, USER, 1, "right", NOW), None);
        assert_eq!(throttle.check(USER, origin(1, NOW)).unwrap_err().retry_after, Some(60));
        // Others are not: another address, user, or a client of the same name.
        assert_eq!(attempt(&throttle, USER, 2, "right", NOW), Some(true));
        assert_eq!(attempt(&throttle, Subject::User("other"), 1, "right", NOW), Some(true));
        assert_eq!(attempt(&throttle, Subject::Client("user"), 1, "right", NOW), Some(true));
        // It heals.
        assert_eq!(attempt(&throttle, USER, 1, "right", NOW.plus_seconds(60)), Some(true));
    }

    #[test]
    fn failures_far_apart_do_not_add_up() {
        let throttle = Throttle::new(1);
        for minute in 0..3 {
            for _ in 0..FAILURES - 1 {
                assert_eq!(
                    attempt(&throttle, USER, 1, "wrong", NOW.plus_seconds(minute * 60)),
                    Some(false)
                );
            }
        }
    }

    #[test]
    fn made_up_names_do_not_push_out_the_one_under_attack() {
        let throttle = Throttle::new(1);
        for _ in 0..FAILURES {
            throttle.failed(USER, origin(1, NOW));
        }
        for made_up in 0..200_000 {
            throttle.failed(Subject::User(&made_up.to_string()), origin(1, NOW));
        }
        assert!(throttle.check(USER, origin(1, NOW)).is_err());
        assert_eq!(throttle.counters.lock().unwrap().len(), GROUPS * GROUP);
    }
}
