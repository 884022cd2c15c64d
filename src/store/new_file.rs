//! A file that is to replace another, and how to put it in place.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame;

/// It is synced each time this many bytes have been written, so that the last sync is short.
const UNSYNCED: usize = 4 * 1024 * 1024;

pub struct NewFile {
    file: Arc<File>,
    end: u64,
    unsynced: usize,
}

impl NewFile {
    /// Creates the file beside `path`, with its first line. Never uses one that exists: a sync of
    /// it may have failed.
    pub fn create(path: &Path) -> io::Result<NewFile> {
        remove_new(path);
        let file = options().create_new(true).open(beside(path, ".new"))?;
        let mut new = NewFile { file: Arc::new(file), end: 0, unsynced: 0 };
        new.write(frame::HEADER)?;
        Ok(new)
    }

    /// Appends, and syncs now and then: true if it has.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<bool> {
        self.file.write_all_at(bytes, self.end)?;
        self.end += bytes.len() as u64;
        self.unsynced += bytes.len();
        let is_due = self.unsynced > UNSYNCED;
        if is_due {
            self.sync()?;
        }
        Ok(is_due)
    }

    pub fn sync(&mut self) -> io::Result<()> {
        self.unsynced = 0;
        self.sync_last()
    }

    pub fn sync_last(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    pub fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    pub fn end(&self) -> u64 {
        self.end
    }
}

/// Opens or creates a file that nobody else may read.
pub fn writable(path: &Path) -> io::Result<File> {
    options().create(true).truncate(false).open(path)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Removes a new file that was not completed.
pub fn remove_new(path: &Path) {
    let _ = fs::remove_file(beside(path, ".new"));
}

/// Syncs the directory: a name is on the disk when its directory is.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Whether the file still has this name, as far as we can tell.
pub fn is_named(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(own), Ok(named)) => (own.dev(), own.ino()) == (named.dev(), named.ino()),
        (_, Err(error)) => error.kind() != io::ErrorKind::NotFound,
        (Err(_), _) => true,
    }
}
