//! The file in which steps outlive the process: `state_file` in the configuration.
//!
//! Before its answer is sent, a step that issues something is in the kernel, so that it survives
//! the end of the process; one that ends something is on the disk, so that it survives a power cut.
//! Three positions say how far the steps are: appended (in memory), written (in the kernel), synced
//! (on the disk). Whoever has to write or sync does it for all who wait.
//!
//! When the file cannot be written, every further step is refused before it changes anything, and
//! what was done already waits in memory until it can be written. After a failed sync that file is
//! never synced again, since the system may have dropped what it could not write and believe that
//! it has. A new file takes its place.

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

/// Seconds until a client may find that the file can be written again.
const BROKEN: Unavailable = Unavailable { retry_after: 5 };

/// Which answers wait for the disk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SyncPolicy {
    /// Those that end something. The others are synced within a second.
    Ends,
    Always,
}

/// Fetches the steps that have not been written yet: appends their bytes to those that it is given,
/// and returns the position after them.
pub type Take<'a> = &'a dyn Fn(&mut Vec<u8>) -> u64;

/// The same for the steps since a new file was begun, which must still be written to the old one as
/// well. Returns how many of the bytes that wait to be written are among them, and the position
/// after them.
pub type Copy<'a> = &'a dyn Fn(&mut Vec<u8>) -> (usize, u64);

pub struct StateFile {
    path: PathBuf,
    policy: SyncPolicy,
    out: Mutex<Out>,
    written: AtomicU64,
    disk: Mutex<Disk>,
    /// Signalled when a leader has synced or failed.
    synced: Condvar,
    is_broken: AtomicBool,
    errors: AtomicU64,
    notices: Mutex<Vec<Notice>>,
    /// Held until the process ends, for whatever reason.
    _lock: File,
}

/// The end of the file.
struct Out {
    file: Arc<File>,
    /// Where the next bytes go.
    end: u64,
    /// Bytes that could not be written, and will be tried again at the same place.
    waiting: Vec<u8>,
}

/// How far the disk is.
struct Disk {
    file: Arc<File>,
    synced: u64,
    /// One thread is syncing for all that wait.
    is_led: bool,
    /// A sync has failed, so this file is never synced again.
    is_spoiled: bool,
    /// A place in the file minus its position.
    offset: i64,
    /// The position up to which the file is marked.
    marked: u64,
}

impl StateFile {
    /// Takes the lock and opens or creates the file. An error is a line for the operator.
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
        // A device would sooner or later be replaced by a file.
        if !file.metadata().map_err(cannot)?.is_file() {
            return Err(cannot(io::Error::other("it is not a regular file")));
        }
        // A process that was killed may have left it, and on a full disk it takes room.
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

    /// Continues at this place of the file, and cuts off what follows, which was never finished. A
    /// new file gets its first line. A full disk does not prevent the start.
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
            // What follows, or the name itself, may or may not be on the disk: only a new file
            // helps.
            disk.is_spoiled = true;
            self.fail(&error);
        }
        drop(disk);
        if let Err(error) = self.write_waiting(&mut out) {
            self.fail(&error);
        }
    }

    /// An error if no step may be made now.
    pub fn check(&self) -> Result<(), Unavailable> {
        match self.is_broken.load(Ordering::SeqCst) {
            true => Err(BROKEN),
            false => Ok(()),
        }
    }

    /// Returns once the step that ends at this position is as safe as it has to be.
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

    /// Writes everything that there is by now.
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

    /// Returns once the disk has everything up to this position. The first thread leads, and syncs
    /// for all that arrive before it begins.
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

    /// Syncs what has been written by now.
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

    /// What is done each second: writes and syncs what is still in memory, retries what failed, and
    /// marks how far the disk is.
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
        // The mark itself needs no further mark.
        disk.marked = disk.synced + frame::MARK_SIZE as u64;
    }

    /// If another file has the name, or none, nobody would find what we write, so a new file takes
    /// the name.
    fn look_for_its_name(&self) {
        if !is_named(&self.file(), &self.path) {
            self.disk().is_spoiled = true;
            self.fail(&io::Error::other("the file is no longer at this path"));
        }
    }

    /// Writes what is left, at a stop; what had to be synced has been.
    pub fn finish(&self, take: Take) -> Result<(), String> {
        let written = self.write(&mut self.out(), take);
        written
            .and_then(|()| self.check())
            .map_err(|_| format!("{}: the last steps could not be written", self.path.display()))
    }

    /// Replaces this file with another. `copy` fetches the steps that it lacks, and says how many
    /// of the bytes that wait to be written they are; `let_go` drops so many of those.
    ///
    /// Nobody may sync meanwhile: what was promised to be on the disk has to be there in the new
    /// file, too, before that gets the name.
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
            // Now the directory has to be synced for the name, and the file for the last steps.
            self.settle(&new, position, new.sync_last().and_then(|()| sync_folder(&self.path)))
        });
        self.disk().is_led = false;
        self.synced.notify_all();
        result
    }

    /// The new file has the name; `synced` says whether the disk has that.
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
                // A write to it may have failed already.
                if out.waiting.is_empty() {
                    self.recovered(&disk);
                }
            }
            Err(error) => self.fail(error),
        }
        drop((disk, out));
        // Not under a lock, since here the system frees the whole old file.
        drop(old);
        synced
    }

    /// The position up to which the new file has everything.
    fn swap(&self, new: &mut NewFile, copy: Copy, let_go: &dyn Fn(usize)) -> io::Result<u64> {
        let mut bytes = Vec::new();
        copy(&mut bytes);
        new.write(&bytes)?;
        new.sync()?;
        // From here on nobody else writes, so only few bytes are left, and no slow call.
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

    /// Whether only a new file can help.
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
