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
    let cached = (started.field("Cache-Control"), started.field("Pragma"));
    assert_eq!(cached, (Some("no-store"), Some("no-cache")));
    assert!(
        shown.len() == 9
            && shown.replace('-', "").chars().all(|c| "BCDFGHJKLMNPQRSTVWXZ".contains(c))
    );
    assert_eq!(poll(&server, &started).error(), (400, "authorization_pending".into()));
    assert_eq!(poll(&server, &started).error(), (400, "slow_down".into()));

    let page = server.get(&format!("/oauth/device?user_code={shown}"), &[]);
    for part in [
        format!("<input type=\"hidden\" name=\"user_code\" value=\"{shown}\">"),
        format!("your device shows the code <strong>{shown}</strong>"),
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
    assert!(!wrong.body.contains("wrong\""));
    assert_eq!(decide(&server, &code, ANN).status, 200);
}

/// Asserts the first step, with this in its field and nothing else to enter or decide.
#[track_caller]
fn assert_first_step(page: &Answer, status: u16, code: &str) {
    assert_eq!(page.status, status, "{page:?}");
    assert!(page.body.contains(&format!("name=\"user_code\" value=\"{code}\"")), "{page:?}");
    for other in ["<strong>", "username", "password", "decision"] {
        assert!(!page.body.split("</style>").nth(1).unwrap().contains(other), "{other}: {page:?}");
    }
}

/// Asserts the second step with this code, for `app` and its scope `read`.
#[track_caller]
fn assert_second_step(page: &Answer, status: u16, code: &str) {
    assert_eq!(page.status, status, "{page:?}");
    for part in [
        &format!("<input type=\"hidden\" name=\"user_code\" value=\"{code}\">"),
        "Allow <strong>app</strong> access?",
        "<li>read</li>",
        "name=\"username\"",
        "name=\"password\"",
        "<button name=\"decision\" value=\"allow\">",
        "<button name=\"decision\" value=\"deny\"",
    ] {
        assert!(page.body.contains(part), "{part}: {page:?}");
    }
}

#[test]
fn the_code_comes_first_and_alone_then_who_asks() {
    let server = Server::clients();
    let code = start(&server, "").member("user_code");
    assert_first_step(&server.get("/oauth/device", &[]), 200, "");
    assert_first_step(&server.get("/oauth/device?user_code=", &[]), 200, "");
    assert_second_step(&server.get(&format!("/oauth/device?user_code={code}"), &[]), 200, &code);
    let typed = code.to_lowercase().replace('-', "+");
    assert_second_step(&decide(&server, &typed, ""), 200, &code);
    assert_second_step(&decide(&server, &typed, "decision="), 200, &code);
    assert_second_step(&decide(&server, &typed, "decision=maybe"), 400, &code);
    let with_password = "username=ann&password=password";
    assert_second_step(&decide(&server, &code, with_password), 200, &code);
    assert_second_step(&decide(&server, &code, &ANN.replace("=password", "=no")), 403, &code);
    assert_eq!(decide(&server, &code, ANN).status, 200);
}

#[test]
fn a_wrong_code_shows_the_first_step_with_its_field_empty() {
    let server = Server::clients();
    let page = server.get("/oauth/device?user_code=BBBB-BBBB", &[]);
    assert_first_step(&page, 200, "");
    assert!(page.body.contains("This code is unknown or has expired."));
    for (code, decision) in
        [("BBBB-BBBB", ANN), ("nonsense", "decision=deny"), ("x", "decision=maybe"), ("x", "")]
    {
        assert_first_step(&decide(&server, code, decision), 403, "");
    }
    assert_eq!(server.get("/oauth/device?user_code=x&user_code=y", &[]).status, 400);
}

#[test]
fn a_post_without_a_code_is_an_attempt_and_a_look_at_the_page_is_none() {
    let server = Server::with("device_interval = 0");
    let started = start(&server, "");
    for _ in 0..30 {
        assert_first_step(&server.get("/oauth/device", &[]), 200, "");
        assert_eq!(poll(&server, &started).error(), (400, "authorization_pending".into()));
        assert_eq!(server.token(OTHER, &poll_form(&started)).error().1, "invalid_grant");
    }
    for _ in 0..5 {
        assert_first_step(&server.post("/oauth/device", &[], "decision=allow"), 403, "");
    }
    let refused = (0..20).map(|_| server.post("/oauth/device", &[], "")).find(|a| a.status != 403);
    let refused = refused.expect("attempts are counted");
    assert_eq!(refused.status, 429);
    let seconds: u64 = refused.field("Retry-After").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    assert!(refused.body.contains(&format!("Please wait {seconds} seconds")));
    // Then the right one is not looked at either; what was typed stays, since it may be right.
    let code = started.member("user_code");
    assert_first_step(&decide(&server, &code, ANN), 429, &code);
    assert_eq!(server.get(&format!("/oauth/device?user_code={code}"), &[]).status, 429);
}

#[test]
fn too_many_wrong_passwords_show_the_second_step_with_the_time_to_wait() {
    let server = Server::clients();
    let code = start(&server, "").member("user_code");
    let wrong = ANN.replace("=password", "=wrong");
    let refused = (0..21).map(|_| decide(&server, &code, &wrong)).find(|page| page.status != 403);
    let refused = refused.unwrap();
    assert_second_step(&refused, 429, &code);
    assert!(refused.field("Retry-After").is_some() && refused.body.contains("value=\"ann\""));
    assert_eq!(decide(&server, &code, "decision=deny").status, 200);
}

const ELSEWHERE: [&[&str]; 3] = [
    &["Sec-Fetch-Site: cross-site"],
    &["Sec-Fetch-Site: cross-site", "Origin: null"],
    &["Origin: https://evil.example.com"],
];

#[test]
fn another_site_can_neither_try_codes_nor_use_up_its_visitors_attempts() {
    let server = Server::clients();
    let started = start(&server, "");
    let code = started.member("user_code");
    for _ in 0..30 {
        let image = server.get("/oauth/device?user_code=BBBB-BBBB", ELSEWHERE[0]);
        assert_first_step(&image, 200, "BBBB-BBBB");
        assert!(!image.body.contains("role=\"alert\""));
        for fields in ELSEWHERE {
            let form = server.post("/oauth/device", fields, "user_code=BBBB-BBBB&decision=deny");
            assert_eq!(
                (form.status, form.body.contains("Another website sent this form")),
                (403, true)
            );
        }
    }
    // A right code is not looked up either: the page does not show whose it is, and nothing is
    // allowed or denied.
    let target = format!("/oauth/device?user_code={code}");
    assert_first_step(&server.get(&target, ELSEWHERE[0]), 200, &code);
    for (fields, decision) in ELSEWHERE.into_iter().zip([ANN, "decision=deny", ""]) {
        let form = format!("user_code={code}&{decision}");
        assert_first_step(&server.post("/oauth/device", fields, &form), 403, &code);
    }
    assert_eq!(poll(&server, &started).error(), (400, "authorization_pending".into()));
    let escaped = server.get("/oauth/device?user_code=%22%3E%3Cb%3E", ELSEWHERE[0]);
    assert_first_step(&escaped, 200, "&quot;&gt;&lt;b&gt;");
    // One press goes on, and so does a request from our own page, or one that does not say from
    // where.
    for origin in [
        "Sec-Fetch-Site: same-origin",
        "Sec-Fetch-Site: same-site",
        "Sec-Fetch-Site: none",
        "Origin: http://localhost",
        &format!("Origin: {}", server.issuer()),
    ] {
        let form = format!("user_code={code}");
        assert_second_step(&server.post("/oauth/device", &[origin], &form), 200, &code);
        assert_second_step(&server.get(&target, &[origin]), 200, &code);
    }
    assert_second_step(&server.get(&target, ELSEWHERE[2]), 200, &code);
}

#[test]
fn a_user_with_nothing_to_give_denies() {
    let server = Server::clients();
    let started = start(&server, "scope=write");
    let page = decide(&server, &started.member("user_code"), &ANN.replace("ann", "bob"));
    assert!(page.body.contains("asks for nothing that you may grant"), "{page:?}");
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
    assert_eq!(start(&server, "scope=read&scope=read").error(), (400, "invalid_request".into()));
    assert_eq!(start(&server, "scope=&unknown=1&unknown=2").status, 200);
    let public = server.post("/oauth/device_authorization", &[], "client_id=public");
    let polled = |form: &str| server.post("/oauth/token", &[], form).error();
    let form = poll_form(&public);
    assert_eq!(polled(&form), (401, "invalid_client".into()));
    let named = format!("{form}&client_id=public");
    assert_eq!(polled(&named), (400, "authorization_pending".into()));
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
