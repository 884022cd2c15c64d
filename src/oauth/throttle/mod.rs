//! Counts failed attempts, so that nobody can go on guessing a client's secret (RFC 6749, section
//! 2.3.1), a user's password (RFC 6749, section 4.3.2) or a user code (RFC 8628, section 5.1).
//!
//!     POST /oauth/token                                     with a wrong password, the 11th time
//!
//!     HTTP/1.1 429 Too Many Requests                        (RFC 6585, section 4)
//!     Retry-After: 60
//!     {"error":"temporarily_unavailable",
//!      "error_description":"too many failed attempts, try again later"}
//!
//! Each pair of a name and an address has its own counter, so an attacker locks out only himself.
//! Another counts everything that an address fails at, so that trying ever more names is no way
//! around. The number of counters is fixed: a made-up name only replaces the least interesting one.
//! What remains is that whoever fails from more addresses than there are counters ([`COUNTERS`])
//! pushes out some of the first.

mod counters;
mod relays;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::secret::{Right, StoredSecret};
use super::{Client, ErrorCode, InTurn, OAuthError, Origin, Rule};
use counters::{Count, Counters, WINDOW};
use relays::Relays;

/// Failures with one name. Parts of two windows fit into one minute, so this is half of the 20 that
/// a minute may have.
const FAILURES: u32 = 10;
/// Failures of one address in all: many people can share it.
const ADDRESS_FAILURES: u32 = 1_000;
/// Devices that one address may start at one public client in a minute: anyone can name such a
/// client, and each device takes one of its places.
const DEVICE_STARTS: u32 = 60;
/// Counters of each kind, which take 1.5 MiB.
const COUNTERS: usize = 65_536;
/// After so many seconds a slow hash is likelier to find a place in the queue.
const BUSY: u64 = 10;

const CLIENT_FAILED: Rule = too_many("RFC 6749, section 2.3.1");
const USER_FAILED: Rule = too_many("RFC 6749, section 4.3.2");
const USER_CODE_FAILED: Rule = too_many("RFC 8628, section 5.1");
const ADDRESS_FAILED: Rule = too_many("RFC 6585, section 4");

const DEVICES_STARTED: Rule = Rule {
    code: ErrorCode::TemporarilyUnavailable,
    checked: "not too many devices were started from this address",
    broken: "too many devices were started from this address, try again later",
    source: "RFC 6585, section 4",
};

const TOO_BUSY: Rule = Rule {
    code: ErrorCode::TemporarilyUnavailable,
    checked: "a password can be checked in time",
    broken: "too many passwords are being checked, try again later",
    source: "RFC 6585, section 4",
};

const fn too_many(source: &'static str) -> Rule {
    let broken = "too many failed attempts, try again later";
    let checked = "not too many attempts have failed";
    Rule { code: ErrorCode::TemporarilyUnavailable, checked, broken, source }
}

/// Whose secret is being tried.
#[derive(Clone, Copy, Hash)]
pub enum Subject<'a> {
    Client(&'a str),
    User(&'a str),
    /// User codes have no name: a guess may hit any of them.
    UserCode,
}

impl Subject<'_> {
    fn failed_too_often(self) -> Rule {
        match self {
            Subject::Client(_) => CLIENT_FAILED,
            Subject::User(_) => USER_FAILED,
            Subject::UserCode => USER_CODE_FAILED,
        }
    }
}

/// A secret that was presented, and what it is compared with.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    pub subject: Subject<'a>,
    /// One of these must be right.
    pub presented: &'a [&'a str],
    /// `None` if there is no such name, or it has no secret.
    pub kept: Option<&'a StoredSecret>,
    /// What is compared with instead: never right, but it takes as long.
    pub decoy: &'a StoredSecret,
}

impl Attempt<'_> {
    fn right(&self) -> Option<Right> {
        let secret = self.kept.unwrap_or(self.decoy);
        let right = self.presented.iter().find_map(|presented| secret.matching(presented));
        right.filter(|_| self.kept.is_some())
    }

    fn is_slow(&self) -> bool {
        self.kept.unwrap_or(self.decoy).is_slow() && !self.presented.is_empty()
    }
}

pub struct Throttle {
    counts: Mutex<Counts>,
    /// Randomly seeded, so that nobody can choose names that share a group.
    hasher: RandomState,
    refused: AtomicU64,
    /// When the last failure stops counting. While nobody fails, nothing has to be looked up, which
    /// saves every attempt two locks and 500 instructions.
    quiet_from: AtomicU64,
}

struct Counts {
    /// Failures by name and address.
    names: Counters,
    /// Failures by address.
    addresses: Counters,
    /// Device starts by client and address.
    starts: Counters,
    relays: Relays,
}

impl Throttle {
    pub fn new() -> Throttle {
        Throttle {
            counts: Mutex::new(Counts {
                names: Counters::new(COUNTERS),
                addresses: Counters::new(COUNTERS),
                starts: Counters::new(COUNTERS),
                relays: Relays::default(),
            }),
            hasher: RandomState::new(),
            refused: AtomicU64::new(0),
            quiet_from: AtomicU64::new(0),
        }
    }

    /// Which secret was presented, if it is right. An error if there were too many failures before
    /// this attempt, or while it waited: of many guesses at once, those after the limit are not
    /// looked at.
    pub fn attempt(
        &self,
        attempt: &Attempt,
        origin: Origin,
        in_turn: InTurn,
    ) -> Result<Option<Right>, OAuthError> {
        self.check(attempt.subject, origin)?;
        let right = match attempt.is_slow() {
            false => attempt.right(),
            true => {
                let (mut checked, mut right) = (Ok(()), None);
                let had_its_turn = in_turn(&mut || {
                    // Those before it in the queue may have failed in the meantime.
                    checked = self.check(attempt.subject, origin);
                    right = checked.is_ok().then(|| attempt.right()).flatten();
                    right.is_some()
                });
                checked?;
                had_its_turn.ok_or_else(|| self.refusal(TOO_BUSY, BUSY))?;
                right
            }
        };
        match right {
            Some(_) => self.check(attempt.subject, origin)?,
            None => self.failed(attempt.subject, origin)?,
        }
        Ok(right)
    }

    /// An error if this address has failed too often with this subject, or in all.
    pub fn check(&self, subject: Subject, origin: Origin) -> Result<(), OAuthError> {
        if self.quiet_from.load(Ordering::SeqCst) <= origin.uptime.0 {
            return Ok(());
        }
        self.check_counts(&self.lock(), subject, origin)
    }

    /// Counts a failure. An error, like that of [`Throttle::check`], if there were too many before
    /// it.
    pub fn failed(&self, subject: Subject, origin: Origin) -> Result<(), OAuthError> {
        let now = origin.uptime;
        let name = self.key((subject, origin.network()));
        let mut counts = self.lock();
        self.check_counts(&counts, subject, origin)?;
        counts.addresses.add(self.key(origin.network()), now);
        if counts.names.add(name, now) == FAILURES {
            counts.names.renew(name, now);
        }
        if origin.relays && !matches!(subject, Subject::UserCode) {
            counts.relays.note(origin.address, name);
        }
        self.quiet_from.fetch_max(now.0 + WINDOW, Ordering::SeqCst);
        Ok(())
    }

    /// Counts the start of a device. An error if too many of this client were started from this
    /// address; a client with a secret has no such limit.
    pub fn device_start(&self, client: &Client, origin: Origin) -> Result<(), OAuthError> {
        if client.secret.is_some() {
            return Ok(());
        }
        let key = self.key((&client.id, origin.network()));
        let mut counts = self.lock();
        let Count { count, left } = counts.starts.get(key, origin.uptime);
        if count >= DEVICE_STARTS {
            return Err(self.refusal(DEVICES_STARTED, left.div_ceil(1000)));
        }
        counts.starts.add(key, origin.uptime);
        Ok(())
    }

    /// An address that so many fail from that it looks like a proxy which should be trusted. Each
    /// is returned once.
    pub fn untrusted_proxy(&self) -> Option<IpAddr> {
        self.lock().relays.take()
    }

    /// How many attempts were refused without a check.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn check_counts(
        &self,
        counts: &Counts,
        subject: Subject,
        origin: Origin,
    ) -> Result<(), OAuthError> {
        let network = origin.network();
        let address = counts.addresses.get(self.key(network), origin.uptime);
        if address.count > ADDRESS_FAILURES {
            return Err(self.refusal(ADDRESS_FAILED, address.left.div_ceil(1000)));
        }
        let name = counts.names.get(self.key((subject, network)), origin.uptime);
        if name.count >= FAILURES {
            return Err(self.refusal(subject.failed_too_often(), name.left.div_ceil(1000)));
        }
        Ok(())
    }

    /// Refuses an attempt without a check; in `seconds` another may succeed.
    fn refusal(&self, rule: Rule, seconds: u64) -> OAuthError {
        self.refused.fetch_add(1, Ordering::Relaxed);
        rule.error().retry_after(seconds.max(1))
    }

    fn key(&self, of: impl Hash) -> u64 {
        self.hasher.hash_one(of)
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
