//! Unix sockets with a path.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::Open;
use crate::http::Listener;
use crate::os;

/// The umask: a socket is for its owner alone until it is opened up.
const CLOSED: u32 = 0o177;
/// How long we wait for a listener to accept us. One that takes longer is there, too.
const KNOCK: Duration = Duration::from_secs(1);

/// The path of a socket that we have bound. It is removed when this is dropped, if it is still our
/// socket.
pub struct SocketPath {
    path: PathBuf,
    /// Its device and inode.
    identity: (u64, u64),
}

impl SocketPath {
    fn of(path: &Path) -> io::Result<SocketPath> {
        Ok(SocketPath { path: path.into(), identity: identity(path)? })
    }

    /// Removes the path. Connections that have been made stay.
    pub fn remove(&self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        self.remove();
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let data = fs::symlink_metadata(path)?;
    Ok((data.dev(), data.ino()))
}

/// Listens at `unix:PATH` with these permissions.
pub fn open(path: &Path, mode: u32) -> Result<Open, String> {
    let (listener, bound) = bind_unix(path).map_err(|what| format!("unix:{what}"))?;
    fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(|error| format!("unix:{}: {error}", path.display()))?;
    let shown = format!("unix:{}", path.display());
    Ok(Open { listener: Listener::unix(listener), shown, path: Some(bound) })
}

/// Listens at a path, with mode 0600 from the beginning. A socket that nobody listens on is
/// replaced. An error is `PATH: what is wrong; what to do`.
pub fn bind_unix(path: &Path) -> Result<(UnixListener, SocketPath), String> {
    let told = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let bind = || os::with_umask(CLOSED, || UnixListener::bind(path));
    let listener = match bind() {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            make_way(path).map_err(|what| told(&what))?;
            bind()
        }
        bound_or_not => bound_or_not,
    };
    let listener = listener.map_err(|error| told(&error))?;
    os::widen_backlog(&listener);
    let bound = SocketPath::of(path).map_err(|error| told(&error))?;
    Ok((listener, bound))
}

/// Removes a socket that nobody listens on.
fn make_way(path: &Path) -> Result<(), String> {
    let data = fs::symlink_metadata(path).map_err(|error| error.to_string())?;
    if !data.file_type().is_socket() {
        return Err("this is not a socket; move it away, or choose another path".into());
    }
    match knock(path) {
        // Nobody listens, or nobody listens any more.
        Err(ErrorKind::ConnectionRefused) => {
            fs::remove_file(path).map_err(|error| error.to_string())
        }
        Err(ErrorKind::NotFound) => Ok(()),
        _ => Err("another program listens there; stop it, or choose another path".into()),
    }
}

/// Connects to see whether anyone listens. On another thread, since this waits for ever if the
/// listener hangs and its queue is full.
fn knock(path: &Path) -> Result<(), ErrorKind> {
    let (tell, told) = mpsc::channel();
    let path = path.to_owned();
    let knocking = move || tell.send(UnixStream::connect(path).map_err(|error| error.kind()));
    thread::Builder::new().spawn(knocking).map_err(|error| error.kind())?;
    told.recv_timeout(KNOCK).unwrap_or(Err(ErrorKind::TimedOut)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_socket_has_its_mode_and_its_name_goes_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let (_listener, bound) = bind_unix(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        drop(bound);
        assert!(!path.exists());
        let opened = open(&path, 0o660).unwrap();
        assert_eq!((mode(&path), opened.shown), (0o660, format!("unix:{}", path.display())));
    }

    #[test]
    fn only_a_socket_that_nobody_listens_on_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let first = UnixListener::bind(&path).unwrap();
        let told = format!(
            "{}: another program listens there; stop it, or choose another path",
            path.display()
        );
        assert_eq!(bind_unix(&path).err(), Some(told));
        drop(first);
        let (_listener, bound) = bind_unix(&path).unwrap();
        // Another socket is not removed.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        drop(bound);
        let told = format!(
            "{}: this is not a socket; move it away, or choose another path",
            path.display()
        );
        assert_eq!(bind_unix(&path).err(), Some(told));
        assert!(path.exists());
    }
}
