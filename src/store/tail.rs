//! The steps that have been made in memory, but are not in the file yet.

use super::rows::Change;
use super::{frame, record};

/// The position before the first step. It is not 0, since what the file had at the start must be
/// synced, too.
pub const START: u64 = 1;

/// Filled under the store's lock, so that the file has the steps in the order in which they were
/// made, and emptied by whoever writes. A position counts the bytes since the start.
pub struct Tail {
    bytes: Vec<u8>,
    /// The position after `bytes`.
    appended: u64,
    /// A copy of the steps, while the file is being rewritten.
    copy: Option<Vec<u8>>,
    /// The step being made. It is appended when it is complete, so that a panic leaves no half
    /// frame, which would count as damage.
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

    /// Ends the step, and returns the position after it.
    pub fn end(&mut self) -> u64 {
        frame::end(&mut self.step, 0);
        if let Some(copy) = &mut self.copy {
            copy.extend(&self.step);
        }
        self.append_step();
        self.appended
    }

    /// Adds the mark that the disk has the file up to this byte. It is not copied, since it says
    /// nothing about the file that is being rewritten.
    pub fn mark(&mut self, confirmed: u64) {
        self.step.clear();
        frame::mark(&mut self.step, confirmed);
        self.append_step();
    }

    fn append_step(&mut self) {
        self.appended += self.step.len() as u64;
        self.bytes.append(&mut self.step);
    }

    /// Appends the bytes to those in `into`, and returns the position after them.
    pub fn take(&mut self, into: &mut Vec<u8>) -> u64 {
        match into.is_empty() {
            true => std::mem::swap(&mut self.bytes, into),
            false => into.append(&mut self.bytes),
        }
        self.appended
    }

    /// From now on every step is copied.
    pub fn begin_copy(&mut self) {
        self.copy = Some(Vec::new());
    }

    /// Appends what was copied since the last time to `into`. Returns how many of the bytes that
    /// wait to be written it has now, and the position after them.
    pub fn take_copy(&mut self, into: &mut Vec<u8>) -> (usize, u64) {
        if let Some(copy) = &mut self.copy {
            into.append(copy);
        }
        (self.bytes.len(), self.appended)
    }

    /// Ends the copy, which is in the new file now: so many bytes need not be written any more.
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
        // It is about the old file, and goes with it.
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
