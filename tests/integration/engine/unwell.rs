//! Contract section 6: an engine that is there but cannot do what it is asked: it cannot be
//! written, is full, is still loading, or refuses us.

use super::asks::*;
use super::away::{assert_both_told_once, told, with_tokens};
use super::redis::Engine;
use super::resp::Value;
use crate::state::*;
use crate::support::*;

/// Asserts that none of these is answered as if there were no such token.
#[track_caller]
fn assert_nothing_is_denied(server: &Server, held: &Held) {
    for (name, ask) in JSON {
        let answer = in_time(name, || ask(server, held));
        let is_false = answer.status == 401 || answer.body == "{\"active\":false}";
        let is_refused = answer.body.contains("invalid_");
        assert!(!is_false && !is_refused, "{name}: {answer:?}");
    }
}

/// Asserts that what issues something is 503 as a whole.
#[track_caller]
fn assert_nothing_is_given(server: &Server, held: &Held) {
    for (name, ask) in &JSON[..7] {
        if *name != "device_code, pending" {
            assert_eq!(in_time(name, || ask(server, held)).whole(), whole(), "{name}");
        }
    }
    for (name, ask) in PAGES.iter().filter(|(name, _)| name.contains("allow")) {
        assert_page_again(name, &in_time(name, || ask(server, held)), held);
    }
    assert_eq!(server.get("/readyz", &[]).whole(), whole());
}

#[test]
fn an_engine_that_has_become_a_replica_is_503_until_it_is_none() {
    let Some(engine) = Engine::start() else { return };
    let (server, held) = with_tokens(&engine);
    engine.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    assert_nothing_is_given(&server, &held);
    assert_nothing_is_denied(&server, &held);
    assert_as_ever(&server, &held);
    engine.ask(&["REPLICAOF", "NO", "ONE"]);
    await_ready(&server);
    assert_spendable(&server, &held);
    assert_both_told_once(&server);
}

#[test]
fn a_replica_that_has_lost_its_primary_says_nothing_of_a_token() {
    let Some(engine) = Engine::with(&["--replica-serve-stale-data", "no"]) else { return };
    let (server, held) = with_tokens(&engine);
    engine.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    assert_unavailable_everywhere(&server, &held);
    engine.ask(&["REPLICAOF", "NO", "ONE"]);
    await_ready(&server);
    assert_spendable(&server, &held);
    assert_both_told_once(&server);
}

#[test]
fn a_full_engine_gives_nothing_and_checks_go_on() {
    let Some(engine) = Engine::start() else { return };
    let (server, held) = with_tokens(&engine);
    let before = engine.rows();
    engine.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_nothing_is_given(&server, &held);
    assert!(server.is_live(&held.access));
    assert_good_but_for_polls(&server, &held);
    assert_as_ever(&server, &held);
    // Whole or not at all: no row has changed.
    assert_eq!(without_check(engine.rows()), without_check(before));
    engine.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    await_ready(&server);
    assert_spendable(&server, &held);
    assert_both_told_once(&server);
}

/// What ends something needs no room.
#[test]
fn a_full_engine_can_still_end_tokens() {
    let Some(engine) = Engine::start() else { return };
    let (server, held) = with_tokens(&engine);
    let family = server.token(APP, ANN);
    engine.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    for token in [&held.access, &family.member("refresh_token")] {
        let answer = in_time("revoke", || revoke(&server, token));
        assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
    }
    assert!(!server.is_live(&held.access) && !server.is_live(&family.member("access_token")));
}

/// A poll is stored, so it needs room.
#[track_caller]
fn assert_good_but_for_polls(server: &Server, held: &Held) {
    let bearer = format!("Authorization: Bearer {}", held.access);
    assert_eq!(server.get("/oauth/authenticate", &[&bearer]).status, 200);
    assert_eq!(server.get("/oauth/userinfo", &[&bearer]).status, 200);
    for token in [&held.access, &held.refresh] {
        let told = server.post("/oauth/introspect", &[APP], &format!("token={token}"));
        assert_eq!(told.json()["active"], true, "{told:?}");
    }
}

fn without_check(
    mut rows: std::collections::BTreeMap<String, Vec<u8>>,
) -> std::collections::BTreeMap<String, Vec<u8>> {
    rows.retain(|key, _| !key.ends_with("check"));
    rows
}

#[test]
fn an_engine_that_still_loads_is_503_until_it_has() {
    let Some(mut engine) = Engine::start() else { return };
    let (server, held) = with_tokens(&engine);
    // So much, and so slowly, that it answers many times meanwhile.
    let mut client = engine.client();
    for at in 0..300 {
        client.ask(&["SET".into(), format!("other:{at}"), "x".repeat(10_000)]);
    }
    client.ask(&["CONFIG", "SET", "rdbcompression", "no"]);
    client.ask(&["SAVE"]);
    engine.kill();
    engine.add_options(&[
        "--key-load-delay",
        "20000",
        "--loading-process-events-interval-bytes",
        "1024",
    ]);
    engine.launch();
    let loads = |engine: &Engine| {
        let answer = engine.try_client().and_then(|mut client| client.try_ask(&["GET", "x"]));
        matches!(answer, Ok(Value::Error(error)) if error.starts_with("LOADING"))
    };
    eventually(|| loads(&engine), "it does not load");
    let seen = JSON.iter().chain(&PAGES).take_while(|_| loads(&engine));
    let seen = seen.map(|(name, ask)| (name, in_time(name, || ask(&server, &held)).status));
    let seen: Vec<_> = seen.collect();
    assert!(seen.len() > 2, "{seen:?}");
    // The last of them may have come when it was back.
    assert!(seen[..seen.len() - 1].iter().all(|(_, status)| *status == 503), "{seen:?}");
    await_ready(&server);
    assert!(server.is_live(&held.fixed));
    assert_both_told_once(&server);
}

#[test]
fn a_password_that_changes_under_us_is_503_until_it_is_ours_again() {
    let Some(engine) = Engine::with(&["--requirepass", "first"]) else { return };
    let (fixed, section) = fixed_token();
    let server = engine.server(&format!("store_password = first\ndevice_interval = 0\n{section}"));
    let held = Held::of(&server, &fixed);
    engine.ask(&["ACL", "SETUSER", "default", "resetpass", ">second"]);
    engine.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
    assert_unavailable_everywhere(&server, &held);
    engine.ask(&["ACL", "SETUSER", "default", "resetpass", ">first"]);
    await_ready(&server);
    assert_spendable(&server, &held);
    assert_both_told_once(&server);
    assert!(!server.log().contains("first"), "{}", server.log());
}

#[test]
fn rights_that_are_taken_away_are_503_until_they_are_there_again() {
    let Some(engine) = Engine::start() else { return };
    let (server, held) = with_tokens(&engine);
    for right in ["get", "set", "eval"] {
        let held = Held::of(&server, &held.fixed);
        let before = told(&server);
        engine.ask(&["ACL", "SETUSER", "default", &format!("-{right}")]);
        assert_nothing_is_denied(&server, &held);
        engine.ask(&["ACL", "SETUSER", "default", "+@all"]);
        await_ready(&server);
        let after = told(&server);
        assert!(after.0 - before.0 <= 1 && after.1 - before.1 <= 1, "{right} {}", server.log());
    }
    assert!(server.is_live(&server.token(APP, ANN).member("access_token")));
}

#[test]
fn a_script_that_keeps_the_engine_busy_is_503_until_it_ends() {
    let Some(engine) = Engine::with(&["--busy-reply-threshold", "50"]) else { return };
    let (server, held) = with_tokens(&engine);
    std::thread::scope(|scope| {
        let mut client = engine.client();
        let busy = scope.spawn(move || client.try_ask(&["EVAL", "while true do end", "0"]));
        let is_busy = || {
            let answer = engine.try_client().and_then(|mut it| it.try_ask(&["GET", "x"]));
            matches!(answer, Ok(Value::Error(error)) if error.starts_with("BUSY"))
        };
        eventually(is_busy, "it is not busy");
        assert_unavailable_everywhere(&server, &held);
        engine.ask(&["SCRIPT", "KILL"]);
        let _ = busy.join().unwrap();
    });
    await_ready(&server);
    assert_spendable(&server, &held);
    assert_both_told_once(&server);
}

#[test]
fn an_engine_that_takes_no_more_connections_is_503_until_it_does() {
    let Some(engine) = Engine::start() else { return };
    let (server, held) = with_tokens(&engine);
    let mut only = engine.client();
    only.ask(&["CONFIG", "SET", "maxclients", "1"]);
    only.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    assert_eq!(in_time("/", || server.bearer(&held.access)).whole(), whole());
    only.ask(&["CONFIG", "SET", "maxclients", "1000"]);
    await_ready(&server);
    assert_spendable(&server, &held);
    assert_both_told_once(&server);
}
