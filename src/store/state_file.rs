//! The file in which the steps outlive the process: `state_file` in the configuration.
//!
//! A step that gives something is in the kernel before its answer leaves, so that it survives the
//! end of the process; one that ends something is on the disk, so that it survives the power. Three
//! positions tell how far the steps are: appended (in memory), written (in the kernel), synced (on
//! the disk). Whoever needs more does it for all who wait.
//!
//! When the file cannot be written, every further step is refused before it changes anything, and
//! what was made already waits in memory for the file to heal. After a failed sync that file is
//! never synced again: the system may have thrown away what it could not write and calls it clean.
//! A new file takes its place.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::frame;
use super::new_file::{NewFile, beside, is_named, remove_new, sync_folder, writable};
use super::tail::START;
use super::{Notice, Unavailable};

/// After so many seconds a client may find the file healed.
const BROKEN: Unavailable = Unavailable { retry_after: 5 };

/// Which answers wait for the disk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SyncPolicy {
    /// Those that end something; the others follow within a second.
    Ends,
    Always,
}

/// Where steps are that are not written yet: moves their bytes behind those that it is given, and
/// says the position behind them.
pub type Take<'a> = &'a dyn Fn(&mut Vec<u8>) -> u64;

/// The same for the steps since a new file was begun, which stay where they are, too: how many of
/// the bytes that wait to be written are among them, and the position behind them.
pub type Copy<'a> = &'a dyn Fn(&mut Vec<u8>) -> (usize, u64);

pub struct StateFile {
    path: PathBuf,
    policy: SyncPolicy,
    out: Mutex<Out>,
    written: AtomicU64,
    disk: Mutex<Disk>,
    /// Signalled when a leader has synced, or failed.
    synced: Condvar,
    is_broken: AtomicBool,
    errors: AtomicU64,
    notices: Mutex<Vec<Notice>>,
    /// Held for life; it goes with the process, whatever ends it.
    _lock: File,
}

/// The file's end.
struct Out {
    file: Arc<File>,
    /// Where the next bytes go.
    end: u64,
    /// Bytes that could not be written; they are tried again at the same place.
    waiting: Vec<u8>,
}

/// How far the disk is.
struct Disk {
    file: Arc<File>,
    synced: u64,
    /// Somebody syncs for all who wait.
    is_led: bool,
    /// A sync has failed: this file is not synced again.
    is_spoiled: bool,
    /// What a position is less than a place in the file.
    offset: i64,
    /// Up to which position the file is marked.
    marked: u64,
}

impl StateFile {
    /// Takes the lock and opens the file, or makes a new one. An error is a line for the operator.
    pub fn open(path: &Path, policy: SyncPolicy) -> Result<StateFile, String> {
        let cannot = |error: io::Error| format!("{}: cannot be opened: {error}", path.display());
        let lock = writable(&beside(path, ".lock")).map_err(cannot)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(format!("{}: another oauth2d uses this state file", path.display()));
            }
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        let file = Arc::new(writable(path).map_err(cannot)?);
        // A device would be replaced by a file, sooner or later.
        if !file.metadata().map_err(cannot)?.is_file() {
            return Err(cannot(io::Error::other("it is not a regular file")));
        }
        // A process that was killed may have left it; on a full disk it is in the way.
        remove_new(path);
        Ok(StateFile {
            path: path.into(),
            policy,
            out: Mutex::new(Out { file: Arc::clone(&file), end: 0, waiting: Vec::new() }),
            written: AtomicU64::new(START),
            disk: Mutex::new(Disk {
                file,
                synced: 0,
                is_led: false,
                is_spoiled: false,
                offset: 0,
                marked: 0,
            }),
            synced: Condvar::new(),
            is_broken: AtomicBool::new(false),
            errors: AtomicU64::new(0),
            notices: Mutex::new(Vec::new()),
            _lock: lock,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn file(&self) -> Arc<File> {
        Arc::clone(&self.out().file)
    }

    /// Goes on at this place of the file, which ends there: what stands behind was never finished.
    /// A new file begins with its first line. A full disk is no reason not to start.
    pub fn begin_at(&self, place: u64) {
        let mut out = self.out();
        let mut disk = self.disk();
        out.end = place;
        if place == 0 {
            out.waiting.extend(frame::HEADER);
        }
        disk.offset = out.end as i64 + out.waiting.len() as i64 - START as i64;
        let is_begun = out.file.set_len(place).and_then(|()| match place {
            0 => sync_folder(&self.path),
            _ => Ok(()),
        });
        if let Err(error) = is_begun {
            // What stands behind, or the name itself, may come and go: only a new file helps.
            disk.is_spoiled = true;
            self.fail(&error);
        }
        drop(disk);
        if let Err(error) = self.write_waiting(&mut out) {
            self.fail(&error);
        }
    }

    /// Whether no step may be made now.
    pub fn check(&self) -> Result<(), Unavailable> {
        match self.is_broken.load(Ordering::SeqCst) {
            true => Err(BROKEN),
            false => Ok(()),
        }
    }

    /// Returns once the step behind which this position lies is as safe as it has to be.
    pub fn keep(&self, position: u64, ends: bool, take: Take) -> Result<(), Unavailable> {
        self.write_through(position, take)?;
        match ends || self.policy == SyncPolicy::Always {
            true => self.sync_through(position),
            false => Ok(()),
        }
    }

    /// Returns once the kernel has everything up to this position.
    fn write_through(&self, position: u64, take: Take) -> Result<(), Unavailable> {
        if self.written.load(Ordering::SeqCst) >= position {
            return Ok(());
        }
        let mut out = self.out();
        match self.written.load(Ordering::SeqCst) >= position {
            true => Ok(()),
            false => self.write(&mut out, take),
        }
    }

    /// Writes all there is by now.
    fn write(&self, out: &mut Out, take: Take) -> Result<(), Unavailable> {
        let position = take(&mut out.waiting);
        if let Err(error) = self.write_waiting(out) {
            self.fail(&error);
            return Err(BROKEN);
        }
        self.written.store(position, Ordering::SeqCst);
        if self.is_broken.load(Ordering::SeqCst) {
            self.recovered(&self.disk());
        }
        Ok(())
    }

    fn write_waiting(&self, out: &mut Out) -> io::Result<()> {
        out.file.write_all_at(&out.waiting, out.end)?;
        out.end += out.waiting.len() as u64;
        out.waiting.clear();
        Ok(())
    }

    /// Returns once the disk has everything up to this position. The first who comes leads, and
    /// syncs for all who have come until it begins.
    fn sync_through(&self, position: u64) -> Result<(), Unavailable> {
        let mut disk = self.disk();
        while disk.synced < position {
            if disk.is_spoiled {
                return Err(BROKEN);
            }
            disk = match disk.is_led {
                true => self.synced.wait(disk).unwrap_or_else(PoisonError::into_inner),
                false => self.lead(disk),
            };
        }
        Ok(())
    }

    /// Syncs what is written by now.
    fn lead<'a>(&'a self, mut disk: MutexGuard<'a, Disk>) -> MutexGuard<'a, Disk> {
        disk.is_led = true;
        let (file, written) = (Arc::clone(&disk.file), self.written.load(Ordering::SeqCst));
        drop(disk);
        let result = file.sync_data();
        let mut disk = self.disk();
        disk.is_led = false;
        match result {
            Ok(()) => disk.synced = disk.synced.max(written),
            Err(error) => {
                disk.is_spoiled = true;
                self.fail(&error);
            }
        }
        self.synced.notify_all();
        disk
    }

    /// What has to be done each second: writes and syncs what is still in memory, tries again what
    /// failed, and marks how far the disk is.
    pub fn upkeep(&self, take: Take, mark: &dyn Fn(u64)) {
        self.look_for_its_name();
        let _ = self.write(&mut self.out(), take);
        if self.sync_through(self.written.load(Ordering::SeqCst)).is_err() {
            return;
        }
        let mut disk = self.disk();
        if disk.is_spoiled || disk.synced <= disk.marked {
            return;
        }
        mark(disk.synced.saturating_add_signed(disk.offset));
        // The mark itself asks for no other one.
        disk.marked = disk.synced + frame::MARK_SIZE as u64;
    }

    /// A file whose name is gone, or that another one has, is written in vain: nobody will find it.
    /// A new one takes the name.
    fn look_for_its_name(&self) {
        if !is_named(&self.file(), &self.path) {
            self.disk().is_spoiled = true;
            self.fail(&io::Error::other("the file is not at this path any more"));
        }
    }

    /// Writes the last there is, at a stop; what was made is synced already.
    pub fn finish(&self, take: Take) -> Result<(), String> {
        let written = self.write(&mut self.out(), take);
        written
            .and_then(|()| self.check())
            .map_err(|_| format!("{}: the last steps could not be written", self.path.display()))
    }

    /// Puts another file in the place of this one. `copy` gives the steps that it lacks, and how
    /// many of the bytes that wait to be written they are; `let_go` lets so many of those go.
    ///
    /// Nobody's sync may be under way meanwhile: what is promised to be on the disk has to be there
    /// in the new file, too, before it gets the name.
    pub fn replace(&self, mut new: NewFile, copy: Copy, let_go: &dyn Fn(usize)) -> io::Result<()> {
        // Most of it reaches the disk while nobody waits.
        let mut bytes = Vec::new();
        copy(&mut bytes);
        new.write(&bytes)?;
        new.sync()?;
        let mut disk = self.disk();
        while disk.is_led {
            disk = self.synced.wait(disk).unwrap_or_else(PoisonError::into_inner);
        }
        disk.is_led = true;
        drop(disk);
        let result = self.swap(&mut new, copy, let_go).and_then(|position| {
            // The name is on the disk when its folder is, and the last steps when they are synced.
            self.settle(&new, position, new.sync_last().and_then(|()| sync_folder(&self.path)))
        });
        self.disk().is_led = false;
        self.synced.notify_all();
        result
    }

    /// The new file has the name; `synced` says whether the disk knows.
    fn settle(&self, new: &NewFile, position: u64, synced: io::Result<()>) -> io::Result<()> {
        let out = self.out();
        let mut disk = self.disk();
        let old = std::mem::replace(&mut disk.file, new.file());
        disk.offset = new.end() as i64 - position as i64;
        disk.marked = 0;
        disk.is_spoiled = synced.is_err();
        match &synced {
            Ok(()) => {
                disk.synced = position;
                // Somebody may have failed to write to it already.
                if out.waiting.is_empty() {
                    self.recovered(&disk);
                }
            }
            Err(error) => self.fail(error),
        }
        drop((disk, out));
        // Not under a lock: the system frees the whole old file here.
        drop(old);
        synced
    }

    /// The position up to which the new file has everything.
    fn swap(&self, new: &mut NewFile, copy: Copy, let_go: &dyn Fn(usize)) -> io::Result<u64> {
        let mut bytes = Vec::new();
        copy(&mut bytes);
        new.write(&bytes)?;
        new.sync()?;
        // From here on nobody writes: few bytes are left, and none of the slow calls.
        let mut out = self.out();
        bytes.clear();
        let (waiting, position) = copy(&mut bytes);
        new.write(&bytes)?;
        fs::rename(beside(&self.path, ".new"), &self.path)?;
        let_go(waiting);
        out.file = new.file();
        out.end = new.end();
        out.waiting.clear();
        self.written.store(position, Ordering::SeqCst);
        Ok(position)
    }

    /// Whether only a new file helps.
    pub fn is_spoiled(&self) -> bool {
        self.disk().is_spoiled
    }

    pub fn status(&self) -> FileStatus {
        let errors = self.errors.load(Ordering::Relaxed);
        FileStatus { bytes: self.size(), errors, is_well: self.check().is_ok() }
    }

    /// The file's size in bytes.
    pub fn size(&self) -> u64 {
        self.out().end
    }

    fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

mod health;
pub use health::FileStatus;
#[cfg(test)]
mod tests;
