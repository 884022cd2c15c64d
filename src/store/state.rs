//! Everything that is stored, and the one function that changes it, for a request as for a state
//! file that is read.

use std::collections::HashMap;

use super::Counts;
use super::key::Key;
use super::keys::Keys;
use super::names::Names;
use super::rows::{AccessToken, Change, Code, Decision, Device, Family, Number, OnlyIf};
use super::shelf::{Kept, Shelf};
use super::tail::Tail;
use crate::oauth::{Timestamp, UserCode};

/// The most codes of one client that may wait to be redeemed.
const CODES: usize = 10_000;

pub struct State {
    pub access_tokens: Shelf<AccessToken>,
    pub codes: Shelf<Code>,
    pub families: Shelf<Member>,
    pub devices: Shelf<Device>,
    /// The user codes of devices that wait for a decision.
    pub user_codes: HashMap<UserCode, Key>,
    pub names: Names,
    /// The most live access tokens of one client, and the most families. There is no limit while a
    /// file is read, which says itself what had to make room.
    pub limit: usize,
    /// How many families have no refresh token, and are only kept to recognize a used code.
    without_refresh_token: usize,
    /// For each client, the number of valid refresh tokens beside its families' newest.
    pub beside: HashMap<Number, usize>,
    /// For the state file; `None` if there is none.
    pub tail: Option<Tail>,
}

/// The result of a step.
#[derive(Default)]
pub struct Stepped {
    /// How many tokens it took out.
    pub taken: usize,
    pub ends_something: bool,
    /// The position up to which the file must be written for it.
    pub position: u64,
}

/// A family, and the access tokens that name it.
pub struct Member {
    pub row: Family,
    access_tokens: Keys,
}

impl State {
    pub fn new() -> State {
        State {
            access_tokens: Shelf::new(),
            codes: Shelf::new(),
            families: Shelf::new(),
            devices: Shelf::new(),
            user_codes: HashMap::new(),
            names: Names::default(),
            limit: usize::MAX,
            without_refresh_token: 0,
            beside: HashMap::new(),
            tail: None,
        }
    }

    /// Makes the changes of a step, and records them for the file.
    pub fn step(&mut self, changes: impl IntoIterator<Item = Change>) -> Stepped {
        let mut stepped = Stepped::default();
        if let Some(tail) = &mut self.tail {
            tail.begin();
        }
        for change in changes {
            stepped.ends_something |= change.ends_something();
            self.keep(&change);
            stepped.taken += self.apply(change);
        }
        if let Some(tail) = &mut self.tail {
            stepped.position = tail.end();
        }
        stepped
    }

    fn keep(&mut self, change: &Change) {
        if let Some(tail) = &mut self.tail {
            tail.record(change);
        }
    }

    /// Frees some of what has expired; true if there may be more. The file need not know, since
    /// after a restart it expires again.
    pub fn sweep(&mut self, now: Timestamp, slice: usize) -> bool {
        for _ in 0..slice {
            if let Some((key, row)) = self.access_tokens.pop_gone(now) {
                self.leave_family(&key, &row);
            } else if let Some((_, member)) = self.families.pop_gone(now) {
                self.forget(member);
            } else if let Some((_, device)) = self.devices.pop_gone(now) {
                self.user_codes.remove(&device.user_code);
            } else if self.codes.pop_gone(now).is_none() {
                return false;
            }
        }
        true
    }

    pub fn counts(&self) -> Counts {
        Counts {
            access_tokens: self.access_tokens.len(),
            refresh_tokens: self.families.len() - self.without_refresh_token
                + self.beside.values().sum::<usize>(),
            codes: self.codes.len(),
            devices: self.devices.len(),
        }
    }

    /// About how many bytes a file with all this would have.
    pub fn weight(&self) -> u64 {
        let shelves = self.access_tokens.weight() + self.codes.weight();
        (shelves + self.families.weight() + self.devices.weight()) as u64
    }

    /// Sorts each client's rows by the time of issue, after a file was read.
    pub fn put_in_order(&mut self) {
        self.access_tokens.put_in_order();
        self.codes.put_in_order();
        self.families.put_in_order();
        self.devices.put_in_order();
    }

    pub fn holds(&self, only_if: OnlyIf) -> bool {
        // What has expired in the meantime was alive when the step was decided.
        const EVER: Timestamp = Timestamp(0);
        let undecided = |key| self.devices.get(key, EVER).is_some_and(|row| row.decision.is_none());
        match only_if {
            OnlyIf::Always => true,
            OnlyIf::CodeIs(family, key) => {
                self.codes.get(&family, EVER).is_some_and(|code| code.key == key)
            }
            OnlyIf::RefreshTokenIs(family, key) => self
                .families
                .get(&family, EVER)
                .is_some_and(|member| member.row.refresh_token == Some(key)),
            OnlyIf::RoomForDevice(client, limit, code) => {
                self.devices.len_of(client) < limit && !self.user_codes.contains_key(&code)
            }
            OnlyIf::Undecided(key) => undecided(&key),
            OnlyIf::Allowed(key) => self
                .devices
                .get(&key, EVER)
                .is_some_and(|row| matches!(row.decision, Some(Decision::Allowed { .. }))),
        }
    }

    /// The one function that changes anything. Returns how many tokens it took out.
    pub fn apply(&mut self, change: Change) -> usize {
        match change {
            Change::PutAccessToken(key, row) => self.put_access_token(key, row),
            Change::TakeAccessToken(key) => return self.take_access_token(key),
            Change::PutCode(family, row) => self.put_code(family, row),
            Change::TakeCode(family) => drop(self.codes.remove(&family)),
            Change::PutFamily(key, row) => self.put_family(key, row),
            Change::TakeAccessTokensOf(family) => {
                let member = self.families.get_mut(&family);
                let keys = member.map(|member| std::mem::take(&mut member.access_tokens));
                return self.take_access_tokens(keys.unwrap_or_default());
            }
            Change::TakeFamily(key) => {
                self.codes.remove(&key);
                return self.families.remove(&key).map_or(0, |member| self.forget(member));
            }
            Change::PutDevice(key, row) => self.put_device(key, row),
            Change::Decide(key, decision) => self.decide(key, decision),
            Change::Poll(key, polled, interval) => {
                if let Some(device) = self.devices.get_mut(&key) {
                    (device.polled, device.interval) = (Some(polled), interval);
                }
            }
            Change::TakeDevice(key) => self.take_device(key),
            Change::PutName(..) | Change::TakeName(..) | Change::LastNumber(_) => {
                self.names.apply(&change);
            }
        }
        0
    }

    fn put_code(&mut self, family: Key, row: Code) {
        self.codes.remove(&family);
        let limit = if self.limit == usize::MAX { usize::MAX } else { CODES };
        if let Some((oldest, _)) = self.codes.insert(family, row, limit) {
            self.keep(&Change::TakeCode(oldest));
        }
    }

    fn put_device(&mut self, key: Key, row: Device) {
        self.take_device(key);
        if row.decision.is_none() {
            self.user_codes.insert(row.user_code, key);
        }
        self.devices.insert(key, row, usize::MAX);
    }

    fn decide(&mut self, key: Key, decision: Decision) {
        if let Some(device) = self.devices.get_mut(&key) {
            device.decision = Some(decision);
            self.user_codes.remove(&device.user_code);
        }
    }

    fn take_device(&mut self, key: Key) {
        if let Some(device) = self.devices.remove(&key) {
            self.user_codes.remove(&device.user_code);
        }
    }

    fn take_access_token(&mut self, key: Key) -> usize {
        let taken = self.access_tokens.remove(&key);
        if let Some(row) = &taken {
            self.leave_family(&key, row);
        }
        usize::from(taken.is_some())
    }

    /// The family of a key never changes, so a row that is replaced stays in its family.
    fn put_access_token(&mut self, key: Key, row: AccessToken) {
        self.access_tokens.remove(&key);
        if let Some(member) = row.family.and_then(|family| self.families.get_mut(&family)) {
            member.access_tokens.add(key);
            if self.limit != usize::MAX
                && let Some(oldest) = member.access_tokens.surplus()
            {
                self.keep(&Change::TakeAccessToken(oldest));
                self.take_access_token(oldest);
            }
        }
        if let Some((key, oldest)) = self.access_tokens.insert(key, row, self.limit) {
            self.keep(&Change::TakeAccessToken(key));
            self.leave_family(&key, &oldest);
        }
    }

    /// A family that is replaced keeps its access tokens.
    fn put_family(&mut self, key: Key, row: Family) {
        let before = self.families.remove(&key);
        if let Some(member) = &before {
            self.uncount(&member.row);
        }
        let access_tokens = before.map(|member| member.access_tokens).unwrap_or_default();
        let client = row.client;
        self.count(&row);
        let oldest = self.families.insert(key, Member { row, access_tokens }, self.limit);
        if let Some((key, oldest)) = oldest {
            self.keep(&Change::TakeFamily(key));
            self.forget(oldest);
        }
        // Those beside the newest count, too, so an older family goes. One is enough, since a step
        // adds one.
        let beside = self.beside.get(&client).copied().unwrap_or(0);
        if beside > 0
            && self.families.len_of(client) + beside > self.limit
            && let Some(oldest) = self.families.oldest_of(client)
            && oldest != key
        {
            self.keep(&Change::TakeFamily(oldest));
            self.apply(Change::TakeFamily(oldest));
        }
    }

    fn count(&mut self, family: &Family) {
        self.without_refresh_token += usize::from(family.refresh_token.is_none());
        if !family.beside.is_empty() {
            *self.beside.entry(family.client).or_default() += family.good_beside();
        }
    }

    fn uncount(&mut self, family: &Family) {
        self.without_refresh_token -= usize::from(family.refresh_token.is_none());
        if let Some(beside) = self.beside.get_mut(&family.client) {
            *beside -= family.good_beside();
            if *beside == 0 {
                self.beside.remove(&family.client);
            }
        }
    }

    /// An access token is gone. A family of which nothing is left goes with it.
    fn leave_family(&mut self, key: &Key, row: &AccessToken) {
        let Some(family) = row.family else { return };
        let Some(member) = self.families.get_mut(&family) else { return };
        member.access_tokens.remove(key);
        let over = member.access_tokens.is_empty() && member.row.refresh_token.is_none();
        if over && let Some(member) = self.families.remove(&family) {
            self.forget(member);
        }
    }

    /// Takes out what belonged to a family that was taken out. Returns how many tokens that were.
    fn forget(&mut self, member: Member) -> usize {
        self.uncount(&member.row);
        let refresh_tokens =
            usize::from(member.row.refresh_token.is_some()) + member.row.good_beside();
        refresh_tokens + self.take_access_tokens(member.access_tokens)
    }

    fn take_access_tokens(&mut self, keys: Keys) -> usize {
        let mut taken = 0;
        keys.each(|key| taken += usize::from(self.access_tokens.remove(key).is_some()));
        taken
    }
}

impl Kept for Member {
    fn client(&self) -> Number {
        self.row.client
    }
    fn user(&self) -> Option<Number> {
        Some(self.row.user)
    }
    fn resource(&self) -> Option<Number> {
        self.row.resource
    }
    fn gone(&self) -> Timestamp {
        self.row.expires
    }
    fn begun(&self) -> Timestamp {
        self.row.issued_at
    }
    fn weight(&self) -> usize {
        110 + self.row.scope.as_str().len() + 46 * self.row.beside.len()
    }
}
