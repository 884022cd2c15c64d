//! Contract section 3: `listen = unix:PATH`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::*;

/// A server at `s` in the folder of its configuration, with an issuer.
fn at_a_path(server: &str) -> (Server, PathBuf) {
    let server = Server::configured(&format!(
        "[server]\nlisten = unix:s\nissuer = https://auth.example.com\n{server}\n{CLIENTS}"
    ));
    let path = server.folder.path().join("s");
    (server, path)
}

fn ask(path: &Path, fields: &[&str], form: &str) -> Answer {
    let mut all = vec!["Content-Type: application/x-www-form-urlencoded"];
    all.extend(fields);
    let mut connection = Connection::to_path(path);
    connection.send(message("POST", "/oauth/token", &all, form));
    connection.answer()
}

fn configuration(folder: &Folder, server: &str) -> String {
    let text = format!("[server]\nissuer = https://a.example\n{server}\n[client c]\n");
    folder.write("c", text).display().to_string()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_path_is_beside_the_configuration_and_gone_after_the_stop() {
    let (mut server, path) = at_a_path("");
    assert_eq!(server.places, [format!("unix:{}", path.display())]);
    assert_eq!(mode(&path), 0o660);
    assert_eq!(ask(&path, &[APP], "grant_type=client_credentials").status, 200);
    let mut connection = Connection::to_path(&path);
    assert!(connection.is_alive() && connection.is_alive());
    server.signal("TERM");
    assert!(connection.is_over());
    assert_eq!(server.end().code(), Some(0));
    assert!(!path.exists());
}

#[test]
fn a_path_on_the_command_line_is_beside_the_configuration_too() {
    let folder = Folder::new();
    let file = configuration(&folder, "listen_mode = 600");
    let arguments = ["--config", &file, "--listen", "unix:s", "--listen", "127.0.0.1:0"];
    let server = Server::start(&mut Command::new(PROGRAM), &arguments, folder);
    assert_eq!(mode(&server.folder.path().join("s")), 0o600);
    assert_eq!(server.addresses.len(), 1);
    assert!(server.connect().is_alive());
}

#[test]
fn who_connects_to_a_path_is_a_proxy_and_counts_as_unix_where_it_names_nobody() {
    let (server, path) = at_a_path("");
    let wrong = "grant_type=password&username=ann&password=wrong";
    while ask(&path, &[APP], wrong).status != 429 {}
    // Neither is an address.
    for named in ["X-Forwarded-For: unknown", "X-Forwarded-For: 0.0.0.0"] {
        assert_eq!(ask(&path, &[APP, named], wrong).status, 429, "{named}");
    }
    assert_eq!(ask(&path, &[APP, "X-Forwarded-For: 203.0.113.7"], wrong).status, 400);
    let line = server.log_line(|line| line.contains(" 203.0.113.7 POST /oauth/token 400 "));
    assert!(line.contains("client=app"), "{line}");
    server.log_line(|line| line.contains(" unix POST /oauth/token 429 "));
}

#[test]
fn the_log_in_json_names_it_unix() {
    let (server, path) = at_a_path("log = json");
    ask(&path, &[], "");
    server.log_line(|line| line.contains(",\"address\":\"unix\",\"method\":\"POST\","));
}

#[test]
fn what_never_becomes_a_request_is_answered_at_a_path_too() {
    let (server, path) = at_a_path("");
    let mut connection = Connection::to_path(&path);
    connection.send("GET\r\n\r\n");
    assert_eq!(connection.answer().status, 400);
    assert!(connection.is_over());
    server.log_line(|line| line.contains(" unix - - 400 "));
}

#[test]
fn a_socket_of_a_killed_server_is_replaced_and_nothing_else_is() {
    let folder = Folder::new();
    let file = configuration(&folder, "listen = unix:s");
    let path = folder.path().join("s");
    let refused = |what: &str| {
        let told = format!("oauth2d: unix:{}: {what}\n", path.display());
        assert_eq!(run(&["--config", &file]), (1, String::new(), told));
    };
    fs::write(&path, "mine").unwrap();
    refused("this is not a socket; move it away, or choose another path");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    refused("another program listens there; stop it, or choose another path");
    // When it is killed, its path stays.
    drop(other);
    let server = Server::start(&mut Command::new(PROGRAM), &["--config", &file], folder);
    assert!(Connection::to_path(&path).is_alive());
    drop(server);
}

#[test]
fn a_start_that_fails_leaves_no_socket_behind() {
    let folder = Folder::new();
    folder.write("state", "other bytes");
    let file = configuration(&folder, "listen = unix:s\nstate_file = state");
    assert_eq!(run(&["--config", &file]).0, 1);
    assert!(!folder.path().join("s").exists());
}

#[test]
fn a_server_that_listens_on_a_socket_first_needs_an_issuer() {
    let folder = Folder::new();
    let what = "a server that listens on a socket first needs issuer, its public URL, in [server]";
    for place in ["unix:s", "systemd", "systemd:web localhost:0"] {
        let text = format!("[client c]\n[server]\nlisten = {place}\n");
        let file = folder.write("c", text).display().to_string();
        let told = format!("oauth2d: {file}:2: {what}\n");
        assert_eq!(run(&["--config", &file]), (2, String::new(), told), "{place}");
    }
    let told = format!("oauth2d: demo data: {what}\n");
    assert_eq!(run(&["--demo", "--listen", "unix:s"]), (2, String::new(), told));
    let (code, _, told) = run(&["--listen", "localhost:0", "--listen", "unix:s"]);
    assert!(
        code == 2 && told.contains("--listen unix:s: the demo data stays on loopback"),
        "{told}"
    );
}

#[test]
fn health_is_asked_over_a_path() {
    let (mut server, path) = at_a_path("");
    let file = server.folder.path().join("oauth2d.conf").display().to_string();
    assert_eq!(run(&["--health", "--config", &file]), (0, String::new(), String::new()));
    server.signal("TERM");
    server.end();
    let told =
        format!("oauth2d: unix:{}: No such file or directory (os error 2)\n", path.display());
    assert_eq!(run(&["--health", "--config", &file]), (1, String::new(), told));
    let arguments = ["--health", "--config", &file, "--listen", "systemd"];
    let told = "oauth2d: listen has no address that can be asked; name one with --listen HOST:PORT \
                or --listen unix:PATH\n";
    assert_eq!(run(&arguments), (1, String::new(), told.into()));
}
