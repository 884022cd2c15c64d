//! Contract section 4: the device grant.

use std::sync::Arc;

use crate::support::*;
use crate::token::successes_of_fifty;

fn start(server: &Server, form: &str) -> Answer {
    server.post("/oauth/device_authorization", &[APP], form)
}

fn poll(server: &Server, started: &Answer) -> Answer {
    server.token(APP, &poll_form(started))
}

fn poll_form(started: &Answer) -> String {
    let code = started.member("device_code");
    format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code={code}")
}

fn decide(server: &Server, user_code: &str, more: &str) -> Answer {
    server.post("/oauth/device", &["Origin: null"], &format!("user_code={user_code}&{more}"))
}

const ANN: &str = "username=ann&password=password&decision=allow";

#[test]
fn a_device_is_allowed_by_a_person() {
    let server = Server::clients();
    let started = start(&server, "scope=read+write");
    let (json, shown) = (started.json(), started.member("user_code"));
    let uri = format!("{}/oauth/device", server.issuer());
    assert_eq!(json["verification_uri"], uri);
    assert_eq!(json["verification_uri_complete"], format!("{uri}?user_code={shown}"));
    assert_eq!((&json["expires_in"], &json["interval"]), (&600.into(), &5.into()));
    assert!(
        shown.len() == 9
            && shown.replace('-', "").chars().all(|c| "BCDFGHJKLMNPQRSTVWXZ".contains(c))
    );
    assert_eq!(poll(&server, &started).error(), (400, "authorization_pending".into()));
    assert_eq!(poll(&server, &started).error(), (400, "slow_down".into()));

    let page = server.get(&format!("/oauth/device?user_code={shown}"), &[]);
    for part in [
        format!("value=\"{shown}\""),
        "<strong>app</strong>".into(),
        "<li>write</li>".into(),
        "name=\"decision\"".into(),
    ] {
        assert!(page.body.contains(&part), "{part}");
    }
    let typed = shown.to_lowercase().replace('-', "+-+");
    let allowed = decide(&server, &typed, ANN);
    assert_eq!(allowed.status, 200, "{allowed:?}");
    assert!(allowed.body.contains("is connected"));
    let token = poll(&server, &started);
    assert_eq!(token.member("scope"), "read write");
    assert!(server.is_live(&token.member("access_token")));
    assert_eq!(poll(&server, &started).error(), (400, "invalid_grant".into()));
    assert_eq!(decide(&server, &shown, ANN).status, 403);
}

#[test]
fn a_device_is_denied_without_a_password() {
    let server = Server::clients();
    let started = start(&server, "");
    assert_eq!(decide(&server, &started.member("user_code"), "decision=deny").status, 200);
    assert_eq!(poll(&server, &started).error(), (400, "access_denied".into()));
    assert_eq!(decide(&server, "BBBB-BBBB", "decision=deny").status, 403);
}

#[test]
fn what_a_person_gets_wrong_is_shown_again() {
    let server = Server::clients();
    let started = start(&server, "");
    let code = started.member("user_code");
    let wrong = decide(&server, &code, "username=ann&password=wrong&decision=allow");
    assert_eq!(wrong.status, 403);
    assert!(
        wrong.body.contains("value=\"ann\"") && wrong.body.contains(&format!("value=\"{code}\""))
    );
    assert_eq!(decide(&server, "nonsense", ANN).status, 403);
    assert_eq!(decide(&server, &code, "username=ann&password=password").status, 400);
    let unknown = server.get("/oauth/device?user_code=BBBB-BBBB", &[]);
    assert_eq!(unknown.status, 200);
    assert!(unknown.body.contains("name=\"user_code\" value=\"\""));
    assert_eq!(decide(&server, &code, ANN).status, 200);
}

#[test]
fn a_user_with_nothing_to_give_denies() {
    let server = Server::clients();
    let started = start(&server, "scope=write");
    let page = decide(&server, &started.member("user_code"), &ANN.replace("ann", "bob"));
    assert!(page.body.contains("is yours to give"), "{page:?}");
    assert_eq!(poll(&server, &started).error(), (400, "access_denied".into()));
}

#[test]
fn who_may_start_and_poll() {
    let server = Server::clients();
    let not_granted = server.post("/oauth/device_authorization", &[API], "");
    assert_eq!(not_granted.error(), (400, "unauthorized_client".into()));
    assert_eq!(
        server.post("/oauth/device_authorization", &[], "").error(),
        (401, "invalid_client".into())
    );
    assert_eq!(start(&server, "scope=unknown").error(), (400, "invalid_scope".into()));
    assert_eq!(server.post("/oauth/device_authorization", &[], "client_id=public").status, 200);
    let started = start(&server, "");
    assert_eq!(server.token(OTHER, &poll_form(&started)).error(), (400, "invalid_grant".into()));
}

#[test]
fn a_device_code_expires_and_says_so() {
    let server = Server::with("device_code_lifetime = 1\ndevice_interval = 0");
    let started = start(&server, "");
    let began = std::time::Instant::now();
    let last = loop {
        let answer = poll(&server, &started);
        if answer.member("error") != "authorization_pending" {
            break answer;
        }
        assert!(began.elapsed() < PATIENCE);
    };
    assert_eq!(last.error(), (400, "expired_token".into()));
    assert_eq!(decide(&server, &started.member("user_code"), ANN).status, 403);
}

#[test]
fn one_device_code_from_fifty_threads_at_once_succeeds_once() {
    let server = Arc::new(Server::clients());
    let started = start(&server, "");
    assert_eq!(decide(&server, &started.member("user_code"), ANN).status, 200);
    assert_eq!(successes_of_fifty(&server, APP, &poll_form(&started)), 1);
}
