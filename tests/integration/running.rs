//! Contract section 1: running it.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::*;

#[test]
fn localhost_is_served_on_both_families_with_one_port() {
    let server =
        Server::start(&mut Command::new(PROGRAM), &["--listen", "localhost:0"], Folder::new());
    let ports: Vec<u16> = server.addresses.iter().map(|address| address.port()).collect();
    assert_eq!(server.addresses[0].ip().to_string(), "127.0.0.1");
    // A machine without IPv6 has only the first.
    if TcpListener::bind("[::1]:0").is_ok() {
        assert_eq!(server.addresses[1].ip().to_string(), "::1");
        assert_eq!(ports[0], ports[1]);
        assert!(Connection::to(server.addresses[1]).is_alive());
    }
    assert!(Connection::to(server.addresses[0]).is_alive());
}

#[test]
fn listen_repeats_and_overrides_the_file() {
    let folder = Folder::new();
    let file = folder.write("c", "[server]\nlisten = 192.0.2.1:1\n[client c]\n");
    let arguments =
        ["--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0"];
    let server = Server::start(&mut Command::new(PROGRAM), &arguments, folder);
    let hosts: Vec<_> = server.addresses.iter().map(|address| address.ip().to_string()).collect();
    assert_eq!(hosts, ["127.0.0.1", "127.0.0.2"]);
}

#[test]
fn help_and_version_are_on_standard_output() {
    let (code, out, err) = run(&["--help"]);
    assert_eq!((code, err.as_str()), (0, ""));
    for option in
        ["--config", "--listen", "--demo", "--check", "--hash", "--new-secret", "--health"]
    {
        assert!(out.contains(option), "{option}");
    }
    let version = format!("oauth2d {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&["--version"]), (0, version, String::new()));
}

#[test]
fn a_wrong_argument_is_one_line_and_exit_2() {
    for arguments in [
        &["--nonsense"][..],
        &["--listen", "3000"],
        &["--config"],
        &["--demo", "--config", "x"],
        &["--config", "/does/not/exist"],
        &["--listen", "0.0.0.0:0"],
    ] {
        let (code, out, err) = run(arguments);
        assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1), "{arguments:?} {err}");
        assert!(err.starts_with("oauth2d: "), "{err}");
    }
}

#[test]
fn a_port_in_use_is_one_line_and_exit_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let told = format!(
        "oauth2d: {address}: the address is in use; stop the other program, or choose another \
         with --listen HOST:PORT\n"
    );
    assert_eq!(run(&["--listen", &address]), (1, String::new(), told));
    let folder = Folder::new();
    let file = folder.write("c", format!("[server]\nmetrics_listen = {address}\n[client c]\n"));
    let told = format!(
        "oauth2d: {address}: the address is in use; stop the other program, or set another \
         metrics_listen\n"
    );
    let arguments = ["--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    assert_eq!(run(&arguments), (1, String::new(), told));
}

#[test]
fn the_demo_leaves_loopback_only_when_told() {
    let arguments = ["--demo", "--listen", "0.0.0.0:0"];
    let server = Server::start(&mut Command::new(PROGRAM), &arguments, Folder::new());
    let port = server.addresses[0].port();
    let mut connection = Connection::to(([127, 0, 0, 1], port).into());
    connection.send("GET /.well-known/oauth-authorization-server HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(connection.answer().member("issuer"), format!("http://localhost:{port}"));
}

#[test]
fn the_demo_has_a_public_client_whose_name_people_read() {
    let server = Server::demo();
    let challenge = "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    for callback in [
        "http://localhost:4711/callback",
        "http://127.0.0.1:1/callback",
        "http://localhost/tour/callback",
        "http://127.0.0.1:3000/tour/callback",
        "http://[::1]:3000/tour/callback",
    ] {
        let target = format!(
            "/oauth/authorize?response_type=code&client_id=publicApplication&{challenge}\
             &code_challenge_method=S256&redirect_uri={callback}"
        );
        let page = server.get(&target, &[]);
        assert_eq!(page.status, 200, "{callback}");
        assert!(
            page.body.contains("Example App") && page.body.contains("<li>read</li>"),
            "{page:?}"
        );
    }
    let start = server.post("/oauth/device_authorization", &[], "client_id=publicApplication");
    assert_eq!(start.status, 200);
}

#[test]
fn both_signals_end_it_with_exit_0() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::demo();
        server.signal(signal);
        assert_eq!(server.end().code(), Some(0));
        assert!(TcpStream::connect(server.addresses[0]).is_err());
    }
}

#[test]
fn a_request_in_hand_is_finished_before_the_end() {
    let mut server = Server::demo();
    let mut idle = server.connect();
    assert!(idle.is_alive());
    let mut in_hand = server.connect();
    let text = message(
        "POST",
        "/oauth/token",
        &[APPLICATION, "Content-Type: application/x-www-form-urlencoded"],
        PASSWORD_GRANT,
    );
    // Once it asks for the body, the server has the head.
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    in_hand.send(format!("{head}\r\nExpect: 100-continue\r\n\r\n"));
    let mut word = [0; 25];
    in_hand.stream.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.signal("TERM");
    assert!(idle.is_over());
    in_hand.send(body);
    let answer = in_hand.answer();
    assert_eq!((answer.status, answer.field("Connection")), (200, Some("close")));
    assert!(in_hand.is_over());
    assert_eq!(server.end().code(), Some(0));
}

/// Waits until the server accepts nothing any more.
fn stopping(server: &Server) {
    eventually(|| TcpStream::connect(server.addresses[0]).is_err(), "it accepts nothing more");
}

#[test]
fn a_head_that_has_begun_at_the_stop_is_finished() {
    let mut server = Server::demo();
    let mut at_rest = server.connect();
    assert!(at_rest.is_alive());
    let mut begun = server.connect();
    begun.send("GET /heal");
    // The second head of a connection, too.
    at_rest.send("GET /heal");
    server.signal("TERM");
    stopping(&server);
    for connection in [&mut begun, &mut at_rest] {
        connection.send("thz HTTP/1.1\r\nHost: h\r\n\r\n");
        let answer = connection.answer();
        assert_eq!((&*answer.body, answer.field("Connection")), ("ok", Some("close")));
        assert!(connection.is_over());
    }
    assert_eq!(server.end().code(), Some(0));
}

#[test]
fn a_connection_that_has_sent_nothing_yet_has_a_second_at_the_stop() {
    let mut server = Server::demo();
    let mut quick = server.connect();
    let mut silent = server.connect();
    server.signal("TERM");
    stopping(&server);
    quick.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(quick.answer().body, "ok");
    let began = Instant::now();
    assert!(silent.is_over());
    assert_eq!(server.end().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
}

#[test]
fn it_ends_as_process_1_too() {
    // A process namespace needs rights that not every machine grants.
    let can = Command::new("unshare").args(["--pid", "--fork", "true"]).status();
    if !can.is_ok_and(|status| status.success()) {
        return;
    }
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", PROGRAM]);
    let mut server = Server::start(&mut command, &["--listen", "127.0.0.1:0"], Folder::new());
    let children = format!("/proc/{0}/task/{0}/children", server.pid());
    let child = std::fs::read_to_string(children).unwrap();
    assert!(Command::new("kill").args(["-s", "TERM", child.trim()]).status().unwrap().success());
    assert_eq!(server.end().code(), Some(0));
}
