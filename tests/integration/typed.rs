//! `--hash` on a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use nix::pty::openpty;

use crate::support::*;

/// Runs `--hash` with this typed at its prompts: its exit code, its output, and what the terminal
/// shows.
fn typed(answers: [&str; 2]) -> (i32, String, String) {
    let pty = openpty(None, None).unwrap();
    let (mut screen, terminal) = (File::from(pty.master), File::from(pty.slave));
    let child = Command::new(PROGRAM)
        .arg("--hash")
        .stdin(terminal.try_clone().unwrap())
        .stderr(terminal)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut shown = String::new();
    for (prompt, answer) in ["Password: ", "Again: "].into_iter().zip(answers) {
        while !shown.ends_with(prompt) {
            let mut piece = [0; 64];
            let read = screen.read(&mut piece).unwrap();
            shown.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        }
        screen.write_all(format!("{answer}\n").as_bytes()).unwrap();
    }
    let output = child.wait_with_output().unwrap();
    // The other end is closed, so after everything has been read there is an error.
    let mut rest = Vec::new();
    let _ = screen.read_to_end(&mut rest);
    shown.push_str(&String::from_utf8(rest).unwrap());
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text, shown)
}

#[test]
fn a_password_is_asked_for_twice_and_not_shown() {
    let (code, out, shown) = typed(["hunter2", "hunter2"]);
    assert_eq!((code, shown.as_str()), (0, "Password: \r\nAgain: \r\n"));
    let text = format!("[user ann]\n{out}[client c]\nsecret = s\ngrants = password\n");
    let server = Server::configured(&text);
    let form = "grant_type=password&client_id=c&client_secret=s&username=ann&password=hunter2";
    assert_eq!(server.post("/oauth/token", &[], form).status, 200);
}

#[test]
fn two_that_differ_make_nothing() {
    let (code, out, shown) = typed(["hunter2", "hunter3"]);
    assert_eq!((code, out.as_str()), (1, ""));
    let told = "oauth2d: the two passwords differ; nothing was made\r\n";
    assert_eq!(shown, format!("Password: \r\nAgain: \r\n{told}"));
    let told = "oauth2d: the password on standard input is empty; write one\r\n";
    let (code, _, shown) = typed(["", ""]);
    assert_eq!((code, shown), (2, format!("Password: \r\nAgain: \r\n{told}")));
}
