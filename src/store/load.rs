//! Reads a state file, from the first step to the last, or to the first that is incomplete.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::frame::{self, Frame, Kind};
use super::rows::Change;
use super::state::State;
use crate::oauth::Scope;

/// How many bytes are read at once.
const PIECE: usize = 1024 * 1024;

/// What was read.
pub struct Loaded {
    /// Where the next step goes; 0 for a new file.
    pub end: u64,
    /// How many bytes follow, of an unfinished step.
    pub dropped: u64,
}

/// Repeats every step of the file in `state`. An error is a line for the operator.
pub fn load(path: &Path, file: &File, state: &mut State) -> Result<Loaded, String> {
    let mut input = Input { file, bytes: Vec::new(), used: 0, place: 0 };
    let result = input.fill().map_err(|error| format!("cannot be opened: {error}"));
    result
        .and_then(|_| match frame::kind(input.bytes()) {
            Kind::Ours => steps(input, state),
            Kind::New => Ok(Loaded { end: 0, dropped: input.bytes().len() as u64 }),
            Kind::Newer => Err("written by a newer oauth2d; start that one, or move the file \
                                away"
                .into()),
            Kind::Other => Err("this is no state file of oauth2d".into()),
        })
        .map_err(|what| format!("{}: {what}", path.display()))
}

/// The steps after the first line.
fn steps(mut input: Input, state: &mut State) -> Result<Loaded, String> {
    let cannot = |error: std::io::Error| format!("cannot be opened: {error}");
    input.skip(frame::HEADER.len());
    let mut scopes = HashSet::new();
    let mut confirmed = 0;
    loop {
        match frame::read(input.bytes()) {
            Frame::Step(changes, size) if changes.iter().all(|it| state.names.know(it)) => {
                for change in changes {
                    state.apply(sharing(change, &mut scopes));
                }
                input.skip(size);
            }
            Frame::Mark(place, size) => {
                confirmed = confirmed.max(place);
                input.skip(size);
            }
            Frame::Partial if input.fill().map_err(cannot)? => {}
            Frame::Step(..) | Frame::Partial | Frame::Bad => break,
        }
    }
    let end = input.place;
    let (largest, length) = input.rest().map_err(cannot)?;
    match confirmed.max(largest) {
        confirmed if end < confirmed => Err(format!(
            "damaged at byte {end}; the disk had confirmed {confirmed}; restore a copy, or move it \
             away: everyone then signs in again"
        )),
        _ => Ok(Loaded { end, dropped: length - end }),
    }
}

/// The change, sharing the memory of its scope with others: most tokens have one of a few.
fn sharing(mut change: Change, scopes: &mut HashSet<Scope>) -> Change {
    let scope = match &mut change {
        Change::PutAccessToken(_, row) => &mut row.scope,
        Change::PutFamily(_, row) => &mut row.scope,
        _ => return change,
    };
    match scopes.get(scope) {
        Some(known) => *scope = known.clone(),
        None => drop(scopes.insert(scope.clone())),
    }
    change
}

/// A file, a piece at a time.
struct Input<'a> {
    file: &'a File,
    bytes: Vec<u8>,
    /// How many of `bytes` are done with.
    used: usize,
    /// Where the rest begins in the file.
    place: u64,
}

impl Input<'_> {
    /// What has been read and not skipped.
    fn bytes(&self) -> &[u8] {
        &self.bytes[self.used..]
    }

    fn skip(&mut self, size: usize) {
        self.used += size;
        self.place += size as u64;
    }

    /// Reads on; false at the end of the file.
    fn fill(&mut self) -> std::io::Result<bool> {
        self.bytes.drain(..self.used);
        self.used = 0;
        let filled = self.bytes.len();
        self.bytes.resize(filled + PIECE, 0);
        let read = self.file.read_at(&mut self.bytes[filled..], self.place + filled as u64);
        self.bytes.truncate(filled + *read.as_ref().unwrap_or(&0));
        read.map(|read| read > 0)
    }

    /// The largest mark in what is left, and the length of the file.
    fn rest(mut self) -> std::io::Result<(u64, u64)> {
        let mut largest = 0;
        loop {
            largest = largest.max(frame::largest_mark(self.bytes()).unwrap_or(0));
            // A mark may span two pieces.
            self.skip(self.bytes().len().saturating_sub(frame::MARK_SIZE - 1));
            if !self.fill()? {
                return Ok((largest, self.place + self.bytes().len() as u64));
            }
        }
    }
}
