//! Contract section 3: `listen = systemd`, and what the service manager is told.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use crate::service_manager::{Ear, passing};
use crate::support::*;

fn configuration(listen: &str) -> (Folder, String) {
    let folder = Folder::new();
    let text = format!("[server]\nlisten = {listen}\nissuer = https://a.example\n[client c]\n");
    let file = folder.write("oauth2d.conf", text).display().to_string();
    (folder, file)
}

/// A program's exit code, and what it says.
fn refusal(command: &mut Command, file: &str) -> (Option<i32>, String) {
    let output = command.args(["--config", file]).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn passed_sockets_are_served_by_their_names() {
    let (folder, file) = configuration("systemd:web systemd");
    let path = folder.path().join("s");
    let (web, other) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), UnixListener::bind(&path).unwrap());
    let web_again = || OwnedFd::from(web.try_clone().unwrap());
    let other_again = || OwnedFd::from(other.try_clone().unwrap());
    let mut command = passing(&[("other", &other_again), ("web", &web_again)]);
    let mut server = Server::start(&mut command, &["--config", &file], folder);
    let address = web.local_addr().unwrap();
    let places = [format!("http://{address}"), format!("unix:{}", path.display())];
    assert_eq!(server.places, places);
    assert!(server.connect().is_alive());
    let mut connection = Connection::to_path(&path);
    connection.send("GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(connection.answer().status, 404);
    server.log_line(|line| line.contains(" unix GET /nothing 404 "));
    server.signal("TERM");
    assert_eq!(server.end().code(), Some(0));
    // They belong to the service manager.
    assert!(path.exists());
}

#[test]
fn an_abstract_socket_is_shown_as_systemd_writes_it() {
    let (folder, file) = configuration("systemd");
    let name = format!("oauth2d-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = || OwnedFd::from(UnixListener::bind_addr(&address).unwrap());
    let server = Server::start(&mut passing(&[("", &socket)]), &["--config", &file], folder);
    assert_eq!(server.places, [format!("unix:@{name}")]);
}

#[test]
fn a_start_without_passed_sockets_is_one_line_and_exit_1() {
    let (_folder, file) = configuration("systemd:web");
    let told = |what: &str| (Some(1), format!("oauth2d: systemd:web: {what}\n"));
    let none = told(
        "no sockets were passed (LISTEN_FDS is not set); start it by its socket unit, or listen on \
         HOST:PORT",
    );
    assert_eq!(refusal(&mut Command::new(PROGRAM), &file), none);
    let mut of_another = Command::new(PROGRAM);
    of_another.env("LISTEN_FDS", "1").env("LISTEN_PID", "1");
    let another = told("no sockets were passed to this process (LISTEN_PID is another's)");
    assert_eq!(refusal(&mut of_another, &file), another);
    let socket = || OwnedFd::from(TcpListener::bind("127.0.0.1:0").unwrap());
    let nameless =
        told("no socket of this name was passed; see FileDescriptorName= in the socket unit");
    assert_eq!(refusal(&mut passing(&[("other", &socket)]), &file), nameless);
    let deaf = |descriptor| {
        told(&format!(
            "descriptor {descriptor} of LISTEN_FDS is no socket that listens; the socket unit needs \
             ListenStream= and Accept=no"
        ))
    };
    let mut too_many = passing(&[("web", &socket)]);
    assert_eq!(refusal(too_many.env("LISTEN_FDS", "900"), &file), deaf(4));
    let file_itself = || OwnedFd::from(fs::File::open(&file).unwrap());
    assert_eq!(refusal(&mut passing(&[("web", &file_itself)]), &file), deaf(3));
}

#[test]
fn who_connects_after_the_stop_is_served_by_the_next_process() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let again = || OwnedFd::from(socket.try_clone().unwrap());
    let start = || {
        let (folder, file) = configuration("systemd");
        Server::start(&mut passing(&[("", &again)]), &["--config", &file], folder)
    };
    let mut first = start();
    assert!(first.connect().is_alive());
    first.signal("TERM");
    assert_eq!(first.end().code(), Some(0));
    let mut waiting = Connection::to(socket.local_addr().unwrap());
    waiting.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    // No connection of the stop waits there, for which systemd would start the service again.
    let _second = start();
    assert_eq!(waiting.answer().body, "ok");
}

#[test]
fn a_stop_leaves_nothing_in_the_queue_of_a_passed_socket() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let again = || OwnedFd::from(socket.try_clone().unwrap());
    let (folder, file) = configuration("systemd");
    let mut server = Server::start(&mut passing(&[("", &again)]), &["--config", &file], folder);
    server.signal("TERM");
    assert_eq!(server.end().code(), Some(0));
    socket.set_nonblocking(true).unwrap();
    let kind = socket.accept().unwrap_err().kind();
    assert_eq!(kind, std::io::ErrorKind::WouldBlock);
}

#[test]
fn the_service_manager_hears_of_start_reload_and_stop() {
    let (folder, file) = configuration("127.0.0.1:0");
    let path = folder.path().join("notify");
    let ear = Ear::at(&SocketAddr::from_pathname(&path).unwrap());
    let mut command = Command::new(PROGRAM);
    command.env("NOTIFY_SOCKET", &path);
    let mut server = Server::start(&mut command, &["--config", &file], folder);
    assert_eq!(ear.hear(), "READY=1\nSTATUS=serving");
    server.signal("HUP");
    let reloading = ear.hear();
    let micros = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect(&reloading);
    let micros: u64 = micros.strip_suffix("\nSTATUS=reloading").unwrap().parse().unwrap();
    assert!(micros > 0);
    assert_eq!(ear.hear(), "READY=1\nSTATUS=serving");
    server.log_line(|line| line.ends_with("the configuration was read again"));
    server.folder.write("oauth2d.conf", "[server]\nlisten = x\n[client c]\n");
    server.signal("HUP");
    assert!(ear.hear().starts_with("RELOADING=1\n"));
    let what = "listen must be HOST:PORT, such as localhost:3000 or [::1]:3000";
    assert_eq!(ear.hear(), format!("READY=1\nSTATUS=reload failed: {file}:2: {what}"));
    server.signal("TERM");
    assert_eq!(ear.hear(), "STOPPING=1\nSTATUS=stopping");
    assert_eq!(server.end().code(), Some(0));
}

#[test]
fn the_service_manager_may_listen_at_an_abstract_name() {
    let (folder, file) = configuration("127.0.0.1:0");
    let name = format!("oauth2d-notify-{}", std::process::id());
    let ear = Ear::at(&SocketAddr::from_abstract_name(&name).unwrap());
    let mut command = Command::new(PROGRAM);
    command.env("NOTIFY_SOCKET", format!("@{name}"));
    let _server = Server::start(&mut command, &["--config", &file], folder);
    assert_eq!(ear.hear(), "READY=1\nSTATUS=serving");
}

#[test]
fn a_service_manager_that_is_not_there_holds_nothing_up() {
    let (folder, file) = configuration("127.0.0.1:0");
    let mut command = Command::new(PROGRAM);
    command.env("NOTIFY_SOCKET", folder.path().join("nobody"));
    let mut server = Server::start(&mut command, &["--config", &file], folder);
    let began = Instant::now();
    server.signal("TERM");
    assert_eq!(server.end().code(), Some(0));
    assert!(began.elapsed() < PATIENCE);
}

#[test]
fn a_restart_with_passed_sockets_and_a_state_file_fails_no_request_and_loses_no_token() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let again = || OwnedFd::from(socket.try_clone().unwrap());
    let kept = Folder::new();
    let server = format!(
        "listen = systemd\nissuer = https://a.example\nstate_file = {}/state",
        kept.path().display()
    );
    let file = kept.write("c", format!("[server]\n{server}\n{CLIENTS}")).display().to_string();
    let start =
        || Server::start(&mut passing(&[("", &again)]), &["--config", &file], Folder::new());
    let mut serving = start();
    let is_over = AtomicBool::new(false);
    let ask = || {
        let mut tokens = Vec::new();
        while !is_over.load(Relaxed) {
            let mut connection = Connection::to(address);
            let fields =
                [APP, "Connection: close", "Content-Type: application/x-www-form-urlencoded"];
            let form = "grant_type=client_credentials";
            connection.send(message("POST", "/oauth/token", &fields, form));
            let answer = connection.answer();
            assert_eq!(answer.status, 200, "{answer:?}");
            tokens.push(answer.member("access_token"));
        }
        tokens
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        for _ in 0..3 {
            serving.log_line(|line| line.contains(" POST /oauth/token 200 "));
            serving.signal("TERM");
            assert_eq!(serving.end().code(), Some(0));
            serving = start();
        }
        serving.log_line(|line| line.contains(" POST /oauth/token 200 "));
        is_over.store(true, Relaxed);
        let tokens: Vec<_> = clients.into_iter().flat_map(|it| it.join().unwrap()).collect();
        assert!(tokens.len() >= 4 && tokens.iter().all(|token| serving.is_live(token)));
    });
}
