//! Contract section 6: what the engine has: nothing usable, nothing for ever, and nothing that we
//! believe if it is not ours.

use super::asks::*;
use super::away::with_tokens;
use super::redis::Engine;
use crate::state::*;
use crate::support::*;

const FOREIGN: &str = "a value under our keys is not ours";

#[test]
fn nothing_in_the_engine_is_a_usable_token() {
    let Some(engine) = Engine::start() else { return };
    let (_server, held) = with_tokens(&engine);
    let tokens = [&held.access, &held.refresh, &held.code, &held.allowed, &held.pending.0];
    let secrets = tokens.map(|token| token[token.len() - 40..].to_string());
    let raw = secrets.each_ref().map(|digits| {
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        (0..40).step_by(2).map(byte).collect::<Vec<u8>>()
    });
    for (key, value) in engine.rows() {
        for text in [key.as_bytes(), &value] {
            for secret in secrets.iter().map(String::as_bytes).chain(raw.iter().map(Vec::as_slice))
            {
                assert!(!text.windows(secret.len()).any(|window| window == secret), "{key}");
            }
        }
    }
}

#[test]
fn every_row_has_its_time() {
    let Some(engine) = Engine::start() else { return };
    let (server, _held) = with_tokens(&engine);
    code(&server);
    let mut client = engine.client();
    for (kind, longest) in [("a:", 3600), ("f:", 1_209_600), ("d:", 630), ("u:", 600)] {
        let rows = engine.rows_of(kind);
        for key in rows.keys() {
            let left = client.ask(&["PTTL", key]).integer();
            assert!(left > 0 && left <= longest * 1000, "{key} {left}");
        }
        assert!(!rows.is_empty(), "{kind}");
    }
}

/// The engine may be late, or another clock may have set the time.
#[test]
fn a_row_that_the_engine_keeps_past_its_time_counts_for_nothing() {
    let Some(engine) = Engine::start() else { return };
    let server = engine.server("authorization_code_lifetime = 1\ndevice_code_lifetime = 1");
    let access = server.token(BRIEF, ANN).member("access_token");
    let code = code(&server);
    let (device_code, shown) = device(&server);
    let mut client = engine.client();
    for key in engine.rows().keys() {
        client.ask(&["PERSIST", key]);
    }
    eventually(|| !server.is_live(&access), "the token lives on");
    eventually(|| poll(&server, &device_code).error().1 == "expired_token", "the device lives on");
    let told = server.post("/oauth/introspect", &[API], &format!("token={access}"));
    assert_eq!(told.body, "{\"active\":false}");
    assert_eq!(redeem(&server, &code).error(), (400, "invalid_grant".into()));
    assert_eq!(decide(&server, &shown, "allow").status, 403);
}

/// Asserts that whatever looks at a row fails as unavailable, and the rest goes on.
#[track_caller]
fn assert_is_a_fault(server: &Server, held: &Held, what: &str) {
    for (name, ask) in looking() {
        let answer = ask(server, held);
        assert_eq!((answer.status, answer.field("Retry-After")), (503, Some("1")), "{what} {name}");
    }
    assert_eq!(server.get("/readyz", &[]).status, 200);
    assert!(server.is_live(&server.token(APP, ANN).member("access_token")));
}

/// What replaces a row.
type Wrong = fn(&[u8]) -> Vec<u8>;

#[test]
fn what_is_not_ours_under_our_keys_is_a_fault_and_never_no_such_token() {
    let Some(engine) = Engine::start() else { return };
    let (server, held) = with_tokens(&engine);
    let rows = engine.rows();
    let mut client = engine.client();
    let other = rows.values().next().unwrap().clone();
    let wrongs: [(&str, Wrong); 8] = [
        ("nothing", |_| Vec::new()),
        ("a word", |_| b"garbage".into()),
        ("zeros", |row| vec![0; row.len()]),
        ("half of it", |row| row[..row.len() / 2].into()),
        ("all but its end", |row| row[..row.len() - 1].into()),
        ("a byte more", |row| [row, b"x"].concat()),
        ("twice", |row| [row, row].concat()),
        ("another format", |row| [&[row[0] + 1], &row[1..]].concat()),
    ];
    for (what, wrong) in wrongs {
        for (key, row) in &rows {
            client.ask(&["SET".as_bytes(), key.as_bytes(), &wrong(row), b"KEEPTTL"]);
        }
        assert_is_a_fault(&server, &held, what);
    }
    for key in rows.keys().skip(1) {
        client.ask(&["SET".as_bytes(), key.as_bytes(), &other]);
    }
    let kinds = rows.keys().filter(|key| !key.ends_with("check")).skip(1);
    assert!(kinds.count() > 3);
    for (name, ask) in looking().filter(|(name, _)| !name.contains("access")) {
        let answer = ask(&server, &held);
        assert!([503, 200].contains(&answer.status), "{name} {answer:?}");
    }
    for key in rows.keys() {
        client.ask(&["DEL", key]);
        client.ask(&["LPUSH", key, "x"]);
    }
    assert_is_a_fault(&server, &held, "a list");
    for (key, row) in &rows {
        client.ask(&["DEL", key]);
        client.ask(&["SET".as_bytes(), key.as_bytes(), row]);
    }
    assert_spendable(&server, &held);
    server.notice(|notice| notice.contains(FOREIGN));
    assert_eq!(server.log().matches(FOREIGN).count(), 1, "{}", server.log());
}

/// An operator who has to end something is not stopped, but told.
#[test]
fn an_operator_ends_the_rest_where_a_value_is_not_ours() {
    let Some(engine) = Engine::start() else { return };
    let server = engine.server("control = control.sock");
    let first = server.token(APP, ANN);
    let key = engine.rows_of("f:").into_keys().next().unwrap();
    let second = server.token(APP, ANN);
    engine.ask(&["SET", &key, "garbage"]);
    let file = server.folder.path().join("oauth2d.conf");
    let ended = run(&["--end", "--client", "app", "--config", file.to_str().unwrap()]);
    assert_eq!(ended, (0, "revoked 3 tokens\n".into(), String::new()));
    for answer in [&first, &second] {
        assert_eq!(server.bearer(&answer.member("access_token")).status, 401);
    }
    assert_eq!(refresh(&server, &first.member("refresh_token")).whole(), whole());
    server.notice(|notice| notice.contains(FOREIGN));
}

/// Other programs' keys are left alone, whatever is in them.
#[test]
fn other_keys_of_the_engine_are_left_alone() {
    let Some(engine) = Engine::start() else { return };
    let others =
        ["a:x", "oauth2d", "{oauth2d}", "{oauth2d}x:", "{other}a:AAAAAAAAAAAAAAAAAAAAAAAAAAA"];
    for key in others {
        engine.ask(&["SET", key, "theirs"]);
    }
    let server = engine.server("control = control.sock");
    server.token(APP, ANN);
    let file = server.folder.path().join("oauth2d.conf");
    let ended = run(&["--end", "--client", "app", "--config", file.to_str().unwrap()]);
    assert_eq!(ended, (0, "revoked 2 tokens\n".into(), String::new()));
    let rows = engine.rows();
    assert!(others.iter().all(|key| rows.get(*key).is_some_and(|row| row == b"theirs")));
}
