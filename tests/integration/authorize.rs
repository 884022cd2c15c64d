//! Contract section 4: the authorization endpoint, and the code at the token endpoint.

use std::sync::Arc;

use crate::support::*;
use crate::token::successes_of_fifty;

// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str =
    "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
const CB: &str = "redirect_uri=https%3A%2F%2Fapp.example.com%2Fcb";
pub const ANN: &str = "username=ann&password=password&decision=allow";

pub fn post(server: &Server, request: &str, more: &str) -> Answer {
    server.post(
        "/oauth/authorize",
        &["Origin: null"],
        &format!("response_type=code&{request}&{more}"),
    )
}

/// A code for `app`, requested with these parameters.
fn code(server: &Server, request: &str) -> String {
    let answer = post(server, &format!("client_id=app&{request}"), ANN);
    assert_eq!(answer.status, 303, "{answer:?}");
    answer.location_parameter("code").unwrap()
}

fn redeem(server: &Server, code: &str, more: &str) -> Answer {
    server.token(APP, &format!("grant_type=authorization_code&code={code}{more}"))
}

pub fn encoded(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

#[test]
fn the_page_asks_and_carries_the_request_along() {
    let server = Server::clients();
    let odd = "<&>\"'";
    let target = format!(
        "/oauth/authorize?response_type=code&client_id=app&scope=read+write&state={}&{CB}&{CHALLENGE}",
        encoded(odd)
    );
    let page = server.get(&target, &[]);
    assert_eq!(page.status, 200);
    for part in [
        "<html lang=\"en\">",
        "<title>Sign in</title>",
        "<strong>app</strong>",
        "<li>read</li>\n<li>write</li>",
        "<strong>app.example.com</strong>",
        "<form method=\"post\" action=\"authorize\">",
        "<input type=\"hidden\" name=\"state\" value=\"&lt;&amp;&gt;&quot;&#39;\">",
        "<input type=\"hidden\" name=\"redirect_uri\" value=\"https://app.example.com/cb\">",
        "name=\"username\"",
        "autocomplete=\"username\"",
        "type=\"password\"",
        "autocomplete=\"current-password\"",
    ] {
        assert!(page.body.contains(part), "{part}\n{}", page.body);
    }
    assert!(
        !page.body.contains(odd)
            && !page.body.contains("<script")
            && !page.body.contains("http-equiv")
    );
    let allow = page.body.find("name=\"decision\" value=\"allow\"").unwrap();
    let deny = page.body.find("name=\"decision\" value=\"deny\"").unwrap();
    assert!(allow < deny);
    assert_eq!(
        server.request("HEAD", &target, &[], "").field("Content-Length"),
        page.field("Content-Length")
    );
}

#[test]
fn allow_gives_a_code_and_the_code_a_token() {
    let server = Server::clients();
    let answer =
        post(&server, &format!("client_id=app&scope=write&state=a%20b%26&{CB}&{CHALLENGE}"), ANN);
    let issuer = server.issuer().replace(':', "%3A").replace('/', "%2F");
    let code = answer.location_parameter("code").unwrap();
    assert_eq!(
        answer.field("Location"),
        Some(
            format!("https://app.example.com/cb?code={code}&state=a%20b%26&iss={issuer}").as_str()
        )
    );
    assert_eq!(
        (answer.status, answer.field("Cache-Control"), code.len()),
        (303, Some("no-store"), 64)
    );
    let token = redeem(&server, &code, &format!("&{CB}&code_verifier={VERIFIER}"));
    assert_eq!(
        without_tokens(&token.body),
        r#"{"token_type":"bearer","access_token":"TOKEN","expires_in":3600,"refresh_token":"TOKEN","scope":"write"}"#
    );
    // Used again, it revokes what it gave.
    assert!(server.is_live(&token.member("access_token")));
    let again = redeem(&server, &code, &format!("&{CB}&code_verifier={VERIFIER}"));
    assert_eq!(again.error(), (400, "invalid_grant".into()));
    assert!(!server.is_live(&token.member("access_token")));
}

#[test]
fn a_public_client_signs_in_with_pkce_and_never_without() {
    let server = Server::clients();
    let target = "client_id=public&redirect_uri=com.example.app%3A%2Fcb";
    let refused = post(&server, target, ANN);
    assert_eq!(
        (refused.status, refused.location_parameter("error").as_deref()),
        (303, Some("invalid_request"))
    );
    let answer = post(&server, &format!("{target}&{CHALLENGE}"), ANN);
    assert!(answer.field("Location").unwrap().starts_with("com.example.app:/cb?code="));
    let form = format!(
        "grant_type=authorization_code&client_id=public&redirect_uri=com.example.app:/cb&code={}&code_verifier={VERIFIER}",
        answer.location_parameter("code").unwrap()
    );
    assert_eq!(server.post("/oauth/token", &[], &form).status, 200);
}

#[test]
fn whatever_its_client_does_wrong_spends_the_code() {
    let server = Server::clients();
    let with = format!("{CB}&{CHALLENGE}");
    let right = format!("&{CB}&code_verifier={VERIFIER}");
    for (request, wrong, right) in [
        (with.as_str(), format!("&{CB}"), right.as_str()),
        (&with, format!("&{CB}&code_verifier=short"), &right),
        (&with, format!("&{CB}&code_verifier={}", VERIFIER.replace('d', "e")), &right),
        (&with, format!("&code_verifier={VERIFIER}"), &right),
        (&with, format!("&redirect_uri=https://app.example.com/&code_verifier={VERIFIER}"), &right),
        (CB, format!("&{CB}&code_verifier={VERIFIER}"), &format!("&{CB}")),
    ] {
        let code = code(&server, request);
        assert_eq!(
            redeem(&server, &code, &wrong).error(),
            (400, "invalid_grant".into()),
            "{wrong}"
        );
        assert_eq!(redeem(&server, &code, right).error(), (400, "invalid_grant".into()), "{wrong}");
    }
    // Another client's attempt does not.
    let code = code(&server, &with);
    let form = format!("grant_type=authorization_code&code={code}{right}");
    assert_eq!(server.token(OTHER, &form).error(), (400, "invalid_grant".into()));
    assert_eq!(server.token(APP, &form).status, 200);
}

#[test]
fn a_redirect_uri_may_be_left_out_where_one_is_registered() {
    let server = Server::clients();
    let first = code(&server, "state=x");
    assert_eq!(redeem(&server, &first, "").status, 200);
    let second = code(&server, "state=x");
    assert_eq!(redeem(&server, &second, &format!("&{CB}")).status, 200);
    assert_eq!(post(&server, "client_id=other", ANN).status, 400);
}

#[test]
fn a_redirect_uri_matches_to_the_letter_or_in_its_loopback_port() {
    let server = Server::clients();
    let location = |uri: &str| {
        let answer = post(&server, &format!("client_id=other&redirect_uri={}", encoded(uri)), ANN);
        (
            answer.status,
            answer
                .field("Location")
                .map(|location| location.split("code=").next().unwrap().to_string()),
        )
    };
    let back = |to: &str| (303, Some(to.to_string()));
    assert_eq!(
        location("https://other.example.com/cb?x=1"),
        back("https://other.example.com/cb?x=1&")
    );
    assert_eq!(location("http://127.0.0.1:49152/cb"), back("http://127.0.0.1:49152/cb?"));
    for uri in [
        "https://evilother.example.com/cb?x=1",
        "https://other.example.com/cb",
        "https://other.example.com/cb?x=1&y",
        "https://other.example.com.evil.org/cb?x=1",
        "http://127.0.0.1:1@evil.org/cb",
        "http://localhost/cb",
        "javascript:alert(1)",
    ] {
        assert_eq!(location(uri), (400, None), "{uri}");
    }
    let answer = post(&server, "client_id=nobody&redirect_uri=https://app.example.com/cb", ANN);
    assert_eq!((answer.status, answer.field("Location")), (400, None));
    assert!(answer.body.contains("the client is unknown"));
}

#[test]
fn errors_go_back_with_state_and_iss() {
    let server = Server::clients();
    let issuer = server.issuer().replace(':', "%3A").replace('/', "%2F");
    for (request, error) in [
        ("client_id=app", "invalid_request"),
        ("client_id=app&response_type=token", "unsupported_response_type"),
        ("client_id=app&response_type=code&scope=unknown", "invalid_scope"),
        (
            "client_id=app&response_type=code&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            "invalid_request",
        ),
        ("client_id=app&response_type=code&response_type=code", "invalid_request"),
    ] {
        let answer = server.get(&format!("/oauth/authorize?{request}&state=s"), &[]);
        assert_eq!(
            (answer.status, answer.location_parameter("error").as_deref()),
            (303, Some(error)),
            "{request}"
        );
        assert_eq!(answer.location_parameter("state").as_deref(), Some("s"));
        assert_eq!(answer.location_parameter("iss").as_ref(), Some(&issuer));
        assert!(answer.location_parameter("error_description").is_some());
    }
}

#[test]
fn an_empty_parameter_is_none_and_an_unknown_one_is_ignored() {
    let server = Server::clients();
    let empty = "scope=&state=&redirect_uri=&code_challenge=&code_challenge_method=&response_mode=";
    let code = code(&server, &format!("{empty}&prompt=login&nonce=1&nonce=2"));
    let given = redeem(&server, &code, "&redirect_uri=&code_verifier=&nonce=1&nonce=2");
    assert_eq!(given.member("scope"), "read");
}

#[test]
fn a_person_can_deny_and_can_be_wrong() {
    let server = Server::clients();
    let denied = post(&server, "client_id=app&state=s", "decision=deny");
    assert_eq!(
        (denied.status, denied.location_parameter("error").as_deref()),
        (303, Some("access_denied"))
    );
    let wrong =
        post(&server, "client_id=app&state=s", "username=a%22nn&password=hunter2&decision=allow");
    assert_eq!((wrong.status, wrong.field("Location")), (403, None));
    for part in ["value=\"a&quot;nn\"", "role=\"alert\"", "name=\"state\" value=\"s\""] {
        assert!(wrong.body.contains(part), "{part}");
    }
    assert!(!wrong.body.contains("hunter2"));
    for decision in ["", "&decision=maybe"] {
        let answer =
            post(&server, "client_id=app", &format!("username=ann&password=password{decision}"));
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains("name=\"decision\""));
    }
    let nothing = post(&server, "client_id=app&scope=write", &ANN.replace("ann", "bob"));
    assert_eq!(nothing.location_parameter("error").as_deref(), Some("invalid_scope"));
}

#[test]
fn a_page_that_another_site_sends_in_is_the_first_page_again() {
    let server = Server::clients();
    let form = |more: &str| format!("response_type=code&client_id=app&state=s{more}");
    for fields in [
        &["Sec-Fetch-Site: cross-site"][..],
        &["Sec-Fetch-Site: cross-site", "Origin: null"],
        &["Origin: https://evil.example.com"],
    ] {
        for more in ["", "&decision=deny", &format!("&{ANN}")] {
            let page = server.post("/oauth/authorize", fields, &form(more));
            assert_eq!((page.status, page.field("Location")), (403, None), "{more}");
            for part in [
                "Another website sent this form",
                "name=\"state\" value=\"s\"",
                "name=\"username\" value=\"\"",
            ] {
                assert!(page.body.contains(part), "{part} {page:?}");
            }
        }
        // Any number of wrong passwords: they are not tried, so they do not count.
        for _ in 0..21 {
            let wrong = form("&username=ann&password=wrong&decision=allow");
            assert_eq!(server.post("/oauth/authorize", fields, &wrong).status, 403);
        }
    }
    // A link on another site is the usual beginning.
    let target = format!("/oauth/authorize?{}", form(""));
    let link = ["Sec-Fetch-Site: cross-site", "Origin: https://app.example.com"];
    assert_eq!(server.get(&target, &link).status, 200);
    let own = format!("Origin: {}", server.issuer());
    for fields in [&[own.as_str()], &["Origin: http://localhost"], &["Sec-Fetch-Site: same-origin"]]
    {
        let allowed = server.post("/oauth/authorize", fields, &form(&format!("&{ANN}")));
        assert_eq!(allowed.status, 303, "{fields:?}");
    }
}

#[test]
fn the_log_names_the_rule_that_was_broken() {
    let server = Server::clients();
    server.get("/oauth/authorize?client_id=app&client_id=app", &[]);
    server.get("/oauth/authorize?client_id=app&state=s&state=s", &[]);
    server.get("/oauth/authorize?client_id=app", &[]);
    server.get("/oauth/authorize?client_id=app&response_type=code&response_mode=fragment", &[]);
    server.post("/oauth/device_authorization", &[APP], "scope=read&scope=read");
    server.post("/oauth/device", &[], "user_code=x&user_code=x");
    server.post("/oauth/device", &["Sec-Fetch-Site: cross-site"], "user_code=x");
    server.bearer("0000000000000000000000000000000000000000");
    for reason in [
        "client_id appears more than once (RFC 6749, section 3.1)",
        "state appears more than once (RFC 6749, section 3.1)",
        "response_type is missing (RFC 6749, section 3.1.1)",
        "(OAuth 2.0 Multiple Response Type Encoding Practices, section 2.1)",
        "scope appears more than once (RFC 8628, section 3.1)",
        "user_code appears more than once (RFC 6749, section 10.14)",
        "the form was sent from another site (RFC 6749, section 10.12)",
        "(RFC 6750, section 3.1)",
    ] {
        server.log_line(|line| line.contains(reason));
    }
}

#[test]
fn one_code_from_fifty_threads_at_once_succeeds_once() {
    let server = Arc::new(Server::clients());
    let form = format!("grant_type=authorization_code&code={}&{CB}", code(&server, CB));
    assert_eq!(successes_of_fifty(&server, APP, &form), 1);
}
