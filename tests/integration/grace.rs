//! Contract section 4: `refresh_token_grace`, for a lost answer or two sessions of one program.

use std::sync::Arc;

use crate::state::{again, reload};
use crate::support::*;
use crate::token::successes_of_fifty;

const GRANT: &str = "grant_type=password&username=ann&password=password&scope=read";

/// The clients with this grace for `app`, and these lines in `[server]`.
fn text(grace: u64, server: &str) -> String {
    let key = format!("[client app]\nrefresh_token_grace = {grace}\n");
    format!("[server]\n{server}\n{CLIENTS}").replace("[client app]\n", &key)
}

fn refresh(server: &Server, token: &str) -> Answer {
    server.token(APP, &format!("grant_type=refresh_token&refresh_token={token}"))
}

fn introspect(server: &Server, token: &str) -> serde_json::Value {
    server.post("/oauth/introspect", &[APP], &format!("token={token}")).json()
}

#[test]
fn a_used_refresh_token_comes_ten_times_more_and_no_access_token_ends() {
    let server = Server::configured(&text(60, ""));
    let first = server.token(APP, GRANT);
    let token = first.member("refresh_token");
    let given: Vec<_> = (0..=10).map(|_| refresh(&server, &token)).collect();
    for answer in given.iter().chain([&first]) {
        assert_eq!(
            without_tokens(&answer.body),
            r#"{"token_type":"bearer","access_token":"TOKEN","expires_in":3600,"refresh_token":"TOKEN","scope":"read"}"#
        );
        assert!(server.is_live(&answer.member("access_token")));
        assert_eq!(answer.member("refresh_token")[..24], token[..24]);
    }
    // Each that was issued is valid, and can be used in its turn.
    for answer in &given {
        assert_eq!(refresh(&server, &answer.member("refresh_token")).status, 200);
        assert_eq!(refresh(&server, &answer.member("refresh_token")).status, 200);
    }
    let reused = refresh(&server, &token);
    assert_eq!(reused.error(), (400, "invalid_grant".into()));
    assert!(reused.member("error_description").starts_with("refresh token reused"));
    for answer in given.iter().chain([&first]) {
        assert!(!server.is_live(&answer.member("access_token")));
        assert_eq!(refresh(&server, &answer.member("refresh_token")).status, 400);
    }
}

#[test]
fn after_its_grace_a_used_one_is_reuse() {
    let server = Server::configured(&text(1, ""));
    let token = server.token(APP, GRANT).member("refresh_token");
    let second = refresh(&server, &token);
    assert_eq!(refresh(&server, &token).status, 200);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert!(server.is_live(&second.member("access_token")));
    assert_eq!(refresh(&server, &token).error(), (400, "invalid_grant".into()));
    assert!(!server.is_live(&second.member("access_token")));
}

#[test]
fn a_use_that_is_refused_for_its_scope_is_none_of_the_ten() {
    let server = Server::configured(&text(60, ""));
    let token = server.token(APP, GRANT).member("refresh_token");
    for _ in 0..=10 {
        let wider = format!("grant_type=refresh_token&refresh_token={token}&scope=admin");
        assert_eq!(server.token(APP, &wider).error(), (400, "invalid_scope".into()));
        assert_eq!(refresh(&server, &token).status, 200);
    }
    assert_eq!(refresh(&server, &token).error(), (400, "invalid_grant".into()));
}

#[test]
fn a_use_that_is_refused_for_its_resource_is_none_of_the_ten() {
    let resources = "[resource https://a.example/mcp]\n[resource https://b.example/mcp]\n";
    let server = Server::configured(&format!("{}{resources}", text(60, "")));
    let to = |service: &str| format!("&resource=https%3A%2F%2F{service}.example%2Fmcp");
    let token = server.token(APP, &(GRANT.to_owned() + &to("a"))).member("refresh_token");
    let form = format!("grant_type=refresh_token&refresh_token={token}");
    for _ in 0..=10 {
        let other = server.token(APP, &(form.clone() + &to("b")));
        assert_eq!(other.error(), (400, "invalid_target".into()));
        let given = server.token(APP, &(form.clone() + &to("a"))).member("refresh_token");
        assert_eq!(
            introspect(&server, &given)["aud"],
            serde_json::json!(["https://a.example/mcp"])
        );
    }
    assert_eq!(refresh(&server, &token).error(), (400, "invalid_grant".into()));
}

#[test]
fn a_used_one_is_inactive_and_ends_its_family_when_it_is_revoked() {
    let server = Server::configured(&text(60, ""));
    let token = server.token(APP, GRANT).member("refresh_token");
    let given = [(); 2].map(|()| refresh(&server, &token));
    assert_eq!(introspect(&server, &token).to_string(), r#"{"active":false}"#);
    for answer in &given {
        let told = introspect(&server, &answer.member("refresh_token"));
        assert_eq!((&told["active"], &told["token_use"]), (&true.into(), &"refresh_token".into()));
    }
    let answer = server.post("/oauth/revoke", &[APP], &format!("token={token}"));
    assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
    for answer in &given {
        assert!(!server.is_live(&answer.member("access_token")));
        assert_eq!(refresh(&server, &answer.member("refresh_token")).status, 400);
    }
}

#[test]
fn the_grace_goes_on_over_a_restart() {
    for signal in ["TERM", "KILL"] {
        let server = Server::configured(&text(3600, "state_file = state\n"));
        let token = server.token(APP, GRANT).member("refresh_token");
        let mut given: Vec<_> = (0..4).map(|_| refresh(&server, &token)).collect();
        let server = again(server, signal);
        given.extend((0..7).map(|_| refresh(&server, &token)));
        let server = again(server, signal);
        for answer in &given {
            assert!(server.is_live(&answer.member("access_token")));
            assert_eq!(refresh(&server, &answer.member("refresh_token")).status, 200);
        }
        assert_eq!(refresh(&server, &token).error(), (400, "invalid_grant".into()));
        assert!(!server.is_live(&given[0].member("access_token")));
    }
}

#[test]
fn a_grace_that_is_taken_away_counts_from_the_reload_on() {
    let server = Server::configured(&text(60, ""));
    let token = server.token(APP, GRANT).member("refresh_token");
    let given = [(); 2].map(|()| refresh(&server, &token));
    reload(&server, &text(0, ""));
    // What was issued stays valid, for one use.
    let newest = refresh(&server, &given[0].member("refresh_token"));
    assert_eq!(newest.status, 200);
    assert!(!server.is_live(&given[0].member("access_token")));
    assert_eq!(refresh(&server, &given[1].member("refresh_token")).status, 200);
    assert_eq!(refresh(&server, &token).error(), (400, "invalid_grant".into()));
    assert!(!server.is_live(&newest.member("access_token")));
}

#[test]
fn eleven_of_fifty_threads_at_once_get_tokens_with_a_grace() {
    let server = Arc::new(Server::configured(&text(60, "")));
    let answer = server.token(APP, GRANT);
    let form = format!("grant_type=refresh_token&refresh_token={}", answer.member("refresh_token"));
    assert_eq!(successes_of_fifty(&server, APP, &form), 11);
    // The twelfth was reuse.
    assert!(!server.is_live(&answer.member("access_token")));
}

#[test]
fn many_sessions_of_one_family_refresh_at_once() {
    let server = Server::configured(&text(60, "state_file = state\n"));
    let token = server.token(APP, GRANT).member("refresh_token");
    let sessions: Vec<_> =
        (0..=10).map(|_| refresh(&server, &token).member("refresh_token")).collect();
    let server = &server;
    let newest: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = sessions
            .into_iter()
            .map(|token| {
                scope.spawn(move || {
                    (0..10).fold(token, |token, _| refresh(server, &token).member("refresh_token"))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(newest.iter().all(|token| introspect(server, token)["active"] == true));
}

#[test]
fn those_beside_the_newest_count_among_a_clients_tokens() {
    let server = Server::configured(&text(60, "max_tokens_per_client = 3"));
    let [old, token] = [(); 2].map(|()| server.token(APP, GRANT).member("refresh_token"));
    let given: Vec<_> = (0..4).map(|_| refresh(&server, &token).member("refresh_token")).collect();
    let is_active = |token: &String| introspect(&server, token)["active"] == true;
    assert!(!is_active(&old));
    assert_eq!(given.iter().map(is_active).collect::<Vec<_>>(), [false, true, true, true]);
}
