//! Contract section 4: too many failed attempts.

use crate::support::*;

const WRONG: &str = "grant_type=password&username=ann&password=wrong";
const RIGHT: &str = "grant_type=password&username=ann&password=password";

/// Fails until it is refused; how many failures that took.
fn exhaust(mut attempt: impl FnMut() -> Answer) -> usize {
    for failures in 0..=20 {
        if attempt().status == 429 {
            return failures;
        }
    }
    panic!("twenty failures are not too many");
}

#[test]
fn a_user_under_attack_is_refused_to_the_attacker_and_nobody_else() {
    let server = Server::with("trusted_proxies = 127.0.0.1");
    let from = |address: &str, form: &str| {
        server.post("/oauth/token", &[APP, &format!("X-Forwarded-For: {address}")], form)
    };
    let failures = exhaust(|| from("192.0.2.1", WRONG));
    assert!((5..=20).contains(&failures), "{failures}");
    let refused = from("192.0.2.1", RIGHT);
    assert_eq!(refused.error(), (429, "temporarily_unavailable".into()));
    let seconds: u64 = refused.field("Retry-After").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    assert_eq!(from("192.0.2.2", RIGHT).status, 200);
    assert_eq!(from("192.0.2.1", &RIGHT.replace("ann", "bob")).status, 200);
    assert_eq!(from("192.0.2.1", "grant_type=client_credentials").status, 200);
    // The pages share the counters.
    let fields = ["Content-Type: application/x-www-form-urlencoded", "X-Forwarded-For: 192.0.2.1"];
    let form = "response_type=code&client_id=app&decision=allow&username=ann&password=password";
    let page = server.request("POST", "/oauth/authorize", &fields, form);
    assert_eq!((page.status, page.field("Retry-After").is_some()), (429, true));
    assert!(page.body.contains("name=\"decision\""));
}

#[test]
fn a_client_under_attack_too() {
    let server = Server::clients();
    let wrong = "Authorization: Basic YXBwOndyb25n";
    exhaust(|| server.token(wrong, "grant_type=client_credentials"));
    assert_eq!(server.token(APP, "grant_type=client_credentials").status, 429);
    assert_eq!(server.post("/oauth/introspect", &[APP], "token=x").status, 429);
    assert_eq!(server.token(OTHER, RIGHT).status, 200);
}

#[test]
fn wrong_user_codes_count_and_polls_do_not() {
    let server = Server::clients();
    let started = server.post("/oauth/device_authorization", &[APP], "");
    let poll = format!(
        "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code={}",
        started.member("device_code")
    );
    for _ in 0..30 {
        assert_eq!(server.token(APP, &poll).status, 400);
    }
    let failures = exhaust(|| server.get("/oauth/device?user_code=BBBB-BBBB", &[]));
    assert!((5..=20).contains(&failures), "{failures}");
    let complete = format!("/oauth/device?user_code={}", started.member("user_code"));
    assert_eq!(server.get(&complete, &[]).status, 429);
}

#[test]
fn x_forwarded_for_is_read_from_the_right_and_from_trusted_proxies_only() {
    let wrong_from =
        |server: &Server, field: &str| server.post("/oauth/token", &[APP, field], WRONG).status;
    // Without trust it is the connection that counts.
    let server = Server::clients();
    let mut made_up = 0..;
    exhaust(|| {
        let field = format!("X-Forwarded-For: 192.0.2.{}", made_up.next().unwrap());
        server.post("/oauth/token", &[APP, &field], WRONG)
    });
    let server = Server::with("trusted_proxies = 127.0.0.1 10.0.0.0/8");
    for (first, second) in [
        // What stands left of the last one that is not a proxy is made up.
        ("X-Forwarded-For: 1.1.1.1, 192.0.2.1, 10.0.0.1", "X-Forwarded-For: 2.2.2.2, 192.0.2.1"),
        // What is no address ends the reading.
        (
            "X-Forwarded-For: 192.0.2.7, unknown, 10.0.0.9",
            "X-Forwarded-For: 192.0.2.8, \"x\", 10.0.0.9",
        ),
        ("X-Forwarded-For: ::ffff:192.0.2.3", "X-Forwarded-For: 192.0.2.3"),
    ] {
        exhaust(|| server.post("/oauth/token", &[APP, first], WRONG));
        assert_eq!(wrong_from(&server, second), 429, "{first} {second}");
    }
    assert_eq!(wrong_from(&server, "X-Forwarded-For: 192.0.2.4"), 400);
}
