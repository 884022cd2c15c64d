//! The one lock. Every method takes it, does one whole thing, and lets go.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::key::Key;
use super::keys::Keys;
use super::rows::{AccessToken, Change, Code, Decision, Device, Family, Number, OnlyIf, Unmet};
use super::shelf::{Kept, Shelf};
use super::{Counts, names::Names};
use crate::oauth::{Registry, Timestamp, UserCode};

/// Rows that one hold of the lock looks at in housekeeping: some 50 microseconds.
const SLICE: usize = 128;
/// The most codes of one client that wait to be redeemed.
const CODES: usize = 10_000;

pub struct Memory {
    state: Mutex<State>,
}

struct State {
    access_tokens: Shelf<AccessToken>,
    codes: Shelf<Code>,
    families: Shelf<Member>,
    devices: Shelf<Device>,
    /// Of the devices about which nobody has decided.
    user_codes: HashMap<UserCode, Key>,
    names: Names,
    /// The most live access tokens of one client, and the most families.
    limit: usize,
    /// Families without a refresh token: they are there to know a used code.
    without_refresh_token: usize,
}

/// A family, and the access tokens that name it.
struct Member {
    row: Family,
    access_tokens: Keys,
}

impl Memory {
    pub fn new() -> Memory {
        Memory {
            state: Mutex::new(State {
                access_tokens: Shelf::new(),
                codes: Shelf::new(),
                families: Shelf::new(),
                devices: Shelf::new(),
                user_codes: HashMap::new(),
                names: Names::default(),
                limit: usize::MAX,
                without_refresh_token: 0,
            }),
        }
    }

    pub fn enrol(&self, registry: &mut Registry) {
        let mut state = self.lock();
        state.limit = registry.max_tokens_per_client;
        state.names.number(registry);
    }

    pub fn access_token(&self, key: &Key, now: Timestamp) -> Option<AccessToken> {
        self.lock().access_tokens.get(key, now).cloned()
    }

    pub fn code(&self, family: &Key, now: Timestamp) -> Option<Code> {
        self.lock().codes.get(family, now).cloned()
    }

    pub fn family(&self, key: &Key, now: Timestamp) -> Option<Family> {
        self.lock().families.get(key, now).map(|member| member.row.clone())
    }

    pub fn device(&self, key: &Key, now: Timestamp) -> Option<Device> {
        self.lock().devices.get(key, now).cloned()
    }

    pub fn device_showing(&self, code: &UserCode, now: Timestamp) -> Option<(Key, Device)> {
        let state = self.lock();
        let key = *state.user_codes.get(code)?;
        let device = state.devices.get(&key, now)?;
        (now < device.expires).then(|| (key, device.clone()))
    }

    pub fn devices_of(&self, client: Number) -> usize {
        self.lock().devices.len_of(client)
    }

    pub fn apply(
        &self,
        only_if: OnlyIf,
        changes: impl IntoIterator<Item = Change>,
    ) -> Result<usize, Unmet> {
        let mut state = self.lock();
        if !state.holds(only_if) {
            return Err(Unmet);
        }
        Ok(changes.into_iter().map(|change| state.apply(change)).sum())
    }

    /// Frees some of what is gone; true where there may be more.
    pub fn sweep(&self, now: Timestamp) -> bool {
        let mut state = self.lock();
        for _ in 0..SLICE {
            if let Some((key, row)) = state.access_tokens.pop_gone(now) {
                state.leave_family(&key, &row);
            } else if let Some((_, member)) = state.families.pop_gone(now) {
                state.forget(member);
            } else if let Some((_, device)) = state.devices.pop_gone(now) {
                state.user_codes.remove(&device.user_code);
            } else if state.codes.pop_gone(now).is_none() {
                return false;
            }
        }
        true
    }

    /// Frees what belongs to nobody in `registry`; `pause` comes between two holds of the lock.
    pub fn free_unknown(&self, registry: &Registry, pause: impl Fn()) {
        let unknown = |client: Number, user: Option<Number>| {
            registry.client_numbered(client).is_none()
                || user.is_some_and(|user| registry.user_numbered(user).is_none())
        };
        self.free(&pause, |state| &state.families, Change::TakeFamily, &unknown);
        self.free(&pause, |state| &state.access_tokens, Change::TakeAccessToken, &unknown);
        self.free(&pause, |state| &state.codes, Change::TakeCode, &unknown);
        self.free(&pause, |state| &state.devices, Change::TakeDevice, &unknown);
    }

    /// Takes the unwanted rows of a shelf out, a slice at a time.
    fn free<T: Kept>(
        &self,
        pause: &impl Fn(),
        shelf: impl Fn(&State) -> &Shelf<T>,
        take: impl Fn(Key) -> Change,
        unwanted: &impl Fn(Number, Option<Number>) -> bool,
    ) {
        // From the end: taking a row out moves the last one, which has been looked at, into its
        // place. What is given out meanwhile stands behind and is in force.
        let mut left = shelf(&self.lock()).len();
        while left > 0 {
            let slice = left.saturating_sub(SLICE)..left;
            left = slice.start;
            let mut state = self.lock();
            for at in slice.rev() {
                if let Some((key, row)) = shelf(&state).at(at)
                    && unwanted(row.client(), row.user())
                {
                    state.apply(take(key));
                }
            }
            drop(state);
            pause();
        }
    }

    pub fn counts(&self) -> Counts {
        let state = self.lock();
        Counts {
            access_tokens: state.access_tokens.len(),
            refresh_tokens: state.families.len() - state.without_refresh_token,
            codes: state.codes.len(),
            devices: state.devices.len(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not turn every later request into an error.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn holds(&self, only_if: OnlyIf) -> bool {
        // Whatever has expired meanwhile was alive when the step was decided.
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

    /// The one function that changes anything; how many tokens it has taken out.
    fn apply(&mut self, change: Change) -> usize {
        match change {
            Change::PutAccessToken(key, row) => self.put_access_token(key, row),
            Change::TakeAccessToken(key) => {
                let taken = self.access_tokens.remove(&key);
                if let Some(row) = &taken {
                    self.leave_family(&key, row);
                }
                return usize::from(taken.is_some());
            }
            Change::PutCode(family, row) => {
                self.codes.remove(&family);
                self.codes.insert(family, row, CODES);
            }
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
            Change::PutDevice(key, row) => {
                self.apply(Change::TakeDevice(key));
                if row.decision.is_none() {
                    self.user_codes.insert(row.user_code, key);
                }
                self.devices.insert(key, row, usize::MAX);
            }
            Change::Decide(key, decision) => {
                if let Some(device) = self.devices.get_mut(&key) {
                    device.decision = Some(decision);
                    self.user_codes.remove(&device.user_code);
                }
            }
            Change::Poll(key, polled, interval) => {
                if let Some(device) = self.devices.get_mut(&key) {
                    (device.polled, device.interval) = (Some(polled), interval);
                }
            }
            Change::TakeDevice(key) => {
                if let Some(device) = self.devices.remove(&key) {
                    self.user_codes.remove(&device.user_code);
                }
            }
        }
        0
    }

    /// A key's family never changes, so one that is there already needs no other.
    fn put_access_token(&mut self, key: Key, row: AccessToken) {
        self.access_tokens.remove(&key);
        if let Some(member) = row.family.and_then(|family| self.families.get_mut(&family)) {
            member.access_tokens.add(key);
        }
        if let Some((key, oldest)) = self.access_tokens.insert(key, row, self.limit) {
            self.leave_family(&key, &oldest);
        }
    }

    /// The access tokens of a family that is there already stay its own.
    fn put_family(&mut self, key: Key, row: Family) {
        let before = self.families.remove(&key);
        if let Some(member) = &before {
            self.without_refresh_token -= usize::from(member.row.refresh_token.is_none());
        }
        let access_tokens = before.map(|member| member.access_tokens).unwrap_or_default();
        self.without_refresh_token += usize::from(row.refresh_token.is_none());
        let oldest = self.families.insert(key, Member { row, access_tokens }, self.limit);
        if let Some((_, oldest)) = oldest {
            self.forget(oldest);
        }
    }

    /// An access token has gone; a family of which nothing is left goes with it.
    fn leave_family(&mut self, key: &Key, row: &AccessToken) {
        let Some(family) = row.family else { return };
        let Some(member) = self.families.get_mut(&family) else { return };
        member.access_tokens.remove(key);
        let over = member.access_tokens.is_empty() && member.row.refresh_token.is_none();
        if over && let Some(member) = self.families.remove(&family) {
            self.forget(member);
        }
    }

    /// Ends what a family that was taken out has left; how many tokens that were.
    fn forget(&mut self, member: Member) -> usize {
        let refreshable = member.row.refresh_token.is_some();
        self.without_refresh_token -= usize::from(!refreshable);
        usize::from(refreshable) + self.take_access_tokens(member.access_tokens)
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
    fn gone(&self) -> Timestamp {
        self.row.expires
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::Scope;
    use crate::oauth::grants::samples::{NOW, World};

    /// A world with something of each kind of `a` and `user`, and a token of `b` alone.
    fn full(rows: usize) -> World {
        let world = World::new();
        for _ in 0..rows {
            world.issue(NOW);
            world.code(None);
            world.device("a");
            world.grant("b", "grant_type=client_credentials", NOW).unwrap();
        }
        world
    }

    #[test]
    fn expired_entries_leave_memory() {
        let world = full(300);
        world.store.sweep(NOW.plus_seconds(10));
        assert_eq!(world.store.counts().access_tokens, 600);
        world.store.sweep(NOW.plus_seconds(3600 + 60));
        let left = Counts { refresh_tokens: 300, ..Counts::default() };
        assert_eq!(world.store.counts(), left);
        world.store.sweep(NOW.plus_seconds(1_209_600 + 60));
        assert_eq!(world.store.counts(), Counts::default());
        assert!(world.store.memory.lock().user_codes.is_empty());
    }

    #[test]
    fn the_oldest_of_a_client_makes_room() {
        let mut world = World::new();
        world.registry.max_tokens_per_client = 2;
        world.store.enrol(&mut world.registry);
        let tokens: Vec<_> = (0..3).map(|_| world.issue(NOW)).collect();
        let live: Vec<_> =
            tokens.iter().map(|issued| world.is_live(&issued.access_token, NOW)).collect();
        assert_eq!(live, [false, true, true]);
        let counts = Counts { access_tokens: 2, refresh_tokens: 2, ..Counts::default() };
        assert_eq!(world.store.counts(), counts);
        world.grant("b", "grant_type=client_credentials", NOW).unwrap();
        assert_eq!(world.store.counts().access_tokens, 3);
    }

    #[test]
    fn who_is_gone_leaves_memory_and_others_stay() {
        let mut world = full(400);
        world.reload(&["b"], &["user"]);
        world.store.free_unknown(&world.registry);
        let left = Counts { access_tokens: 400, ..Counts::default() };
        assert_eq!(world.store.counts(), left);
        let mut world = full(2);
        world.reload(&["a", "b"], &[]);
        world.store.free_unknown(&world.registry);
        let left = Counts { access_tokens: 2, devices: 2, ..Counts::default() };
        assert_eq!(world.store.counts(), left);
    }

    /// What a full house holds, whatever order the changes of a replayed step come in.
    #[test]
    fn the_same_changes_made_twice_come_to_the_same() {
        let memory = Memory::new();
        let [family, token] = [Key::of("family"), Key::of("token")];
        let row = AccessToken {
            client: Number(1),
            user: Some(Number(2)),
            scope: Scope::default(),
            issued_at: NOW,
            expires: NOW.plus_seconds(60),
            family: Some(family),
        };
        let member = Family {
            client: Number(1),
            user: Number(2),
            scope: Scope::default(),
            issued_at: NOW,
            refresh_token: Some(token),
            refresh_token_expires: NOW.plus_seconds(60),
            expires: NOW.plus_seconds(60),
        };
        let counts = Counts { access_tokens: 1, refresh_tokens: 1, ..Counts::default() };
        for _ in 0..2 {
            let changes = [
                Change::PutFamily(family, member.clone()),
                Change::PutAccessToken(token, row.clone()),
            ];
            assert_eq!(memory.apply(OnlyIf::Always, changes), Ok(0));
            assert_eq!(memory.counts(), counts);
        }
        assert_eq!(memory.apply(OnlyIf::Always, [Change::TakeFamily(family)]), Ok(2));
        assert_eq!(memory.apply(OnlyIf::Always, [Change::TakeFamily(family)]), Ok(0));
        let step = OnlyIf::RefreshTokenIs(family, token);
        assert_eq!(memory.apply(step, [Change::PutFamily(family, member)]), Err(Unmet));
        assert_eq!(memory.counts(), Counts::default());
    }
}
