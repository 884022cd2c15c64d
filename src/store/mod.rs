//! What has been issued: tokens, codes and pending devices, as plain rows. The rules of OAuth are
//! not here: the grants decide, and the store promises:
//!
//! - **A step is whole.** All its changes are made or none, and nobody sees half of them.
//! - **Works once.** A step names what must still hold ([`OnlyIf`]). Of two that redeem the same
//!   code, rotate the same refresh token or collect the same device's tokens, one succeeds and the
//!   other learns that it came too late (RFC 6749, section 4.1.2; RFC 9700, section 4.14.2).
//! - **A family ends as a whole.** Its code, its refresh tokens and its access tokens go in the
//!   same step.
//! - **Tokens are not stored.** Everything is found by a hash ([`Key`]), in memory too.
//! - **Removed means removed.** Rows name clients, users and resources by number. A name that
//!   leaves the configuration loses its number, and gets a new one if it comes back.
//! - **Expired is gone.** No look-up finds what has expired, and a sweep frees its memory within 60
//!   s. A client that has too many tokens loses its oldest.
//!
//! [`rows`] says what is stored, [`memory`] is the one lock. [`shelf`] is the table behind it,
//! which finds a row by its key, the oldest of a client, and the next to expire. [`engine`] makes
//! the same promises to replicas, except that it has no limit on a client's tokens.

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
use crate::step_aside::StepAside;
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

/// Where everything that was issued is kept.
pub struct Store {
    place: Place,
}

/// Nothing can be looked up, or nothing can be issued or revoked, for now. That never means "no
/// such token".
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unavailable {
    /// Seconds until it may be over.
    pub retry_after: u64,
}

/// What the operator has to know about the state file or the engine.
#[derive(Debug, PartialEq)]
pub struct Notice {
    /// Whether it is about something that does not work.
    pub is_fault: bool,
    pub what: String,
}

/// The row, `None` if there is none, or an error if we cannot tell.
pub type Found<T> = Result<Option<T>, Unavailable>;

/// How many of each are stored, including expired ones that no sweep has freed yet.
#[derive(Debug, Default, PartialEq)]
pub struct Counts {
    pub access_tokens: usize,
    pub refresh_tokens: usize,
    pub codes: usize,
    pub devices: usize,
}

impl Store {
    /// An empty store, in memory alone.
    pub fn new() -> Store {
        Store { place: Place::Memory(Memory::new()) }
    }

    /// A store whose steps outlive the process in this file, with what the file has already. An
    /// error is a line for the operator.
    pub fn open(path: &Path, policy: SyncPolicy) -> Result<Store, String> {
        Ok(Store { place: Place::Memory(Memory::open(path, policy)?) })
    }

    /// A store that replicas share, in this engine. An error is a line for the operator.
    pub fn shared(config: EngineConfig) -> Result<Store, String> {
        Ok(Store { place: Place::Engine(Box::new(Engine::open(config)?)) })
    }

    /// To be called when a request begins on this thread, whose time is limited with an engine.
    pub fn begin(&self) {
        self.place.ask(|_| (), Engine::begin);
    }

    /// How threads that use this store let others run before they wait.
    pub fn step_aside(&self) -> StepAside {
        self.place.ask(|_| StepAside::alone(), |_| StepAside::beside_an_engine())
    }

    /// Puts a configuration into force: gives each name its number, the one it had in the previous
    /// configuration or a new one.
    pub fn enrol(&self, registry: &mut Registry) {
        self.place.enrol(registry);
    }

    /// The access token with this key, until it expires.
    pub fn access_token(&self, key: &Key, now: Timestamp) -> Found<AccessToken> {
        self.place.ask(|it| Ok(it.access_token(key, now)), |it| it.access_token(key, now))
    }

    /// The code of this family, until it is redeemed or expires.
    pub fn code(&self, family: &Key, now: Timestamp) -> Found<Code> {
        self.place.ask(|it| Ok(it.code(family, now)), |it| it.code(family, now))
    }

    /// The family with this key, while any of its tokens lives.
    pub fn family(&self, key: &Key, now: Timestamp) -> Found<Family> {
        self.place.ask(|it| Ok(it.family(key, now)), |it| it.family(key, now))
    }

    /// The device with this device code, until a while after the code expires.
    pub fn device(&self, key: &Key, now: Timestamp) -> Found<Device> {
        self.place.ask(|it| Ok(it.device(key, now)), |it| it.device(key, now))
    }

    /// The device that shows this user code and waits for a decision, with its key.
    pub fn device_showing(&self, code: &UserCode, now: Timestamp) -> Found<(Key, Device)> {
        self.place.ask(|it| Ok(it.device_showing(code, now)), |it| it.device_showing(code, now))
    }

    /// How many devices of this client are stored; an engine does not count them.
    pub fn devices_of(&self, client: Number) -> Result<usize, Unavailable> {
        self.place.ask(|it| Ok(it.devices_of(client)), |_| Ok(0))
    }

    /// Calls `see` with all rows, slice by slice; `place.rs` says in which order.
    pub fn each(
        &self,
        see: &mut dyn FnMut(Vec<(Key, Row)>) -> Result<(), Unavailable>,
    ) -> Result<(), Unavailable> {
        self.place.each(see)
    }

    /// Makes a step: all of its changes, or none if its condition no longer holds. Returns how many
    /// tokens it took out, or `None` if it came too late.
    pub fn apply(
        &self,
        only_if: OnlyIf,
        changes: impl IntoIterator<Item = Change>,
    ) -> Found<usize> {
        self.place.apply(only_if, changes.into_iter().collect())
    }

    /// Frees some of what has expired; true if there may be more.
    pub fn sweep(&self, now: Timestamp) -> bool {
        self.place.ask(|it| it.sweep(now), |_| false)
    }

    /// Frees the rows of names that have left the configuration, in slices with a `pause` between
    /// them. There is no hurry: such rows count for nothing.
    pub fn free_unknown(&self, registry: &Registry, pause: impl Fn()) {
        self.place.ask(|it| it.free_unknown(registry, pause), |_| ());
    }

    /// To be called each second. Returns what the operator has to know.
    pub fn upkeep(&self) -> Vec<Notice> {
        self.place.ask(Memory::upkeep, Engine::upkeep)
    }

    /// Writes to the file what is still in memory alone, at a stop. An error is a line for the
    /// operator.
    pub fn finish(&self) -> Result<(), String> {
        self.place.ask(Memory::finish, |_| Ok(()))
    }

    /// Whether anything can be issued or revoked now.
    pub fn check(&self) -> Result<(), Unavailable> {
        self.place.ask(Memory::check, Engine::check)
    }

    /// How much is stored; an engine does not count it.
    pub fn counts(&self) -> Counts {
        self.place.ask(Memory::counts, |_| Counts::default())
    }

    /// How many access and refresh tokens of this client are stored.
    pub fn tokens_of(&self, client: Number) -> (usize, usize) {
        self.place.ask(|it| it.tokens_of(client), |_| (0, 0))
    }

    /// The condition of the state file, if there is one.
    pub fn file_status(&self) -> Option<FileStatus> {
        self.place.ask(|it| it.file.as_ref().map(StateFile::status), |_| None)
    }

    /// The condition of the engine, if there is one.
    pub fn engine_status(&self) -> Option<EngineStatus> {
        self.place.ask(|_| None, |it| Some(it.status()))
    }
}
