//! Contract section 1: signals work whatever the program is waiting for.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::*;

const CLIENT: &str = "[client c]\nsecret_file = secret\n";
/// Linux's value.
const O_NONBLOCK: i32 = 0o4000;

/// Replaces a file with a pipe.
fn make_pipe(path: &Path) {
    let _ = std::fs::remove_file(path);
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// The writing end of a pipe. Opening it waits until the other end is open.
fn open_once_read(path: &Path) -> File {
    File::options().write(true).open(path).unwrap()
}

/// A server with a secret in its own file.
fn with_secret_file() -> Server {
    let folder = Folder::new();
    let file = folder.write("oauth2d.conf", CLIENT);
    folder.write("secret", "s");
    let arguments = ["--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    Server::start(&mut Command::new(PROGRAM), &arguments, folder)
}

#[test]
fn a_reload_that_hangs_holds_no_stop_and_no_request_up() {
    for name in ["oauth2d.conf", "secret"] {
        let mut server = with_secret_file();
        let pipe = server.folder.path().join(name);
        make_pipe(&pipe);
        server.signal("HUP");
        let _open = open_once_read(&pipe);
        assert!(server.connect().is_alive());
        server.signal("TERM");
        assert_eq!(server.end().code(), Some(0), "{name}");
    }
}

#[test]
fn a_signal_during_a_reload_asks_for_one_more() {
    let server = with_secret_file();
    let pipe = server.folder.path().join("secret");
    make_pipe(&pipe);
    server.signal("HUP");
    for times in 1..=2 {
        let mut open = open_once_read(&pipe);
        if times == 1 {
            server.signal("HUP");
        }
        assert_eq!(server.log().matches("read again").count(), times - 1);
        open.write_all(b"s").unwrap();
        drop(open);
        eventually(|| server.log().matches("read again").count() == times, "it is read again");
    }
}

#[test]
fn a_start_that_hangs_ends_at_a_signal() {
    let folder = Folder::new();
    let pipe = folder.path().join("c.conf");
    make_pipe(&pipe);
    let mut command = Command::new(PROGRAM);
    command.arg("--config").arg(&pipe).stdout(Stdio::null());
    let mut server = Server::starting(&mut command, folder);
    let _open = open_once_read(&pipe);
    server.signal("TERM");
    assert_eq!(server.end().code(), Some(0));
}

#[test]
fn a_full_standard_output_holds_no_reload_and_no_stop_up() {
    let folder = Folder::new();
    let pipe = folder.path().join("out");
    make_pipe(&pipe);
    // Open for both reading and writing, so that it can be filled although nobody reads.
    let mut full =
        OpenOptions::new().read(true).write(true).custom_flags(O_NONBLOCK).open(&pipe).unwrap();
    let refused = std::iter::repeat_with(|| full.write(b".")).find_map(Result::err).unwrap();
    assert_eq!(refused.kind(), ErrorKind::WouldBlock);
    let text = "[server]\nlisten = 127.0.0.1:0\nmetrics_listen = 127.0.0.1:0\n[client c]\n";
    let file = folder.write("c.conf", text);
    let mut command = Command::new(PROGRAM);
    command.arg("--config").arg(file).stdout(open_once_read(&pipe));
    let mut server = Server::starting(&mut command, folder);
    let line = server.log_line(|line| line.contains("metrics on http://"));
    let address = line.rsplit("http://").next().unwrap().strip_suffix("/metrics").unwrap();
    let mut connection = Connection::to(address.parse().unwrap());
    connection.send("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(connection.answer().status, 200);
    server.signal("HUP");
    server.log_line(|line| line.ends_with("read again"));
    server.signal("TERM");
    assert_eq!(server.end().code(), Some(0));
}
