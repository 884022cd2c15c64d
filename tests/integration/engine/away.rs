//! Contract section 6: an engine that is killed, stopped, or restarted. Whatever needs it is 503
//! until it is there again, and nothing that was issued is denied meanwhile.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::asks::*;
use super::redis::{Engine, Place};
use crate::state::*;
use crate::support::*;

/// The end of a notice about an engine that is away.
const GONE: &str = "; what needs it is answered 503 until it is there again";

/// A server on this engine, and what it issued.
pub fn with_tokens(engine: &Engine) -> (Server, Held) {
    let (fixed, section) = fixed_token();
    let server = engine.server(&format!("device_interval = 0\n{section}"));
    let held = Held::of(&server, &fixed);
    (server, held)
}

/// How often the log says that the engine is away, and that it is there again.
pub fn told(server: &Server) -> (usize, usize) {
    let log = server.log();
    let notices = || log.lines().filter_map(notice_of);
    let again = notices().filter(|notice| notice.ends_with(": it is there again")).count();
    (notices().filter(|notice| notice.ends_with(GONE)).count(), again)
}

/// Asserts that the log says each once.
#[track_caller]
pub fn assert_both_told_once(server: &Server) {
    eventually(|| told(server).1 > 0, "it is not told that the engine is there again");
    assert_eq!(told(server), (1, 1), "{}", server.log());
}

/// Waits until this token is good, and it is never said to be none.
#[track_caller]
fn await_good(server: &Server, token: &str) {
    let is_good = || match server.bearer(token) {
        answer if answer.status == 503 => false,
        answer => {
            assert_eq!(answer.status, 200, "{answer:?}");
            true
        }
    };
    eventually(is_good, "the token is not good again");
}

#[test]
fn a_killed_engine_is_503_everywhere_until_it_is_there_again() {
    let Some(mut engine) = Engine::with(&["--appendonly", "yes"]) else { return };
    let (server, held) = with_tokens(&engine);
    engine.kill();
    assert_unavailable_everywhere(&server, &held);
    server.notice(|notice| notice.starts_with(&engine.url()) && notice.ends_with(GONE));
    engine.restart();
    await_good(&server, &held.access);
    await_ready(&server);
    assert_spendable(&server, &held);
    assert_both_told_once(&server);
}

#[test]
fn an_engine_that_stands_still_is_503_everywhere_until_it_goes_on() {
    let Some(engine) = Engine::start() else { return };
    let (server, held) = with_tokens(&engine);
    engine.suspend();
    assert_unavailable_everywhere(&server, &held);
    engine.go_on();
    await_ready(&server);
    // Once it continues, it may have done what it was asked for meanwhile.
    assert!(server.is_live(&held.fixed));
    assert_both_told_once(&server);
}

#[test]
fn nothing_that_was_only_asked_about_is_lost_to_a_pause() {
    let Some(engine) = Engine::start() else { return };
    let (server, held) = with_tokens(&engine);
    for _ in 0..3 {
        engine.suspend();
        assert_eq!(in_time("/", || server.bearer(&held.access)).whole(), whole());
        engine.go_on();
        await_good(&server, &held.access);
        await_ready(&server);
        assert_good(&server, &held);
    }
    assert_spendable(&server, &held);
}

/// How long the slowest of a hundred requests at once takes; each is answered with 503.
fn slowest_of_a_crowd(server: &Server, held: &Held) -> Duration {
    std::thread::scope(|scope| {
        let ask = |at: usize| {
            let (name, ask) = JSON[at % JSON.len()];
            let began = Instant::now();
            assert_eq!(ask(server, held).whole(), whole(), "{name}");
            began.elapsed()
        };
        let threads: Vec<_> = (0..100).map(|at| scope.spawn(move || ask(at))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).max().unwrap()
    })
}

/// More requests than the pool has connections, so that some wait for a connection in vain.
#[test]
fn a_crowd_at_an_engine_that_stands_still_is_answered_in_time() {
    let Some(engine) = Engine::start() else { return };
    let (server, held) = with_tokens(&engine);
    engine.suspend();
    // Waiting and asking have one budget together; with one each, it would be more than this. A busy
    // machine may be late, but not each time.
    let mut slowest = std::iter::repeat_with(|| slowest_of_a_crowd(&server, &held)).take(5);
    assert!(slowest.any(|time| time < Duration::from_secs(3)));
    engine.go_on();
    await_ready(&server);
    assert!(server.is_live(&server.token(APP, ANN).member("access_token")));
    assert_both_told_once(&server);
}

#[test]
fn an_operator_is_told_that_the_engine_is_away() {
    let Some(mut engine) = Engine::start() else { return };
    let server = engine.server("control = control.sock");
    server.token(APP, ANN);
    let file = server.folder.path().join("oauth2d.conf");
    let file = file.to_str().unwrap();
    let place = server.addresses[0].to_string();
    let health = || run(&["--health", "--listen", &place, "--config", file]).0;
    assert_eq!(health(), 0);
    engine.kill();
    for command in [&["--tokens"][..], &["--end", "--client", "app"]] {
        let (code, _, err) = run(&[command, &["--config", file]].concat());
        assert_eq!((code, err.lines().count()), (1, 1), "{err}");
    }
    assert_eq!(health(), 1);
    engine.restart();
    await_ready(&server);
    assert_eq!(health(), 0);
}

#[test]
fn an_engine_that_comes_back_empty_knows_no_token_and_goes_on() {
    let Some(mut engine) = Engine::start() else { return };
    let (server, held) = with_tokens(&engine);
    engine.kill();
    assert_eq!(server.bearer(&held.access).whole(), whole());
    engine.restart();
    await_ready(&server);
    assert_eq!(server.bearer(&held.access).error(), (401, "invalid_token".into()));
    assert_eq!(refresh(&server, &held.refresh).error(), (400, "invalid_grant".into()));
    assert_eq!(redeem(&server, &held.code).error(), (400, "invalid_grant".into()));
    assert_eq!(poll(&server, &held.allowed).error(), (400, "invalid_grant".into()));
    assert_eq!(decide(&server, &held.pending.1, "allow").status, 403);
    assert!(server.is_live(&server.token(APP, ANN).member("access_token")));
    assert_both_told_once(&server);
}

/// An idle connection that has died is not a failure: the next request opens a new one.
#[test]
fn a_restart_that_nobody_has_asked_in_is_not_noticed_by_clients() {
    let Some(mut engine) = Engine::with(&["--appendonly", "yes"]) else { return };
    let (server, held) = with_tokens(&engine);
    for _ in 0..3 {
        engine.kill();
        engine.restart();
        assert_eq!(server.bearer(&held.access).status, 200);
    }
    for kill in ["normal", "pubsub"] {
        engine.ask(&["CLIENT", "KILL", "TYPE", kill]);
        assert_eq!(server.bearer(&held.access).status, 200);
    }
    assert_spendable(&server, &held);
}

#[test]
fn an_engine_that_is_away_at_the_start_is_told_and_awaited() {
    let Some(mut engine) = Engine::start() else { return };
    engine.kill();
    let (fixed, section) = fixed_token();
    let server = engine.server(&section);
    server.notice(|notice| notice.starts_with(&engine.url()) && notice.ends_with(GONE));
    server.notice(|notice| notice.ends_with("tokens in the engine"));
    assert_unavailable_everywhere(&server, &Held::made_up(&fixed));
    engine.restart();
    await_ready(&server);
    assert!(server.is_live(&server.token(APP, ANN).member("access_token")));
    assert_both_told_once(&server);
}

/// A stop works, whatever its requests are waiting for.
#[test]
fn a_stop_while_the_engine_is_away_is_none_of_its_business() {
    let Some(engine) = Engine::start() else { return };
    let mut server = engine.server("");
    engine.suspend();
    let asking = server.connect();
    let mut asking = asking;
    let field = format!("Authorization: Bearer {}", "0".repeat(40));
    asking.send(message("GET", "/", &[&field], ""));
    server.signal("TERM");
    assert_eq!(server.end().code(), Some(0), "{}", server.log());
    assert_eq!(asking.answer().status, 503);
}

/// A server that reads the addresses of names from this file; `None` if the system does not allow it.
fn with_hosts(hosts: &Path, text: &str) -> Option<Server> {
    let shell = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script]).arg(hosts);
        command
    };
    let bind = "mount --bind \"$0\" /etc/hosts";
    if !shell(bind).output().is_ok_and(|output| output.status.success()) {
        println!("skipped: a mount of our own is refused");
        return None;
    }
    let mut command = shell(&format!("{bind} && exec \"$@\""));
    command.arg(PROGRAM);
    Some(Server::configured_by(&mut command, text))
}

/// After a failover the name has another address.
#[test]
fn another_address_of_the_same_name_takes_over() {
    let Some(mut first) = Engine::start() else { return };
    let port = first.port();
    let mut second = Engine::beside(Place::Tcp(([127, 0, 0, 2], port).into()), &[]);
    second.ask(&["REPLICAOF", "127.0.0.1", &port.to_string()]);
    let folder = Folder::new();
    let hosts = folder.write("hosts", "127.0.0.1 engine.test\n");
    let (fixed, section) = fixed_token();
    let store = format!("store = redis://engine.test:{port}\ndevice_interval = 0");
    let text = format!("[server]\n{store}\n{section}{CLIENTS}");
    let Some(server) = with_hosts(&hosts, &text) else { return };
    let held = Held::of(&server, &fixed);
    eventually(|| second.rows() == first.rows(), "nothing is copied");

    // The first has died.
    first.kill();
    assert_eq!(server.bearer(&held.access).whole(), whole());
    second.ask(&["REPLICAOF", "NO", "ONE"]);
    folder.write("hosts", "127.0.0.2 engine.test\n");
    assert_good(&server, &held);
    // The second lives on, and is told to follow: its connections are there, and it takes no step.
    first.restart();
    first.ask(&["REPLICAOF", "127.0.0.2", &port.to_string()]);
    eventually(|| first.rows() == second.rows(), "nothing is copied");
    second.ask(&["REPLICAOF", "127.0.0.1", &port.to_string()]);
    first.ask(&["REPLICAOF", "NO", "ONE"]);
    folder.write("hosts", "127.0.0.1 engine.test\n");
    assert_spendable(&server, &held);
    // One name for both, of whom the first is gone.
    first.kill();
    second.ask(&["REPLICAOF", "NO", "ONE"]);
    folder.write("hosts", "127.0.0.1 engine.test\n127.0.0.2 engine.test\n");
    assert!(server.is_live(&server.token(APP, ANN).member("access_token")));
    second.kill();
    assert_eq!(server.token(APP, ANN).whole(), whole());
}
