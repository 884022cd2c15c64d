//! What a state file needs besides the steps: syncing each second, marks, and a new file when the
//! old one has grown too large or can no longer be trusted.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Notice;
use super::key::Key;
use super::memory::{Memory, slices};
use super::new_file::{NewFile, remove_new};
use super::rows::Change;
use super::shelf::{Kept, Shelf};
use super::state::State;
use super::state_file::StateFile;
use super::tail::Tail;
use super::{frame, record};

/// A file is rewritten once it exceeds this size plus twice what it would be after that.
const LARGE: u64 = 16 * 1024 * 1024;
/// Seconds until the next attempt to rewrite a file, after one that failed.
const REST: u32 = 60;

/// Held by whoever does housekeeping. A mark is about the file that it is written to, and must not
/// get into another.
#[derive(Default)]
pub struct House {
    turn: Mutex<Rest>,
    /// The process is stopping, and nothing that can wait should delay it.
    is_stopping: AtomicBool,
}

/// After a file could not be rewritten.
#[derive(Default)]
struct Rest {
    seconds: u32,
    was_told: bool,
}

impl Memory {
    /// What the file needs each second. Returns what the operator has to know.
    pub fn upkeep(&self) -> Vec<Notice> {
        let Some(file) = &self.file else { return Vec::new() };
        let mut rest = self.house.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.sync(file);
        rest.seconds = rest.seconds.saturating_sub(1);
        let is_large = file.size() > LARGE + 2 * self.lock().weight();
        if file.is_spoiled() || is_large && rest.seconds == 0 {
            self.rewrite_or_rest(file, &mut rest);
        }
        drop(rest);
        file.notices()
    }

    /// Writes what is still in memory alone, at a stop. An error is a line for the operator.
    pub fn finish(&self) -> Result<(), String> {
        let Some(file) = &self.file else { return Ok(()) };
        self.house.is_stopping.store(true, Ordering::Relaxed);
        let mut rest = self.house.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.house.is_stopping.store(false, Ordering::Relaxed);
        self.sync(file);
        if file.is_spoiled() {
            self.rewrite_or_rest(file, &mut rest);
        }
        file.finish(&|into| self.take(into))
    }

    /// Syncs everything, and marks how far the disk is.
    fn sync(&self, file: &StateFile) {
        file.upkeep(&|into| self.take(into), &|confirmed| self.mark(confirmed));
    }

    fn rewrite_or_rest(&self, file: &StateFile, rest: &mut Rest) {
        match self.rewrite(file) {
            Ok(()) => *rest = Rest::default(),
            Err(error) => {
                self.with_tail(|tail| tail.end_copy(0));
                remove_new(file.path());
                let is_stopping = self.house.is_stopping.load(Ordering::Relaxed);
                file.could_not_replace(&error, rest.was_told || is_stopping);
                *rest = Rest { seconds: REST, was_told: true };
            }
        }
    }

    #[cfg(test)]
    pub(super) fn rewrite_in_turn(&self) {
        let mut rest = self.house.turn.lock().unwrap();
        self.rewrite_or_rest(self.file.as_ref().expect("there is a file"), &mut rest);
    }

    #[cfg(test)]
    pub(super) fn rewrite_now(&self) {
        self.rewrite(self.file.as_ref().expect("there is a file")).expect("it can be written");
    }

    /// Writes everything to a new file, while requests go on, and puts it in the place of the old
    /// one. From the start on every step is also appended to the new file, so the rows need not be
    /// of the same moment: a row that changes in the meantime is written once more.
    fn rewrite(&self, file: &StateFile) -> io::Result<()> {
        let mut new = NewFile::create(file.path())?;
        self.with_tail(Tail::begin_copy);
        let names = self.lock().names.all();
        let mut bytes = Vec::new();
        names.iter().for_each(|change| push(change, &mut bytes));
        new.write(&bytes)?;
        // Families come before the access tokens that name them.
        self.write_shelf(
            (file, &mut new),
            |state| &state.families,
            |key, member| Change::PutFamily(key, member.row.clone()),
        )?;
        self.write_shelf(
            (file, &mut new),
            |state| &state.access_tokens,
            |key, row| Change::PutAccessToken(key, row.clone()),
        )?;
        self.write_shelf(
            (file, &mut new),
            |state| &state.codes,
            |key, row| Change::PutCode(key, row.clone()),
        )?;
        self.write_shelf(
            (file, &mut new),
            |state| &state.devices,
            |key, row| Change::PutDevice(key, row.clone()),
        )?;
        file.replace(new, &|into| self.with_tail(|tail| tail.take_copy(into)), &|waiting| {
            self.with_tail(|tail| tail.end_copy(waiting))
        })
    }

    fn write_shelf<T: Kept>(
        &self,
        (file, new): (&StateFile, &mut NewFile),
        shelf: impl Fn(&State) -> &Shelf<T>,
        change: impl Fn(Key, &T) -> Change,
    ) -> io::Result<()> {
        let rows = shelf(&self.lock()).len();
        let mut bytes = Vec::new();
        for slice in slices(rows) {
            bytes.clear();
            let mut state = self.lock();
            for at in slice.rev() {
                if let Some((key, row)) = shelf(&state).at(at) {
                    push(&change(key, row), &mut bytes);
                }
            }
            if let Some(tail) = &mut state.tail {
                tail.take_copy(&mut bytes);
            }
            drop(state);
            if self.house.is_stopping.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            // What is issued meanwhile must be on the disk within a second, too.
            if new.write(&bytes)? {
                self.sync(file);
            }
        }
        Ok(())
    }
}

/// Appends a change as a step of its own.
fn push(change: &Change, bytes: &mut Vec<u8>) {
    let start = frame::begin(bytes);
    record::encode(change, bytes);
    frame::end(bytes, start);
}
