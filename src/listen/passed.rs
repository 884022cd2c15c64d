//! Sockets that systemd has bound and passes to us (sd_listen_fds(3)). It holds them open when one
//! process stops and the next starts, so that no connection is refused in between.

use std::env;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{SocketAddr, UnixListener};

use super::Open;
use crate::http::Listener;
use crate::os;

/// The name of a socket without a name.
const NAMELESS: &str = "unknown";
/// More cannot be right.
const MOST: usize = 1000;

/// The sockets that have not been taken yet, with their names.
#[derive(Default)]
pub struct Passed(Vec<(String, OwnedFd)>);

impl Passed {
    /// The sockets that were passed to this process; an error says why there are none.
    pub fn take() -> Result<Passed, String> {
        let variable = |name| env::var(name).unwrap_or_default();
        let count = count(&variable("LISTEN_FDS"), &variable("LISTEN_PID"), std::process::id())?;
        let names = names(&variable("LISTEN_FDNAMES"), count);
        let sockets = os::passed_sockets(count).map_err(|descriptor| {
            format!(
                "descriptor {descriptor} of LISTEN_FDS is no socket that listens; the socket unit \
                 needs ListenStream= and Accept=no"
            )
        })?;
        Ok(Passed(names.into_iter().zip(sockets).collect()))
    }

    /// Takes the sockets with this name, or all.
    pub fn named(&mut self, name: Option<&str>) -> Result<Vec<Open>, String> {
        let is_wanted = |it: &mut (String, OwnedFd)| name.is_none_or(|name| it.0 == name);
        let wanted: Vec<_> = self.0.extract_if(.., is_wanted).collect();
        match wanted.is_empty() {
            true => Err("no socket of this name was passed; see FileDescriptorName= in the \
                         socket unit"
                .into()),
            false => wanted.into_iter().map(|(_, socket)| open(socket)).collect(),
        }
    }
}

/// How many were passed to the process `own`.
fn count(fds: &str, pid: &str, own: u32) -> Result<usize, String> {
    if fds.is_empty() {
        return Err(
            "no sockets were passed (LISTEN_FDS is not set); start it by its socket unit, \
                    or listen on HOST:PORT"
                .into(),
        );
    }
    if pid.parse() != Ok(own) {
        return Err("no sockets were passed to this process (LISTEN_PID is another's)".into());
    }
    let count = fds.parse().ok().filter(|count| (1..=MOST).contains(count));
    count.ok_or_else(|| "no sockets were passed (LISTEN_FDS is not a number above 0)".into())
}

/// A name for each of `count` sockets.
fn names(text: &str, count: usize) -> Vec<String> {
    let given = text.split(':').map(|name| if name.is_empty() { NAMELESS } else { name });
    given.chain(std::iter::repeat(NAMELESS)).take(count).map(Into::into).collect()
}

fn open(socket: OwnedFd) -> Result<Open, String> {
    let listener = TcpListener::from(socket);
    if let Ok(address) = listener.local_addr() {
        os::bound_send_buffers(&listener);
        let shown = format!("http://{address}");
        return Ok(Open { listener: Listener::tcp(listener).passed(), shown, path: None });
    }
    let listener = UnixListener::from(OwnedFd::from(listener));
    let address =
        listener.local_addr().map_err(|_| "a socket that was passed is neither TCP nor Unix")?;
    let shown = format!("unix:{}", name(&address));
    Ok(Open { listener: Listener::unix(listener).passed(), shown, path: None })
}

/// A Unix socket's name; an abstract one begins with `@`.
fn name(address: &SocketAddr) -> String {
    match (address.as_pathname(), os::abstract_name(address)) {
        (Some(path), _) => path.display().to_string(),
        (None, Some(name)) => format!("@{}", String::from_utf8_lossy(name)),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_ours_where_the_process_is() {
        assert_eq!(count("2", "7", 7), Ok(2));
        for (fds, pid, told) in [
            ("", "7", "(LISTEN_FDS is not set)"),
            ("1", "8", "(LISTEN_PID is another's)"),
            ("1", "", "(LISTEN_PID is another's)"),
            ("0", "7", "(LISTEN_FDS is not a number above 0)"),
            ("x", "7", "(LISTEN_FDS is not a number above 0)"),
            ("99999999999999999999", "7", "(LISTEN_FDS is not a number above 0)"),
        ] {
            assert!(count(fds, pid, 7).unwrap_err().contains(told), "{fds} {pid}");
        }
    }

    #[test]
    fn a_socket_without_a_name_is_unknown() {
        assert_eq!(names("web:admin", 2), ["web", "admin"]);
        assert_eq!(names("web", 3), ["web", "unknown", "unknown"]);
        assert_eq!(names("", 1), ["unknown"]);
    }
}
