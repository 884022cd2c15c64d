//! A service manager for tests: it holds sockets and passes them as systemd does, and listens to
//! what a service says about itself.

use std::os::fd::OwnedFd;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;

use command_fds::{CommandFdExt, FdMapping};

use crate::support::*;

/// The shell knows its process id, and then becomes the program.
const BECOME: &str = "LISTEN_PID=$$ exec \"$@\"";

/// The program with these sockets and their names, as systemd passes them.
pub fn passing(sockets: &[(&str, &dyn Fn() -> OwnedFd)]) -> Command {
    let mut command = Command::new("sh");
    let names: Vec<&str> = sockets.iter().map(|(name, _)| *name).collect();
    let mapped = sockets
        .iter()
        .zip(3..)
        .map(|((_, socket), child_fd)| FdMapping { parent_fd: socket(), child_fd });
    command.args(["-c", BECOME, "sh", PROGRAM]);
    command.env("LISTEN_FDS", sockets.len().to_string());
    command.env("LISTEN_FDNAMES", names.join(":"));
    command.fd_mappings(mapped.collect()).unwrap();
    command
}

/// Where a service says what it is doing.
pub struct Ear(UnixDatagram);

impl Ear {
    pub fn at(address: &SocketAddr) -> Ear {
        let socket = UnixDatagram::bind_addr(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Ear(socket)
    }

    /// The next message.
    pub fn hear(&self) -> String {
        let mut message = [0; 4096];
        let length = self.0.recv(&mut message).expect("the service says something");
        String::from_utf8(message[..length].to_vec()).unwrap()
    }
}
