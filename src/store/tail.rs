//! The steps that are made in memory and not in the file yet.

use super::rows::Change;
use super::{frame, record};

/// The position before the first step. Not 0: what the file had at the start has to be synced, too.
pub const START: u64 = 1;

/// Filled under the store's lock, so that the file has the steps in the order in which they were
/// made; emptied by whoever writes. A position counts the bytes since the start.
pub struct Tail {
    bytes: Vec<u8>,
    /// The position behind `bytes`.
    appended: u64,
    /// The same steps once more, while the file is written anew.
    copy: Option<Vec<u8>>,
    /// Where the step under way begins.
    begun: usize,
}

impl Tail {
    pub fn new() -> Tail {
        Tail { bytes: Vec::new(), appended: START, copy: None, begun: 0 }
    }

    pub fn begin(&mut self) {
        self.begun = frame::begin(&mut self.bytes);
    }

    pub fn record(&mut self, change: &Change) {
        record::encode(change, &mut self.bytes);
    }

    /// Ends the step; the position behind it.
    pub fn end(&mut self) -> u64 {
        frame::end(&mut self.bytes, self.begun);
        self.count()
    }

    /// Adds the mark that the disk has the file up to this byte.
    pub fn mark(&mut self, confirmed: u64) {
        self.begun = self.bytes.len();
        frame::mark(&mut self.bytes, confirmed);
        self.count();
    }

    fn count(&mut self) -> u64 {
        let frame = &self.bytes[self.begun..];
        self.appended += frame.len() as u64;
        if let Some(copy) = &mut self.copy {
            copy.extend(frame);
        }
        self.appended
    }

    /// Moves the bytes behind those in `into`; the position behind them.
    pub fn take(&mut self, into: &mut Vec<u8>) -> u64 {
        match into.is_empty() {
            true => std::mem::swap(&mut self.bytes, into),
            false => into.append(&mut self.bytes),
        }
        self.appended
    }

    /// From now on every step is kept once more.
    pub fn begin_copy(&mut self) {
        self.copy = Some(Vec::new());
    }

    /// Moves what was copied since the last time behind what is in `into`: how many of the bytes
    /// that wait to be written it has now, and the position behind them.
    pub fn take_copy(&mut self, into: &mut Vec<u8>) -> (usize, u64) {
        if let Some(copy) = &mut self.copy {
            into.append(copy);
        }
        (self.bytes.len(), self.appended)
    }

    /// Ends the copy, which has found its place: so many bytes need no other.
    pub fn end_copy(&mut self, waiting: usize) {
        self.copy = None;
        self.bytes.drain(..waiting);
    }
}
