//! The one lock. Every method takes it, does one thing as a whole, and lets go; only then does a
//! step wait for the state file, if there is one.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::housekeeping::House;
use super::key::Key;
use super::load::load;
use super::rows::{AccessToken, Change, Code, Device, Family, Number, OnlyIf};
use super::state::State;
use super::state_file::{StateFile, SyncPolicy};
use super::tail::Tail;
use super::{Counts, Found, Unavailable};
use crate::oauth::{Registry, Timestamp, UserCode};

/// How many rows housekeeping looks at each time it holds the lock, for some 50 microseconds.
const SLICE: usize = 128;

pub struct Memory {
    state: Mutex<State>,
    pub(super) file: Option<StateFile>,
    pub(super) house: House,
}

impl Memory {
    /// An empty one, of which nothing outlives the process.
    pub fn new() -> Memory {
        Memory::of(State::new(), None)
    }

    /// Begins with what the file has, and writes every step to it. An error is a line for the
    /// operator.
    pub fn open(path: &Path, policy: SyncPolicy) -> Result<Memory, String> {
        let file = StateFile::open(path, policy)?;
        let mut state = State::new();
        let loaded = load(path, &file.file(), &mut state)?;
        if loaded.dropped > 0 {
            let bytes = loaded.dropped;
            file.notice(&format!("the last {bytes} bytes are an unfinished step; dropped"));
        }
        state.put_in_order();
        state.tail = Some(Tail::new());
        file.begin_at(loaded.end);
        Ok(Memory::of(state, Some(file)))
    }

    fn of(state: State, file: Option<StateFile>) -> Memory {
        Memory { state: Mutex::new(state), file, house: House::default() }
    }

    pub fn enrol(&self, registry: &mut Registry) {
        let mut state = self.lock();
        state.limit = registry.max_tokens_per_client;
        // One step for each name, since a step is limited in size.
        let position = state
            .names
            .changes_for(registry)
            .into_iter()
            .map(|change| state.step([change]).position);
        let position = position.last().unwrap_or(0);
        state.names.number(registry);
        drop(state);
        if let Some(file) = &self.file {
            // Removed names must stay gone, even after a power cut. If the file cannot be written,
            // the operator has been told, and the file gets it as soon as it can be.
            let _ = file.keep(position, true, &|into| self.take(into));
        }
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

    pub fn apply(&self, only_if: OnlyIf, changes: Vec<Change>) -> Found<usize> {
        let file = self.file.as_ref().filter(|_| changes.first().is_some_and(Change::is_kept));
        let mut state = self.lock();
        // Under the lock nobody can come between this look and the step.
        if !state.holds(only_if) {
            return Ok(None);
        }
        // Before anything changes, so that a full disk costs nobody a refresh token.
        file.map_or(Ok(()), StateFile::check)?;
        let step = state.step(changes);
        drop(state);
        if let Some(file) = file {
            file.keep(step.position, step.ends_something, &|into| self.take(into))?;
        }
        Ok(Some(step.taken))
    }

    /// Frees some of what has expired; true if there may be more.
    pub fn sweep(&self, now: Timestamp) -> bool {
        self.lock().sweep(now, SLICE)
    }

    pub fn counts(&self) -> Counts {
        self.lock().counts()
    }

    pub fn tokens_of(&self, client: Number) -> (usize, usize) {
        let state = self.lock();
        let beside = state.beside.get(&client).copied().unwrap_or(0);
        (state.access_tokens.len_of(client), state.families.len_of(client) + beside)
    }

    /// Whether steps can be made now.
    pub fn check(&self) -> Result<(), Unavailable> {
        self.file.as_ref().map_or(Ok(()), StateFile::check)
    }

    pub(super) fn take(&self, into: &mut Vec<u8>) -> u64 {
        self.with_tail(|tail| tail.take(into))
    }

    pub(super) fn mark(&self, confirmed: u64) {
        self.with_tail(|tail| tail.mark(confirmed));
    }

    pub(super) fn with_tail<R: Default>(&self, work: impl FnOnce(&mut Tail) -> R) -> R {
        self.lock().tail.as_mut().map(work).unwrap_or_default()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held must not turn every later request into an error.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The positions of so many rows, in slices from the end: taking a row out moves the last row,
/// which was visited, into its position. Rows that are added meanwhile come last and are not
/// visited.
pub fn slices(rows: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..rows.div_ceil(SLICE)).rev().map(move |at| at * SLICE..rows.min((at + 1) * SLICE))
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
        while world.store.sweep(NOW.plus_seconds(3600 + 60)) {}
        let left = Counts { refresh_tokens: 300, ..Counts::default() };
        assert_eq!(world.store.counts(), left);
        while world.store.sweep(NOW.plus_seconds(1_209_600 + 60)) {}
        assert_eq!(world.store.counts(), Counts::default());
        assert!(world.store.place.memory().lock().user_codes.is_empty());
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
        world.store.free_unknown(&world.registry, || ());
        let left = Counts { access_tokens: 400, ..Counts::default() };
        assert_eq!(world.store.counts(), left);
        let mut world = full(2);
        world.reload(&["a", "b"], &[]);
        world.store.free_unknown(&world.registry, || ());
        let left = Counts { access_tokens: 2, devices: 2, ..Counts::default() };
        assert_eq!(world.store.counts(), left);
    }

    #[test]
    fn what_is_for_a_service_that_is_gone_leaves_memory() {
        let mut world = World::new();
        world.serve(&["https://a", "https://b"]);
        let form = "grant_type=password&username=user&password=password&resource=https://";
        for service in ["a", "b", "b"] {
            world.grant("a", &format!("{form}{service}"), NOW).unwrap();
        }
        world.issue(NOW);
        for (services, left) in
            [(&["https://b/"][..], 3), (&["https://a", "https://b"], 3), (&[], 1)]
        {
            world.serve(services);
            world.store.free_unknown(&world.registry, || ());
            let left = Counts { access_tokens: left, refresh_tokens: left, ..Counts::default() };
            assert_eq!(world.store.counts(), left, "{services:?}");
        }
    }

    /// What a full house holds, whatever order the changes of a replayed step come in.
    #[test]
    fn the_same_changes_made_twice_come_to_the_same() {
        let memory = Memory::new();
        let [family, token] = [Key::of("family"), Key::of("token")];
        let row = AccessToken {
            client: Number(1),
            user: Some(Number(2)),
            resource: None,
            scope: Scope::default(),
            issued_at: NOW,
            expires: NOW.plus_seconds(60),
            family: Some(family),
        };
        let member = Family {
            client: Number(1),
            user: Number(2),
            resource: None,
            scope: Scope::default(),
            issued_at: NOW,
            refresh_token: Some(token),
            refresh_token_expires: NOW.plus_seconds(60),
            expires: NOW.plus_seconds(60),
            beside: Box::default(),
        };
        let counts = Counts { access_tokens: 1, refresh_tokens: 1, ..Counts::default() };
        for _ in 0..2 {
            let changes = vec![
                Change::PutFamily(family, member.clone()),
                Change::PutAccessToken(token, row.clone()),
            ];
            assert_eq!(memory.apply(OnlyIf::Always, changes), Ok(Some(0)));
            assert_eq!(memory.counts(), counts);
        }
        assert_eq!(memory.apply(OnlyIf::Always, vec![Change::TakeFamily(family)]), Ok(Some(2)));
        assert_eq!(memory.apply(OnlyIf::Always, vec![Change::TakeFamily(family)]), Ok(Some(0)));
        let step = OnlyIf::RefreshTokenIs(family, token);
        assert_eq!(memory.apply(step, vec![Change::PutFamily(family, member)]), Ok(None));
        assert_eq!(memory.counts(), Counts::default());
    }
}
