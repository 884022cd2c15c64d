//! Going through everything, a slice at a time, so that nobody has to wait.

use super::Unavailable;
use super::key::Key;
use super::memory::{Memory, slices};
use super::rows::{Change, Row};
use super::shelf::{Kept, Shelf};
use super::state::State;
use crate::oauth::Registry;

impl Memory {
    /// Frees the rows of names that are not in `registry`; `pause` is called between slices.
    pub fn free_unknown(&self, registry: &Registry, pause: impl Fn()) {
        self.free(&pause, |state| &state.families, Change::TakeFamily, registry);
        self.free(&pause, |state| &state.access_tokens, Change::TakeAccessToken, registry);
        self.free(&pause, |state| &state.codes, Change::TakeCode, registry);
        self.free(&pause, |state| &state.devices, Change::TakeDevice, registry);
    }

    /// The same for one shelf.
    fn free<T: Kept>(
        &self,
        pause: &impl Fn(),
        shelf: impl Fn(&State) -> &Shelf<T>,
        take: impl Fn(Key) -> Change,
        registry: &Registry,
    ) {
        let rows = shelf(&self.lock()).len();
        for slice in slices(rows) {
            let mut state = self.lock();
            for at in slice.rev() {
                if let Some((key, row)) = shelf(&state).at(at)
                    && !registry.knows(row.client(), row.user(), row.resource())
                {
                    state.step([take(key)]);
                }
            }
            drop(state);
            pause();
        }
    }

    pub fn each(
        &self,
        see: &mut dyn FnMut(Vec<(Key, Row)>) -> Result<(), Unavailable>,
    ) -> Result<(), Unavailable> {
        self.each_of(|state| &state.devices, |row| Row::Device(row.clone()), see)?;
        self.each_of(|state| &state.codes, |row| Row::Code(row.clone()), see)?;
        self.each_of(|state| &state.families, |member| Row::Family(member.row.clone()), see)?;
        self.each_of(|state| &state.access_tokens, |row| Row::AccessToken(row.clone()), see)
    }

    /// Calls `see` with the rows of a shelf, a slice at a time.
    fn each_of<T: Kept>(
        &self,
        shelf: impl Fn(&State) -> &Shelf<T>,
        row: impl Fn(&T) -> Row,
        see: &mut dyn FnMut(Vec<(Key, Row)>) -> Result<(), Unavailable>,
    ) -> Result<(), Unavailable> {
        let rows = shelf(&self.lock()).len();
        for slice in slices(rows) {
            let state = self.lock();
            let seen = slice.rev().filter_map(|at| shelf(&state).at(at));
            let seen = seen.map(|(key, value)| (key, row(value))).collect();
            drop(state);
            see(seen)?;
        }
        Ok(())
    }
}
