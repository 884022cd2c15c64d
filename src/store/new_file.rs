//! A state file that is written beside the old one, and what both need of the file system.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame;

/// Bytes of a new file after which the disk gets them, so that the last sync is short.
const UNSYNCED: usize = 4 * 1024 * 1024;

/// A file that is to take the place of another.
pub struct NewFile {
    file: Arc<File>,
    /// Its size in bytes.
    pub end: u64,
    unsynced: usize,
}

impl NewFile {
    /// Beside `path`, with its first line.
    pub fn create(path: &Path) -> io::Result<NewFile> {
        let file = writable(&beside(path, ".new"))?;
        file.set_len(0)?;
        let mut new = NewFile { file: Arc::new(file), end: 0, unsynced: 0 };
        new.write(frame::HEADER)?;
        Ok(new)
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.end)?;
        self.end += bytes.len() as u64;
        self.unsynced += bytes.len();
        match self.unsynced > UNSYNCED {
            true => self.sync(),
            false => Ok(()),
        }
    }

    pub fn sync(&mut self) -> io::Result<()> {
        self.unsynced = 0;
        self.file.sync_data()
    }

    pub fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }
}

/// Opens a file of ours, or makes it, for nobody else to read.
pub fn writable(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// A name is on the disk when its folder is.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
