//! Contract section 6: replicas share everything, and "works once" holds over all of them.

use std::process::Command;
use std::sync::Barrier;

use super::asks::*;
use super::redis::Engine;
use crate::state::*;
use crate::support::*;

/// Two servers on one engine.
fn replicas(more: &str) -> Option<(Engine, [Server; 2])> {
    let engine = Engine::start()?;
    let servers = [(); 2].map(|()| engine.server(more));
    Some((engine, servers))
}

/// The answers to fifty requests at once, every other one to each of these.
fn fifty(servers: &[Server; 2], form: &str) -> Vec<Answer> {
    let barrier = &Barrier::new(50);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..50)
            .map(|at| {
                scope.spawn(move || {
                    barrier.wait();
                    servers[at % 2].token(APP, form)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Asserts that of fifty at once over both one succeeds, and all others are refused.
#[track_caller]
fn assert_works_once(servers: &[Server; 2], form: &str) -> Answer {
    let (given, refused): (Vec<_>, Vec<_>) =
        fifty(servers, form).into_iter().partition(|answer| answer.status == 200);
    for answer in refused {
        assert_eq!(answer.error(), (400, "invalid_grant".into()));
    }
    assert_eq!(given.len(), 1);
    given.into_iter().next().unwrap()
}

#[test]
fn one_code_from_fifty_threads_over_two_replicas_succeeds_once() {
    let Some((_engine, servers)) = replicas("") else { return };
    let code = code(&servers[0]);
    let uri = "redirect_uri=https%3A%2F%2Fapp.example.com%2Fcb";
    let form = format!("grant_type=authorization_code&code={code}&{uri}");
    let given = assert_works_once(&servers, &form);
    // The others used a used code, so everything that came of it has ended.
    assert!(servers.iter().all(|server| !server.is_live(&given.member("access_token"))));
}

#[test]
fn one_refresh_token_from_fifty_threads_over_two_replicas_succeeds_once() {
    let Some((_engine, servers)) = replicas("") else { return };
    let token = servers[0].token(APP, ANN).member("refresh_token");
    let form = format!("grant_type=refresh_token&refresh_token={token}");
    let given = assert_works_once(&servers, &form);
    assert!(servers.iter().all(|server| !server.is_live(&given.member("access_token"))));
}

#[test]
fn one_device_code_from_fifty_threads_over_two_replicas_succeeds_once() {
    let Some((_engine, servers)) = replicas("") else { return };
    let (device_code, shown) = device(&servers[0]);
    assert_eq!(decide(&servers[1], &shown, "allow").status, 200);
    let grant = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code";
    let given =
        assert_works_once(&servers, &format!("grant_type={grant}&device_code={device_code}"));
    assert!(servers.iter().all(|server| server.is_live(&given.member("access_token"))));
}

#[test]
fn eleven_of_fifty_over_two_replicas_get_tokens_with_a_grace() {
    let Some(engine) = Engine::start() else { return };
    let text = format!("[server]\nstore = {}\n{CLIENTS}", engine.url())
        .replace("[client app]\n", "[client app]\nrefresh_token_grace = 60\n");
    let servers = [(); 2].map(|()| Server::configured(&text));
    let token = servers[0].token(APP, ANN).member("refresh_token");
    let answers = fifty(&servers, &format!("grant_type=refresh_token&refresh_token={token}"));
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 11);
}

#[test]
fn what_one_gave_is_good_at_the_other() {
    let (fixed, section) = fixed_token();
    let Some((_engine, [one, other])) = replicas(&format!("device_interval = 0\n{section}")) else {
        return;
    };
    let held = Held::of(&one, &fixed);
    assert_good(&other, &held);
    assert_spendable(&other, &held);
    assert!(!one.is_live(&held.access));
}

#[test]
fn what_one_gave_can_be_revoked_at_the_other() {
    let Some((_engine, [one, other])) = replicas("") else { return };
    let [first, second] = [(); 2].map(|()| one.token(APP, ANN));
    assert_eq!(revoke(&other, &first.member("access_token")).status, 200);
    assert!(!one.is_live(&first.member("access_token")));
    assert_eq!(revoke(&other, &second.member("refresh_token")).status, 200);
    assert!(!one.is_live(&second.member("access_token")));
    let refused = refresh(&one, &second.member("refresh_token"));
    assert_eq!(refused.error(), (400, "invalid_grant".into()));
    // Its access token alone has ended.
    assert_eq!(refresh(&one, &first.member("refresh_token")).status, 200);
}

#[test]
fn another_clients_attempt_at_the_other_ends_nothing() {
    let Some((_engine, [one, other])) = replicas("") else { return };
    let held = one.token(APP, ANN);
    let form = format!("token={}", held.member("refresh_token"));
    let refused = other.post("/oauth/revoke", &[OTHER], &form);
    assert_eq!(refused.error(), (400, "unauthorized_client".into()));
    assert!(one.is_live(&held.member("access_token")));
}

#[test]
fn reuse_that_one_sees_ends_what_the_other_gave() {
    let Some((_engine, [one, other])) = replicas("") else { return };
    let first = one.token(APP, ANN).member("refresh_token");
    let second = refresh(&other, &first);
    let third = refresh(&one, &second.member("refresh_token"));
    let reused = refresh(&other, &first);
    assert_eq!(reused.error(), (400, "invalid_grant".into()));
    assert_eq!(reused.member("error_description"), "refresh token reused: 2 tokens revoked");
    for server in [&one, &other] {
        assert!(!server.is_live(&third.member("access_token")));
        assert_eq!(refresh(server, &third.member("refresh_token")).status, 400);
    }
}

#[test]
fn a_code_that_comes_again_at_the_other_ends_what_it_gave() {
    let Some((_engine, [one, other])) = replicas("") else { return };
    let code = code(&one);
    let given = redeem(&one, &code);
    assert_eq!(redeem(&other, &code).error(), (400, "invalid_grant".into()));
    assert!(!one.is_live(&given.member("access_token")));
}

#[test]
fn a_device_that_is_allowed_at_one_polls_at_the_other() {
    let Some((_engine, [one, other])) = replicas("device_interval = 0") else { return };
    let [allowed, denied] = [(); 2].map(|()| device(&one));
    assert_eq!(poll(&other, &allowed.0).error(), (400, "authorization_pending".into()));
    assert_eq!(decide(&other, &allowed.1, "allow").status, 200);
    assert_eq!(decide(&other, &denied.1, "deny").status, 200);
    // Nobody can decide again, on either server.
    assert_eq!(decide(&one, &allowed.1, "deny").status, 403);
    assert_eq!(poll(&one, &denied.0).error(), (400, "access_denied".into()));
    let given = poll(&one, &allowed.0);
    assert!(other.is_live(&given.member("access_token")));
    assert_eq!(poll(&other, &allowed.0).error(), (400, "invalid_grant".into()));
}

#[test]
fn a_device_that_polls_at_both_in_turn_hears_to_slow_down() {
    let Some((_engine, [one, other])) = replicas("") else { return };
    let (code, _) = device(&one);
    assert_eq!(poll(&one, &code).error(), (400, "authorization_pending".into()));
    assert_eq!(poll(&other, &code).error(), (400, "slow_down".into()));
    assert_eq!(poll(&one, &code).error(), (400, "slow_down".into()));
}

/// What `--tokens` and `--end` say about this server.
fn operate(server: &Server, arguments: &[&str]) -> (i32, String, String) {
    let file = server.folder.path().join("oauth2d.conf");
    run(&[arguments, &["--config", file.to_str().unwrap()]].concat())
}

#[test]
fn an_operator_at_one_sees_and_ends_what_the_other_gave() {
    let (fixed, section) = fixed_token();
    let Some((engine, [one, other])) = replicas(&format!("control = control.sock\n{section}"))
    else {
        return;
    };
    let held = Held::of(&one, &fixed);
    let own = one.token(APP, "grant_type=client_credentials").member("access_token");
    let (code, out, err) = operate(&other, &["--tokens"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let rows = out.lines().skip(1).map(|line| line.split_whitespace().take(4).collect::<Vec<_>>());
    let mut rows: Vec<String> = rows.map(|row| row.join(" ")).collect();
    rows.sort();
    let expected =
        ["app - access read", "app ann access read", "app ann fixed read", "app ann refresh read"];
    assert_eq!(rows, expected);
    assert!(!out.contains(&held.access) && !out.contains(&held.refresh));

    let ended = operate(&other, &["--end", "--user", "ann"]);
    assert_eq!(ended, (0, "revoked 2 tokens\n".into(), String::new()));
    assert!(!one.is_live(&held.access) && one.is_live(&own) && one.is_live(&fixed));
    for refused in
        [refresh(&one, &held.refresh), redeem(&one, &held.code), poll(&one, &held.allowed)]
    {
        assert_eq!(refused.error(), (400, "invalid_grant".into()));
    }
    // Nobody has allowed that one yet.
    assert_eq!(poll(&one, &held.pending.0).error(), (400, "authorization_pending".into()));
    let ended = operate(&other, &["--end", "--client", "app"]);
    assert_eq!(ended, (0, "revoked 1 tokens\n".into(), String::new()));
    assert!(!one.is_live(&own));
    // Nothing is left except the waiting device, and what it shows.
    assert_eq!((engine.rows_of("a:").len(), engine.rows_of("f:").len()), (0, 0));
}

#[test]
fn many_tokens_are_all_seen_and_all_ended() {
    let Some((_engine, [one, other])) = replicas("control = control.sock") else { return };
    for _ in 0..40 {
        one.token(APP, ANN);
    }
    let (_, out, _) = operate(&other, &["--tokens", "--json"]);
    assert_eq!(out.lines().count(), 80);
    let ended = operate(&other, &["--end", "--client", "app"]);
    assert_eq!(ended, (0, "revoked 80 tokens\n".into(), String::new()));
}

/// More requests at once than a server has connections to the engine.
#[test]
fn a_crowd_takes_turns_at_the_connections() {
    let Some((_engine, servers)) = replicas("") else { return };
    let token = servers[0].token(APP, ANN).member("access_token");
    std::thread::scope(|scope| {
        for at in 0..150 {
            let (server, token) = (&servers[at % 2], &token);
            scope.spawn(move || {
                assert!(server.is_live(token));
                assert_eq!(server.token(APP, "grant_type=client_credentials").status, 200);
            });
        }
    });
}

#[test]
fn names_count_and_not_their_order_in_a_file() {
    let Some(engine) = Engine::start() else { return };
    let first = engine.server("");
    let others = "[user zoe]\npassword = p\n[client zeta]\nsecret = secret\n";
    let second = engine.server(&format!("[user abe]\npassword = p\n{others}"));
    let held = first.token(APP, ANN);
    let told = second
        .post("/oauth/introspect", &[API], &format!("token={}", held.member("access_token")))
        .json();
    assert_eq!((&told["client_id"], &told["username"]), (&"app".into(), &"ann".into()));
    assert_eq!(refresh(&second, &held.member("refresh_token")).status, 200);
}

#[test]
fn who_is_not_in_a_replicas_file_is_nobody_there_and_lives_on_elsewhere() {
    let Some((engine, [one, other])) = replicas("") else { return };
    let text = std::fs::read_to_string(one.folder.path().join("oauth2d.conf")).unwrap();
    let held = one.token(APP, ANN);
    let access = held.member("access_token");
    reload(&other, &text.replace("[user ann]\npassword = password\n", ""));
    assert_eq!(other.bearer(&access).error(), (401, "invalid_token".into()));
    let told = other.post("/oauth/introspect", &[API], &format!("token={access}"));
    assert_eq!(told.body, "{\"active\":false}");
    let refused = refresh(&other, &held.member("refresh_token"));
    assert_eq!(refused.error(), (400, "invalid_grant".into()));
    assert!(one.is_live(&access));
    // It is nobody's there, but its client may revoke it, and that holds everywhere.
    assert_eq!(revoke(&other, &access).status, 200);
    assert!(!one.is_live(&access));
    assert_eq!(engine.rows_of("f:").len(), 1);
    let access = one.token(APP, ANN).member("access_token");
    assert!(!other.is_live(&access));
    // A name that returns brings back what has not expired.
    reload(&other, &text);
    assert!(other.is_live(&access));
    assert_eq!(refresh(&other, &held.member("refresh_token")).status, 200);
}

#[test]
fn everyone_goes_on_over_restarts_of_both() {
    let (fixed, section) = fixed_token();
    let Some((_engine, [one, other])) = replicas(&format!("device_interval = 0\n{section}")) else {
        return;
    };
    let held = Held::of(&one, &fixed);
    let rotated = one.token(APP, ANN);
    let newest = refresh(&other, &rotated.member("refresh_token"));
    let [one, other] = [again(one, "KILL"), again(other, "TERM")];
    assert!(one.is_live(&newest.member("access_token")));
    assert!(!other.is_live(&rotated.member("access_token")));
    assert_spendable(&one, &held);
    assert_eq!(refresh(&other, &rotated.member("refresh_token")).status, 400);
    assert!(!one.is_live(&newest.member("access_token")));
}

#[test]
fn prefixes_and_databases_keep_servers_apart() {
    let Some(engine) = Engine::start() else { return };
    let first = engine.server("");
    let token = first.token(APP, ANN).member("access_token");
    assert!(engine.rows().keys().all(|key| key.starts_with("{oauth2d}")));
    let prefixed = engine.server("store_prefix = mine:");
    assert_eq!(prefixed.bearer(&token).status, 401);
    let own = prefixed.token(APP, ANN).member("access_token");
    assert!(engine.rows().keys().any(|key| key.starts_with("mine:a:")));
    assert_eq!(first.bearer(&own).status, 401);
    let elsewhere = Server::with(&format!("store = {}/7", engine.url()));
    assert_eq!(elsewhere.bearer(&token).status, 401);
    assert!(elsewhere.is_live(&elsewhere.token(APP, ANN).member("access_token")));
}

#[test]
fn a_unix_socket_does_as_well() {
    let folder = Folder::new();
    let Some(engine) = Engine::on_socket(&folder) else { return };
    let server = engine.server("");
    let token = server.token(APP, ANN);
    let other = Server::configured_by(
        &mut Command::new(PROGRAM),
        &format!("[server]\nstore = {}\n{CLIENTS}", engine.url()),
    );
    assert!(other.is_live(&token.member("access_token")));
    assert_eq!(refresh(&other, &token.member("refresh_token")).status, 200);
    assert!(!server.is_live(&token.member("access_token")));
}
