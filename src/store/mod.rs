//! What has been given out: tokens, codes and pending devices, as plain rows. Nothing here knows a
//! rule of OAuth; the grants decide, and the store promises:
//!
//! - **A step is whole.** Its changes are made together or not at all, and nobody sees half of them.
//! - **Works once.** A step names what must still hold ([`OnlyIf`]): of two that redeem the same
//!   code, rotate the same refresh token or take the same device's answer, one succeeds and the
//!   other hears that it came too late (RFC 6749, section 4.1.2; RFC 9700, section 4.14.2).
//! - **Ends the family.** When a family goes, its code, its refresh token and its access tokens go
//!   in the same step.
//! - **Tokens are not kept.** Everything stands under a hash ([`Key`]), in memory too.
//! - **Removed means removed.** Rows name clients, users and resources by number. A name that leaves
//!   the configuration loses its number, and one that comes back gets a new one.
//! - **Expired is gone.** No look-up finds what has expired, and a sweep frees it within 60 s. The
//!   same for the oldest of a client that has too many.
//!
//! [`rows`] says what is kept, [`memory`] is the one lock; [`shelf`] finds a row, the oldest of a
//! client and the next to expire at once. [`engine`] promises replicas all but the last bound.

mod chain;
#[cfg(test)]
mod durability;
mod engine;
mod field;
pub mod fold;
mod frame;
mod housekeeping;
mod kept;
mod key;
mod keys;
mod load;
mod memory;
mod names;
mod new_file;
mod place;
mod record;
mod rows;
mod shelf;
mod smooth_map;
mod state;
mod state_file;
mod tail;
mod walk;

use std::path::Path;

use crate::oauth::{Registry, Timestamp, UserCode};
use engine::Engine;
pub use engine::{Durations, EngineConfig, EngineStatus, Place as EnginePlace};
pub use kept::Owner;
pub use key::Key;
use memory::Memory;
use place::Place;
pub use rows::{
    AccessToken, Change, Code, Decision, Device, Family, Kind, Number, OnlyIf, RefreshToken, Row,
};
use state_file::StateFile;
pub use state_file::{FileStatus, SyncPolicy};

/// Where everything is that was given out.
pub struct Store {
    place: Place,
}

/// What was given out cannot be looked up, or nothing can be given or ended, for now. That is never
/// the same as "no such token".
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unavailable {
    /// Seconds after which it may be over.
    pub retry_after: u64,
}

/// What an operator has to hear of the place where everything is kept.
#[derive(Debug, PartialEq)]
pub struct Notice {
    /// Whether something does not work.
    pub is_fault: bool,
    pub what: String,
}

/// A row, if there is one and if that can be said.
pub type Found<T> = Result<Option<T>, Unavailable>;

/// How many of each are held, the expired ones that no sweep has seen among them.
#[derive(Debug, Default, PartialEq)]
pub struct Counts {
    pub access_tokens: usize,
    pub refresh_tokens: usize,
    pub codes: usize,
    pub devices: usize,
}

impl Store {
    /// An empty one, in memory alone.
    pub fn new() -> Store {
        Store { place: Place::Memory(Memory::new()) }
    }

    /// One whose steps outlive the process in this file, with what is there already. An error is a
    /// line for the operator.
    pub fn open(path: &Path, policy: SyncPolicy) -> Result<Store, String> {
        Ok(Store { place: Place::Memory(Memory::open(path, policy)?) })
    }

    /// One that replicas share in this engine. An error is a line for the operator.
    pub fn shared(config: EngineConfig) -> Result<Store, String> {
        Ok(Store { place: Place::Engine(Box::new(Engine::open(config)?)) })
    }

    /// A request of this thread begins, and its time for all that it asks of an engine.
    pub fn begin(&self) {
        self.place.ask(|_| (), Engine::begin);
    }

    /// Puts a configuration into force: each name keeps its number from the one before, or gets one.
    pub fn enrol(&self, registry: &mut Registry) {
        self.place.enrol(registry);
    }

    /// The access token of this key, while it lives.
    pub fn access_token(&self, key: &Key, now: Timestamp) -> Found<AccessToken> {
        self.place.ask(|it| Ok(it.access_token(key, now)), |it| it.access_token(key, now))
    }

    /// The code that waits to be redeemed for this family.
    pub fn code(&self, family: &Key, now: Timestamp) -> Found<Code> {
        self.place.ask(|it| Ok(it.code(family, now)), |it| it.code(family, now))
    }

    /// The family of this key, while anything of it lives.
    pub fn family(&self, key: &Key, now: Timestamp) -> Found<Family> {
        self.place.ask(|it| Ok(it.family(key, now)), |it| it.family(key, now))
    }

    /// The device of this device code's key; a while longer than the code is good.
    pub fn device(&self, key: &Key, now: Timestamp) -> Found<Device> {
        self.place.ask(|it| Ok(it.device(key, now)), |it| it.device(key, now))
    }

    /// The device that shows this user code and waits for a person, with its key.
    pub fn device_showing(&self, code: &UserCode, now: Timestamp) -> Found<(Key, Device)> {
        self.place.ask(|it| Ok(it.device_showing(code, now)), |it| it.device_showing(code, now))
    }

    /// How many devices of this client are kept; an engine does not count them.
    pub fn devices_of(&self, client: Number) -> Result<usize, Unavailable> {
        self.place.ask(|it| Ok(it.devices_of(client)), |_| Ok(0))
    }

    /// Shows everything there is, slice by slice, for whoever looks through all of it.
    pub fn each(
        &self,
        see: &mut dyn FnMut(Vec<(Key, Row)>) -> Result<(), Unavailable>,
    ) -> Result<(), Unavailable> {
        self.place.each(see)
    }

    /// Makes a step: all of its changes, or, where its condition does not hold any more, none. How
    /// many tokens it has taken out; `None` where it came too late.
    pub fn apply(
        &self,
        only_if: OnlyIf,
        changes: impl IntoIterator<Item = Change>,
    ) -> Found<usize> {
        self.place.apply(only_if, changes)
    }

    /// Frees some of what has expired; true where there may be more.
    pub fn sweep(&self, now: Timestamp) -> bool {
        self.place.ask(|it| it.sweep(now), |_| false)
    }

    /// Frees what belongs to names that are not in force any more, in slices with a `pause` between.
    pub fn free_unknown(&self, registry: &Registry, pause: impl Fn()) {
        self.place.ask(|it| it.free_unknown(registry, pause), |_| ());
    }

    /// What has to be done each second; what an operator has to hear.
    pub fn upkeep(&self) -> Vec<Notice> {
        self.place.ask(Memory::upkeep, Engine::upkeep)
    }

    /// Leaves nothing in memory alone, at a stop. An error is a line for the operator.
    pub fn finish(&self) -> Result<(), String> {
        self.place.ask(Memory::finish, |_| Ok(()))
    }

    /// Whether anything can be given or ended now.
    pub fn check(&self) -> Result<(), Unavailable> {
        self.place.ask(Memory::check, Engine::check)
    }

    /// How much is held; an engine does not count.
    pub fn counts(&self) -> Counts {
        self.place.ask(Memory::counts, |_| Counts::default())
    }

    /// How many access and refresh tokens of this client are held.
    pub fn tokens_of(&self, client: Number) -> (usize, usize) {
        self.place.ask(|it| it.tokens_of(client), |_| (0, 0))
    }

    /// How the state file is, where there is one.
    pub fn file_status(&self) -> Option<FileStatus> {
        self.place.ask(|it| it.file.as_ref().map(StateFile::status), |_| None)
    }

    /// How the engine is, where there is one.
    pub fn engine_status(&self) -> Option<EngineStatus> {
        self.place.ask(|_| None, |it| Some(it.status()))
    }
}
