//! What the server does beside answering, so that it can go on for years.

use std::thread;
use std::time::{Duration, SystemTime};

use super::{App, timestamp};
use crate::store::{Counts, Notice};
use crate::watch::log::Level;

/// Between two slices of housekeeping, so that requests go on.
const PAUSE: Duration = Duration::from_micros(100);

impl App {
    /// What has to be done each second: frees what has expired, and sees to the state file.
    pub fn sweep(&self) {
        while self.store.sweep(timestamp(SystemTime::now())) {
            thread::sleep(PAUSE);
        }
        for Notice { is_fault, what } in self.store.upkeep() {
            self.log.tell(if is_fault { Level::Error } else { Level::Notice }, &what);
        }
    }

    /// How many tokens are held, the expired ones that no sweep has seen among them.
    pub fn live_tokens(&self) -> usize {
        let Counts { access_tokens, refresh_tokens, .. } = self.store.counts();
        access_tokens + refresh_tokens
    }

    /// Leaves nothing in memory alone, at a stop. An error is a line for the operator.
    pub fn finish(&self) -> Result<(), String> {
        self.store.finish()
    }

    /// Frees what belongs to clients and users that the settings in force do not name.
    pub fn free_unknown(&self) {
        self.store.free_unknown(&self.settings.get().registry, || thread::sleep(PAUSE));
    }
}
