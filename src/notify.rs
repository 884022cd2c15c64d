//! Tells the service manager, if there is one, what the server is doing (sd_notify(3)).

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::os;

/// How long the service manager may take to receive a message.
const PATIENCE: Duration = Duration::from_millis(200);

/// The server is serving; `status` is a line for people.
pub fn ready(status: &str) {
    say(&format!("READY=1\nSTATUS={}", status.replace(char::is_control, " ")));
}

pub fn stopping() {
    say("STOPPING=1\nSTATUS=stopping");
}

/// A reload begins; [`ready`] ends it.
pub fn reloading() {
    say(&format!("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=reloading", os::monotonic_micros()));
}

fn say(text: &str) {
    if let Some(socket) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) {
        // There is nobody else to tell.
        let _ = send(&socket, text);
    }
}

fn send(socket: &OsString, text: &str) -> io::Result<usize> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => os::abstract_address(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    let sender = UnixDatagram::unbound()?;
    sender.set_write_timeout(Some(PATIENCE))?;
    sender.send_to_addr(text.as_bytes(), &address)
}
