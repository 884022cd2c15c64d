//! Contract section 4, the bench for other people's tests: `faults`.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::*;
use crate::testing::{ANN, bench, faulty, password};

fn refresh(server: &Server, token: &str) -> Answer {
    server.token(APP, &format!("grant_type=refresh_token&refresh_token={token}"))
}

/// The end, from the client on, of the next line about a token request that contains this.
fn logged(server: &Server, part: &str) -> String {
    let line = server.log_line(|line| line.contains(" POST /oauth/token ") && line.contains(part));
    line.split_once(" client=").unwrap().1.into()
}

#[test]
fn faults_come_in_their_order_and_again_from_the_beginning() {
    let server = faulty("ok invalid_grant status:418 ok");
    for _ in 0..2 {
        assert_eq!(password(&server).status, 200);
        assert_eq!(password(&server).error(), (400, "invalid_grant".into()));
        assert_eq!(password(&server).error(), (418, "temporarily_unavailable".into()));
        assert_eq!(password(&server).status, 200);
    }
    // Each client has its own list, and a client without one has no faults.
    let form = format!("client_id=public&{ANN}");
    for _ in 0..3 {
        assert_eq!(server.post("/oauth/token", &[], &form).status, 200);
    }
}

#[test]
fn only_a_client_that_has_shown_who_it_is_uses_a_fault_up() {
    let server = faulty("invalid_scope ok");
    let wrong = format!("client_id=app&client_secret=wrong&{ANN}");
    assert_eq!(server.post("/oauth/token", &[], &wrong).error(), (401, "invalid_client".into()));
    let twice = format!("{ANN}&username=ann");
    assert_eq!(server.token(APP, &twice).error(), (400, "invalid_request".into()));
    assert_eq!(server.request("GET", "/oauth/token", &[APP], "").status, 405);
    assert_eq!(
        server.post("/oauth/introspect", &[APP], "token=x").json(),
        json!({"active": false})
    );
    // Even a senseless request counts, once its client is known.
    assert_eq!(server.token(APP, "").error(), (400, "invalid_scope".into()));
    assert_eq!(password(&server).status, 200);
}

#[test]
fn each_error_code_has_its_own_status() {
    for (code, status) in [
        ("invalid_request", 400),
        ("invalid_client", 401),
        ("invalid_grant", 400),
        ("unauthorized_client", 400),
        ("unsupported_grant_type", 400),
        ("invalid_scope", 400),
        ("temporarily_unavailable", 503),
    ] {
        let server = faulty(code);
        let answer = password(&server);
        let body = format!(
            "{{\"error\":\"{code}\",\"error_description\":\"a fault that the configuration asks for\"}}"
        );
        let more = match status {
            401 => "WWW-Authenticate: Basic realm=\"oauth2d\"\n",
            503 => "Retry-After: 1\n",
            _ => "",
        };
        assert_eq!(
            answer.whole(),
            format!(
                "{status}\nCache-Control: no-store\nPragma: no-cache\nContent-Type: application/json\n\
                 {more}Content-Length: {}\n\n{body}",
                body.len()
            )
        );
        assert!(logged(&server, "fault=").ends_with(&format!(" fault={code}")));
    }
}

#[test]
fn any_status_of_an_error_is_answered() {
    for (status, line) in
        [(400, "400 Bad Request"), (499, "499 "), (503, "503 Service Unavailable"), (599, "599 ")]
    {
        let server = faulty(&format!("status:{status}"));
        let mut connection = server.connect();
        let fields = [APP, "Content-Type: application/x-www-form-urlencoded", "Connection: close"];
        connection.send(message("POST", "/oauth/token", &fields, ANN));
        let answer = connection.rest();
        assert!(answer.starts_with(&format!("HTTP/1.1 {line}\r\n")), "{answer}");
        assert!(
            answer.ends_with(
                "{\"error\":\"temporarily_unavailable\",\"error_description\":\
            \"a fault that the configuration asks for\"}"
            ),
            "{answer}"
        );
        let line = server.log_line(|line| line.contains(&format!(" POST /oauth/token {status} ")));
        assert!(line.ends_with(&format!(" fault=status:{status}")), "{line}");
    }
}

#[test]
fn what_fails_gives_and_ends_nothing() {
    let server = faulty("ok invalid_grant temporarily_unavailable status:500 close ok ok");
    let code = || {
        let form = "response_type=code&client_id=app&username=ann&password=password&decision=allow";
        server.post("/oauth/authorize", &[], form).location_parameter("code").unwrap()
    };
    let first = password(&server);
    let token = first.member("refresh_token");
    let form = format!("grant_type=authorization_code&code={}", code());
    assert_eq!(refresh(&server, &token).error(), (400, "invalid_grant".into()));
    assert_eq!(server.token(APP, &form).status, 503);
    assert_eq!(refresh(&server, &token).status, 500);
    assert_eq!(lost(&server, &form), "");
    assert!(server.is_live(&first.member("access_token")));
    assert_eq!(server.token(APP, &form).status, 200);
    assert_eq!(refresh(&server, &token).status, 200);
}

/// All that is sent after a token request until the connection ends.
fn lost(server: &Server, form: &str) -> String {
    let mut connection = server.connect();
    let fields = [APP, "Content-Type: application/x-www-form-urlencoded"];
    connection.send(message("POST", "/oauth/token", &fields, form));
    connection.rest()
}

#[test]
fn a_closed_connection_is_seen_in_the_log() {
    let server = faulty("close ok");
    assert_eq!(lost(&server, ANN), "");
    assert_eq!(logged(&server, " 444 "), "app fault=close");
    assert_eq!(password(&server).status, 200);
    assert_eq!(logged(&server, " 200 "), "app user=ann");
}

#[test]
fn a_delay_comes_before_the_right_answer() {
    let server = faulty("delay:1");
    let began = Instant::now();
    let answer = password(&server);
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(answer.json()["expires_in"], 3600);
    assert_eq!(logged(&server, "fault="), "app user=ann fault=delay:1");
}

#[test]
fn a_truncated_answer_was_made_and_lost() {
    let server = faulty("ok truncated ok");
    let token = password(&server).member("refresh_token");
    let answer = lost(&server, &format!("grant_type=refresh_token&refresh_token={token}"));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let length: usize = head.split("Content-Length: ").nth(1).unwrap().trim().parse().unwrap();
    assert_eq!(body.len(), length / 2);
    assert!(body.starts_with("{\"token_type\":\"bearer\",\"access_token\":\""), "{body}");
    assert_eq!(logged(&server, "fault="), "app user=ann fault=truncated");
    // It took effect: the refresh token is used.
    assert_eq!(refresh(&server, &token).error(), (400, "invalid_grant".into()));
}

#[test]
fn garbage_is_a_page_in_place_of_an_answer_that_was_made() {
    let server = faulty("ok garbage ok");
    let token = password(&server).member("refresh_token");
    let answer = refresh(&server, &token);
    assert_eq!(
        (answer.status, answer.field("Content-Type")),
        (200, Some("text/html; charset=utf-8"))
    );
    assert!(answer.body.starts_with("<!DOCTYPE html>"));
    assert_eq!(refresh(&server, &token).error(), (400, "invalid_grant".into()));
    assert_eq!(logged(&server, "fault="), "app user=ann fault=garbage");
}

#[test]
fn a_short_token_lives_a_second() {
    let server = faulty("short ok");
    let answer = password(&server);
    assert_eq!(answer.json()["expires_in"], 1);
    assert_eq!(logged(&server, "fault="), "app user=ann fault=short");
    let token = answer.member("access_token");
    eventually(|| !server.is_live(&token), "the token lives on");
    // Its refresh token is an ordinary one.
    assert_eq!(refresh(&server, &answer.member("refresh_token")).json()["expires_in"], 3600);
    // What is refused is refused as usual.
    let server = faulty("short");
    let form = "grant_type=password&username=ann&password=wrong";
    assert_eq!(server.token(APP, form).error(), (400, "invalid_grant".into()));
    assert!(
        logged(&server, "fault=")
            .starts_with("app user=ann error=invalid_grant reason=\"the password is wrong ")
    );
}

#[test]
fn a_server_may_go_on_with_the_refresh_token_that_was_sent() {
    let server = faulty("no_refresh_token ok no_refresh_token no_refresh_token ok ok");
    assert_eq!(
        password(&server).json().as_object().unwrap().keys().collect::<Vec<_>>(),
        ["access_token", "expires_in", "scope", "token_type"]
    );
    let token = password(&server).member("refresh_token");
    for _ in 0..2 {
        let answer = refresh(&server, &token);
        assert_eq!((answer.status, answer.json().get("refresh_token")), (200, None));
        assert!(server.is_live(&answer.member("access_token")));
    }
    let next = refresh(&server, &token).member("refresh_token");
    assert_eq!(refresh(&server, &next).status, 200);
}

#[test]
fn the_refresh_token_that_was_sent_stays_good_beside_a_grace_too() {
    let keys = "refresh_token_grace = 60\nfaults = ok no_refresh_token ok ok";
    let server = bench("", keys, "");
    let token = password(&server).member("refresh_token");
    assert_eq!(refresh(&server, &token).json().get("refresh_token"), None);
    let told = server.post("/oauth/introspect", &[APP], &format!("token={token}"));
    assert_eq!(told.json()["active"], true);
    let next = refresh(&server, &token).member("refresh_token");
    assert_eq!(refresh(&server, &next).status, 200);
}

#[test]
fn a_reload_begins_the_list_anew_and_can_close_the_bench() {
    let server = faulty("invalid_grant ok");
    assert_eq!(password(&server).status, 400);
    let file = server.folder.path().join("oauth2d.conf");
    let text = std::fs::read_to_string(&file).unwrap();
    server.signal("HUP");
    server.log_line(|line| line.contains("read again"));
    assert_eq!(password(&server).status, 400);
    let closed = text.replace("testing = yes", "").replace("faults = invalid_grant ok", "");
    std::fs::write(&file, closed).unwrap();
    server.signal("HUP");
    eventually(|| server.log().matches("read again").count() == 2, "it is not read again");
    for _ in 0..2 {
        assert_eq!(password(&server).status, 200);
    }
}
