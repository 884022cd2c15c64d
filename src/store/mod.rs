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
//! [`rows`] says what is kept, [`memory`] is the one lock; [`shelf`] is how a look-up, the oldest
//! of a client and the next to expire are all found at once.

mod chain;
#[cfg(test)]
mod durability;
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
pub use kept::Owner;
pub use key::Key;
use memory::Memory;
pub use rows::{
    AccessToken, Change, Code, Decision, Device, Family, Kind, Number, OnlyIf, RefreshToken, Row,
};
use state_file::StateFile;
pub use state_file::SyncPolicy;

/// Where everything is that was given out.
pub struct Store {
    memory: Memory,
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

/// How a state file is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FileStatus {
    pub bytes: u64,
    /// Writes and syncs that have failed.
    pub errors: u64,
    /// Whether the next step can be written.
    pub is_well: bool,
}

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
        Store { memory: Memory::new() }
    }

    /// One whose steps outlive the process in this file, with what is there already. An error is a
    /// line for the operator.
    pub fn open(path: &Path, policy: SyncPolicy) -> Result<Store, String> {
        Ok(Store { memory: Memory::open(path, policy)? })
    }

    /// Puts a configuration into force: gives each name its number, the one that it had in the
    /// configuration before or a new one, and takes the bound on tokens over.
    pub fn enrol(&self, registry: &mut Registry) {
        self.memory.enrol(registry);
    }

    /// The access token of this key, while it lives.
    pub fn access_token(&self, key: &Key, now: Timestamp) -> Found<AccessToken> {
        Ok(self.memory.access_token(key, now))
    }

    /// The code that waits to be redeemed for this family.
    pub fn code(&self, family: &Key, now: Timestamp) -> Found<Code> {
        Ok(self.memory.code(family, now))
    }

    /// The family of this key, while anything of it lives.
    pub fn family(&self, key: &Key, now: Timestamp) -> Found<Family> {
        Ok(self.memory.family(key, now))
    }

    /// The device of this device code's key; a while longer than the code is good.
    pub fn device(&self, key: &Key, now: Timestamp) -> Found<Device> {
        Ok(self.memory.device(key, now))
    }

    /// The device that shows this user code and waits for a person, with its key.
    pub fn device_showing(&self, code: &UserCode, now: Timestamp) -> Found<(Key, Device)> {
        Ok(self.memory.device_showing(code, now))
    }

    /// How many devices of this client are kept.
    pub fn devices_of(&self, client: Number) -> Result<usize, Unavailable> {
        Ok(self.memory.devices_of(client))
    }

    /// Shows everything there is, slice by slice, for who looks through all of it. Nobody waits for
    /// that, so rows may change meanwhile; what comes meanwhile may be missed. What can still turn
    /// into something else is shown before it: devices and codes, families, then access tokens. So
    /// whoever takes out all they see has taken out whatever came of it, too.
    pub fn each(
        &self,
        see: &mut dyn FnMut(Vec<(Key, Row)>) -> Result<(), Unavailable>,
    ) -> Result<(), Unavailable> {
        self.memory.each(see)
    }

    /// Makes a step: all of its changes, or, where its condition does not hold any more, none. How
    /// many tokens it has taken out; `None` where it came too late.
    pub fn apply(
        &self,
        only_if: OnlyIf,
        changes: impl IntoIterator<Item = Change>,
    ) -> Found<usize> {
        self.memory.apply(only_if, changes)
    }

    /// Frees some of what has expired; true where there may be more.
    pub fn sweep(&self, now: Timestamp) -> bool {
        self.memory.sweep(now)
    }

    /// Frees what belongs to names that are not in force any more, in slices with a `pause` between
    /// them. Nobody waits for it: no look-up counts such a row.
    pub fn free_unknown(&self, registry: &Registry, pause: impl Fn()) {
        self.memory.free_unknown(registry, pause);
    }

    /// What has to be done each second so that everything outlives the process; what an operator
    /// has to hear of it.
    pub fn upkeep(&self) -> Vec<Notice> {
        self.memory.upkeep()
    }

    /// Leaves nothing in memory alone, at a stop. An error is a line for the operator.
    pub fn finish(&self) -> Result<(), String> {
        self.memory.finish()
    }

    /// Whether anything can be given or ended now.
    pub fn check(&self) -> Result<(), Unavailable> {
        self.memory.check()
    }

    pub fn counts(&self) -> Counts {
        self.memory.counts()
    }

    /// How many access and refresh tokens of this client are held.
    pub fn tokens_of(&self, client: Number) -> (usize, usize) {
        self.memory.tokens_of(client)
    }

    /// How the state file is, where there is one.
    pub fn file_status(&self) -> Option<FileStatus> {
        self.memory.file.as_ref().map(StateFile::status)
    }
}
