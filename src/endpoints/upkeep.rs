//! What the server does besides answering, so that it can run for years.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::{App, Settings};
use crate::clock;
use crate::oauth::{Client, GrantType, Timestamp};
use crate::store::{Counts, Notice, Store};
use crate::watch::log::Level;
use crate::watch::metrics::{LiveTokens, Vitals};

/// The pause between two slices of housekeeping, in which requests go on.
const PAUSE: Duration = Duration::from_micros(100);

impl App {
    /// What is done each second: frees what has expired, and takes care of the state file.
    pub fn sweep(&self) {
        while self.store.sweep(clock::now()) {
            thread::sleep(PAUSE);
        }
        for Notice { is_fault, what } in self.store.upkeep() {
            self.log.tell(if is_fault { Level::Error } else { Level::Notice }, &what);
        }
        if self.store.file_status().is_some_and(|file| file.is_well) {
            self.vitals().synced = clock::now().seconds();
        }
    }

    /// Notes for the metrics that a reload has failed.
    pub fn reload_failed(&self) {
        self.vitals().reload_failed = true;
    }

    pub(super) fn vitals(&self) -> MutexGuard<'_, Vitals> {
        self.vitals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The live tokens of each client.
    pub(super) fn live_tokens_by_client(&self) -> Vec<LiveTokens> {
        if self.store.engine_status().is_some() {
            return Vec::new();
        }
        let settings = self.settings.get();
        let of = |client: &Client| {
            let (access, refresh) = self.store.tokens_of(client.number);
            let refresh = if client.may(GrantType::RefreshToken) { refresh } else { 0 };
            [("access", access), ("refresh", refresh)].map(|(kind, count)| LiveTokens {
                client: Arc::clone(&client.id),
                kind,
                count,
            })
        };
        settings.registry.clients().iter().flat_map(of).collect()
    }

    /// How many tokens are stored, including expired ones that no sweep has freed yet.
    pub fn live_tokens(&self) -> usize {
        let Counts { access_tokens, refresh_tokens, .. } = self.store.counts();
        access_tokens + refresh_tokens
    }

    /// From now on `/readyz` answers 503.
    pub fn begins_to_stop(&self) {
        self.is_stopping.store(true, Relaxed);
    }

    /// What `--tokens` and `--end` need: the configuration, and what was issued.
    pub fn state(&self) -> (Arc<Settings>, &Store, Timestamp) {
        (self.settings.get(), &self.store, clock::now())
    }

    /// Writes to the state file what is still in memory alone, at a stop. An error is a line for
    /// the operator.
    pub fn finish(&self) -> Result<(), String> {
        self.store.finish()
    }

    /// Frees the tokens of clients and users that the configuration no longer has.
    pub fn free_unknown(&self) {
        self.store.free_unknown(&self.settings.get().registry, || thread::sleep(PAUSE));
    }
}
