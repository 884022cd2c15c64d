//! What goes wrong with the file, and what the operator is told.

use std::io;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::{Disk, StateFile};
use crate::store::Notice;

/// How a state file is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FileStatus {
    pub bytes: u64,
    /// Writes and syncs that have failed.
    pub errors: u64,
    /// Whether the next step can be written.
    pub is_well: bool,
}

impl StateFile {
    /// What the operator has to know, each once.
    pub fn notices(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn notice(&self, what: &str) {
        self.tell(false, what);
    }

    fn tell(&self, is_fault: bool, what: &str) {
        let what = format!("{}: {what}", self.path.display());
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.push(Notice { is_fault, what });
    }

    pub(super) fn fail(&self, error: &io::Error) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        if !self.is_broken.swap(true, Ordering::SeqCst) {
            self.tell(true, &format!("{error}; nothing is given or ended until it can be written"));
        }
    }

    /// A new file could not be made. The old one stays in use, as long as that works.
    pub fn could_not_replace(&self, error: &io::Error, was_told: bool) {
        match self.is_spoiled() {
            true => self.fail(error),
            false if was_told => {}
            false => {
                self.tell(true, &format!("cannot be rewritten: {error}; it stays in use as it is"));
            }
        }
    }

    /// Something has worked again. A write that works does not repair a file whose sync has failed.
    pub(super) fn recovered(&self, disk: &Disk) {
        if !disk.is_spoiled && self.is_broken.swap(false, Ordering::SeqCst) {
            self.notice("can be written again");
        }
    }
}
