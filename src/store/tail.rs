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
    /// The step under way. It joins the others when it is whole: a panic in its middle must leave
    /// no half frame, behind which the file would count as damaged.
    step: Vec<u8>,
}

impl Tail {
    pub fn new() -> Tail {
        Tail { bytes: Vec::new(), appended: START, copy: None, step: Vec::new() }
    }

    pub fn begin(&mut self) {
        self.step.clear();
        frame::begin(&mut self.step);
    }

    pub fn record(&mut self, change: &Change) {
        record::encode(change, &mut self.step);
    }

    /// Ends the step; the position behind it.
    pub fn end(&mut self) -> u64 {
        frame::end(&mut self.step, 0);
        if let Some(copy) = &mut self.copy {
            copy.extend(&self.step);
        }
        self.append_step();
        self.appended
    }

    /// Adds the mark that the disk has the file up to this byte. That says nothing of the file that
    /// is being written anew, so it is not copied.
    pub fn mark(&mut self, confirmed: u64) {
        self.step.clear();
        frame::mark(&mut self.step, confirmed);
        self.append_step();
    }

    fn append_step(&mut self) {
        self.appended += self.step.len() as u64;
        self.bytes.append(&mut self.step);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::key::Key;

    #[test]
    fn a_mark_is_not_copied_into_a_file_that_is_written_anew() {
        let mut tail = Tail::new();
        tail.begin_copy();
        tail.mark(1_000_000);
        let mut copied = Vec::new();
        assert_eq!(
            tail.take_copy(&mut copied),
            (frame::MARK_SIZE, START + frame::MARK_SIZE as u64)
        );
        assert_eq!(copied, b"");
        // It tells of the old file, and goes with it.
        tail.end_copy(frame::MARK_SIZE);
        assert_eq!(tail.take(&mut copied), START + frame::MARK_SIZE as u64);
        assert_eq!(copied, b"");
    }

    #[test]
    fn a_step_that_was_not_ended_leaves_nothing() {
        let mut tail = Tail::new();
        tail.begin();
        tail.record(&Change::TakeFamily(Key::of("a")));
        let mut written = Vec::new();
        assert_eq!(tail.take(&mut written), START);
        tail.begin();
        assert_eq!(tail.end(), START);
        assert_eq!((tail.take(&mut written), &*written), (START, &b""[..]));
    }
}
