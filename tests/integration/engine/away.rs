//! Contract section 6: an engine that is killed, stopped, or restarted. Whatever needs it is 503
//! until it is there again, and nothing that was issued is denied meanwhile.

use std::net::{IpAddr, Ipv6Addr};

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

#[test]
fn a_killed_engine_is_503_everywhere_until_it_is_there_again() {
    let Some(mut engine) = Engine::with(&["--appendonly", "yes"]) else { return };
    let (server, held) = with_tokens(&engine);
    engine.kill();
    assert_unavailable_everywhere(&server, &held);
    server.notice(|notice| notice.starts_with(&engine.url()) && notice.ends_with(GONE));
    engine.restart();
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
        await_ready(&server);
        assert_good(&server, &held);
    }
    assert_spendable(&server, &held);
}

/// More requests than the pool has connections, so that some wait for a connection in vain.
#[test]
fn a_crowd_at_an_engine_that_stands_still_is_answered_in_time() {
    let Some(engine) = Engine::start() else { return };
    let (server, held) = with_tokens(&engine);
    engine.suspend();
    let (server, held) = (&server, &held);
    std::thread::scope(|scope| {
        for at in 0..100 {
            let (name, ask) = JSON[at % JSON.len()];
            scope.spawn(move || {
                assert_eq!(in_time(name, || ask(server, held)).whole(), whole(), "{name}");
            });
        }
    });
    engine.go_on();
    await_ready(server);
    assert!(server.is_live(&server.token(APP, ANN).member("access_token")));
    assert_both_told_once(server);
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

/// After a failover the name has another address.
#[test]
fn another_address_of_the_same_name_takes_over() {
    let Some(mut first) = Engine::start() else { return };
    let place = Place::Tcp((IpAddr::V6(Ipv6Addr::LOCALHOST), first.port()).into());
    if !has_both_addresses() {
        return println!("skipped: localhost has not both addresses here");
    }
    let (fixed, section) = fixed_token();
    let server = Server::with(&format!("store = redis://localhost:{}\n{section}", first.port()));
    let held = Held::of(&server, &fixed);
    let mut second = Engine::beside(place, &[]);
    let port = first.port().to_string();
    second.ask(&["REPLICAOF", "127.0.0.1", &port]);
    eventually(|| second.rows().len() == first.rows().len(), "nothing is copied");
    first.kill();
    second.ask(&["REPLICAOF", "NO", "ONE"]);
    await_ready(&server);
    assert_spendable(&server, &held);
    second.kill();
    assert_eq!(server.bearer(&held.access).whole(), whole());
    first.restart();
    await_ready(&server);
    // This one comes back empty.
    assert_eq!(server.bearer(&held.access).status, 401);
}

fn has_both_addresses() -> bool {
    let places = std::net::ToSocketAddrs::to_socket_addrs(&("localhost", 1)).unwrap();
    let (v4, v6): (Vec<_>, Vec<_>) = places.map(|it| it.ip()).partition(IpAddr::is_ipv4);
    let binds = |ip: &IpAddr| std::net::TcpListener::bind((*ip, 0)).is_ok();
    v4.iter().any(binds) && v6.iter().any(binds)
}
