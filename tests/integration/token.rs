//! Contract section 4: the token endpoint.

use std::sync::Arc;

use proptest::prelude::*;

use crate::support::*;

const HEAD: &str =
    "200\nCache-Control: no-store\nPragma: no-cache\nContent-Type: application/json\n";

fn success(body: &str, length: usize) -> String {
    format!("{HEAD}Content-Length: {length}\n\n{body}")
}

#[test]
fn the_password_grant_of_the_demo() {
    let server = Server::demo();
    let answer = server.token(APPLICATION, PASSWORD_GRANT);
    let body = r#"{"token_type":"bearer","access_token":"TOKEN","expires_in":3600,"refresh_token":"TOKEN"}"#;
    assert_eq!(answer.whole(), success(body, body.len() + 35 + 59));
    assert_eq!(
        server.bearer(&answer.member("access_token")).whole(),
        "200\nContent-Type: text/plain; charset=utf-8\nCache-Control: no-store\nContent-Length: 42\n\n\
         Congratulations, you are in a secret area!"
    );
    let confidential = server.token(CONFIDENTIAL, PASSWORD_GRANT);
    assert_eq!(
        without_tokens(&confidential.body),
        r#"{"token_type":"bearer","access_token":"TOKEN","expires_in":3600}"#
    );
}

#[test]
fn the_client_credentials_grant_of_the_demo() {
    let server = Server::demo();
    let answer = server.token(CONFIDENTIAL, "grant_type=client_credentials");
    let body = r#"{"token_type":"bearer","access_token":"TOKEN","expires_in":3600}"#;
    assert_eq!(answer.whole(), success(body, body.len() + 35));
    let refused = server.token(APPLICATION, "grant_type=client_credentials");
    assert_eq!(
        refused.whole(),
        "400\nCache-Control: no-store\nPragma: no-cache\nContent-Type: application/json\nContent-Length: 87\n\n\
         {\"error\":\"unauthorized_client\",\"error_description\":\"the client may not use this grant\"}"
    );
}

#[test]
fn client_credentials_give_no_refresh_token() {
    let server = Server::clients();
    // Though this client may use one.
    let answer = server.token(APP, "grant_type=client_credentials");
    assert_eq!(
        without_tokens(&answer.body),
        r#"{"token_type":"bearer","access_token":"TOKEN","expires_in":3600,"scope":"read"}"#
    );
}

#[test]
fn invalid_client_is_a_401_with_a_challenge_whatever_is_wrong() {
    let server = Server::demo();
    let form = "grant_type=client_credentials";
    let wrong_secret = server.token("Authorization: Basic YXBwbGljYXRpb246d3Jvbmc=", form);
    assert_eq!(
        wrong_secret.whole(),
        "401\nCache-Control: no-store\nPragma: no-cache\nContent-Type: application/json\n\
         WWW-Authenticate: Basic realm=\"oauth2d\"\nContent-Length: 77\n\n\
         {\"error\":\"invalid_client\",\"error_description\":\"client authentication failed\"}"
    );
    for field in [
        "Authorization: Basic bm9ib2R5OnNlY3JldA==",
        "Authorization: Basic !",
        "Authorization: Bearer x",
        "X: y",
    ] {
        assert_eq!(server.token(field, form).whole(), wrong_secret.whole(), "{field}");
    }
}

#[test]
fn the_checks_have_an_order() {
    let server = Server::clients();
    let mut form = String::new();
    let mut expect = |more: &str, client: &str, error: &str| {
        form.push_str(more);
        assert_eq!(server.token(client, &form).error().1, error, "{form}");
    };
    expect("scope=nonsense&refresh_token=x", "X: y", "invalid_client");
    expect("", APP, "invalid_request");
    let (code, error) = server.token(APP, "grant_type=nonsense").error();
    assert_eq!((code, error.as_str()), (400, "unsupported_grant_type"));
    assert_eq!(
        server.token(OTHER, "grant_type=client_credentials&scope=x").error().1,
        "unauthorized_client"
    );
    for (form, error) in [
        ("grant_type=password&scope=x&username=ann", "invalid_request"),
        ("grant_type=password&scope=x&password=x", "invalid_request"),
        ("grant_type=password&scope=x&username=ann&password=x", "invalid_grant"),
        ("grant_type=password&scope=x&username=ann&password=password", "invalid_scope"),
        ("grant_type=refresh_token&scope=x", "invalid_request"),
        ("grant_type=refresh_token&scope=x&refresh_token=x", "invalid_grant"),
        ("grant_type=authorization_code", "invalid_request"),
        ("grant_type=authorization_code&code=x", "invalid_grant"),
        ("grant_type=urn:ietf:params:oauth:grant-type:device_code", "invalid_request"),
        ("grant_type=device_code", "unsupported_grant_type"),
    ] {
        assert_eq!(server.token(APP, form).error(), (400, error.into()), "{form}");
    }
    for grant in [
        "password&username=ann&password=password",
        "client_credentials",
        "refresh_token&refresh_token=x",
        "authorization_code&code=x",
        "urn:ietf:params:oauth:grant-type:device_code&device_code=x",
    ] {
        let form = format!("grant_type={grant}");
        for nobody in [&form, &format!("{form}&client_id=app")] {
            let refused = server.token("X: y", nobody);
            assert_eq!(refused.error(), (401, "invalid_client".into()), "{nobody}");
        }
        let not_its_own = server.token(API, &form);
        assert_eq!(not_its_own.error(), (400, "unauthorized_client".into()), "{grant}");
    }
}

#[test]
fn a_form_is_a_form() {
    let server = Server::demo();
    let refused = |fields: &[&str], body: &str| {
        let answer = server.request("POST", "/oauth/token", fields, body);
        assert_eq!(answer.error(), (400, "invalid_request".into()), "{fields:?} {body}");
        assert_eq!(answer.field("Cache-Control"), Some("no-store"));
    };
    refused(&[APPLICATION], PASSWORD_GRANT);
    refused(&[APPLICATION, "Content-Type: application/json"], "{}");
    const FORM: &str = "Content-Type: Application/X-WWW-Form-Urlencoded ; charset=UTF-8";
    for body in [
        "grant_type=password&grant_type=password",
        "grant_type=password&username=a&username=",
        "scope=&scope=&grant_type=x",
        "grant_type=%zz",
        "grant_type=%ff",
        "unknown=%",
    ] {
        refused(&[APPLICATION, FORM], body);
    }
    let form = format!("{PASSWORD_GRANT}&unknown=1&unknown=2&resource=a&resource=b&scope=&code=");
    assert_eq!(server.request("POST", "/oauth/token", &[APPLICATION, FORM], &form).status, 200);
    // Credentials in the URL are not looked at.
    let target = "/oauth/token?client_id=application&client_secret=secret";
    assert_eq!(server.post(target, &[], PASSWORD_GRANT).error().0, 401);
}

#[test]
fn clients_say_who_they_are_in_one_way() {
    let server = Server::clients();
    let status = |field: &str, form: &str| {
        server
            .token(field, &format!("grant_type=password&username=ann&password=password{form}"))
            .status
    };
    assert_eq!(status("X: y", "&client_id=app&client_secret=secret"), 200);
    assert_eq!(status("X: y", "&client_id=public"), 200);
    assert_eq!(status("X: y", "&client_id=app"), 401);
    assert_eq!(status(APP, "&client_id=app"), 200);
    assert_eq!(status(APP, "&client_id=other"), 400);
    assert_eq!(status(APP, "&client_secret=secret"), 400);
    assert_eq!(status("Authorization: Basic cHVibGljOg==", ""), 200);
}

#[test]
fn scopes_are_given_by_client_and_narrowed_by_user() {
    let server = Server::clients();
    for (user, scope, expected) in [
        ("ann", "", Ok("read")),
        ("ann", "write+read+write", Ok("write read")),
        ("bob", "read+write", Ok("read")),
        ("bob", "", Ok("read")),
        ("bob", "write", Err("invalid_scope")),
        ("ann", "read+unknown", Err("invalid_scope")),
        ("ann", "re%22ad", Err("invalid_scope")),
    ] {
        let form = format!("grant_type=password&username={user}&password=password&scope={scope}");
        let answer = server.token(APP, &form);
        match expected {
            Ok(scope) => assert_eq!(answer.member("scope"), scope, "{form}"),
            Err(error) => assert_eq!(answer.error(), (400, error.into()), "{form}"),
        }
    }
    let none = server.token(OTHER, "grant_type=password&username=ann&password=password");
    assert_eq!(none.json().get("scope"), None);
}

#[test]
fn a_refresh_token_rotates_and_its_reuse_ends_the_family() {
    let server = Server::demo();
    let first = server.token(APPLICATION, PASSWORD_GRANT);
    let refresh = |token: &str| {
        server.token(APPLICATION, &format!("grant_type=refresh_token&refresh_token={token}"))
    };
    let second = refresh(&first.member("refresh_token"));
    assert_eq!(
        without_tokens(&second.body),
        r#"{"token_type":"bearer","access_token":"TOKEN","expires_in":3600,"refresh_token":"TOKEN"}"#
    );
    assert!(!server.is_live(&first.member("access_token")));
    assert!(server.is_live(&second.member("access_token")));
    let reused = refresh(&first.member("refresh_token"));
    assert_eq!(reused.error(), (400, "invalid_grant".into()));
    assert!(!server.is_live(&second.member("access_token")));
    assert_eq!(refresh(&second.member("refresh_token")).status, 400);
}

#[test]
fn a_narrower_scope_is_for_the_access_token_only() {
    let server = Server::clients();
    let form = "grant_type=password&username=ann&password=password&scope=read+write";
    let mut token = server.token(APP, form).member("refresh_token");
    for (scope, expected) in
        [("&scope=read", "read"), ("", "read write"), ("&scope=write", "write")]
    {
        let answer =
            server.token(APP, &format!("grant_type=refresh_token&refresh_token={token}{scope}"));
        assert_eq!(answer.member("scope"), expected);
        token = answer.member("refresh_token");
    }
    // A refused refresh spends nothing.
    let wider =
        server.token(APP, &format!("grant_type=refresh_token&refresh_token={token}&scope=admin"));
    assert_eq!(wider.error(), (400, "invalid_scope".into()));
    let foreign = server.token(OTHER, &format!("grant_type=refresh_token&refresh_token={token}"));
    assert_eq!(foreign.error(), (400, "invalid_grant".into()));
    assert_eq!(
        server.token(APP, &format!("grant_type=refresh_token&refresh_token={token}")).status,
        200
    );
}

#[test]
fn a_client_can_have_a_lifetime_of_its_own() {
    let server = Server::clients();
    let form = "grant_type=password&username=ann&password=password";
    assert_eq!(server.token(BRIEF, form).json()["expires_in"], 1);
    assert_eq!(server.token(APP, form).json()["expires_in"], 3600);
}

#[test]
fn a_client_can_have_a_lifetime_of_its_own_for_refresh_tokens() {
    let server = Server::configured(
        "[server]\nrefresh_token_lifetime = 100\n\
         [client app]\nsecret = secret\ngrants = password refresh_token\n\
         [client other]\nsecret = secret\ngrants = password refresh_token\n\
         refresh_token_lifetime = 2\n[user ann]\npassword = password\n",
    );
    let form = "grant_type=password&username=ann&password=password";
    for (client, seconds) in [(APP, 100), (OTHER, 2)] {
        let form = format!("token={}", server.token(client, form).member("refresh_token"));
        let told = server.post("/oauth/introspect", &[client], &form).json();
        assert_eq!(told["exp"].as_u64().unwrap() - told["iat"].as_u64().unwrap(), seconds);
    }
}

#[test]
fn one_refresh_token_from_fifty_threads_at_once_succeeds_once() {
    let server = Arc::new(Server::demo());
    let token = server.token(APPLICATION, PASSWORD_GRANT).member("refresh_token");
    let form = format!("grant_type=refresh_token&refresh_token={token}");
    assert_eq!(successes_of_fifty(&server, APPLICATION, &form), 1);
}

/// How many of fifty requests at once succeed. All others must be refused as invalid grants.
pub fn successes_of_fifty(server: &Arc<Server>, client: &'static str, form: &str) -> usize {
    let barrier = Arc::new(std::sync::Barrier::new(50));
    let threads: Vec<_> = (0..50)
        .map(|_| {
            let (server, barrier) = (Arc::clone(server), Arc::clone(&barrier));
            let form = form.to_string();
            std::thread::spawn(move || {
                barrier.wait();
                server.token(client, &form)
            })
        })
        .collect();
    let answers: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let refused = answers.iter().filter(|answer| answer.status != 200);
    for answer in refused {
        assert_eq!(answer.error(), (400, "invalid_grant".into()));
    }
    answers.iter().filter(|answer| answer.status == 200).count()
}

#[test]
fn the_oldest_token_of_a_client_makes_room() {
    let server = Server::with("max_tokens_per_client = 2");
    let tokens: Vec<_> = (0..3).map(|_| server.access_token("read")).collect();
    let live: Vec<_> = tokens.iter().map(|token| server.is_live(token)).collect();
    assert_eq!(live, [false, true, true]);
}

#[test]
fn any_form_is_answered_with_a_status_of_the_contract() {
    let server = Server::clients();
    let names = "grant_type|client_id|client_secret|username|password|scope|refresh_token|code|redirect_uri|code_verifier|device_code|x";
    let values = "password|client_credentials|refresh_token|authorization_code|urn:ietf:params:oauth:grant-type:device_code|ann|secret|app|public|[ -~]{0,8}|%[0-9a-f]{2}";
    let pair = format!("({names})=({values})");
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(300));
    let strategy = proptest::collection::vec(pair.as_str().prop_map_str(), 0..8);
    runner
        .run(&strategy, |pairs| {
            let answer = server.post("/oauth/token", &[], &pairs.join("&"));
            prop_assert!([200, 400, 401, 429].contains(&answer.status), "{:?}", answer);
            Ok(())
        })
        .unwrap();
}

/// A pattern as a strategy.
trait PropMapStr {
    fn prop_map_str(&self) -> BoxedStrategy<String>;
}

impl PropMapStr for &str {
    fn prop_map_str(&self) -> BoxedStrategy<String> {
        proptest::string::string_regex(self).unwrap().boxed()
    }
}
