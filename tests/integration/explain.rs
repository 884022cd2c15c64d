//! Contract section 8: the server's explained steps, in answers and in the log.

use crate::support::*;

const EXPLAIN: &str = "Explain: yes";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// A request for a code with the challenge of this verifier.
const FOR_A_CODE: &str = "response_type=code&client_id=publicApplication&scope=read&state=xyz\
    &redirect_uri=http%3A%2F%2F127.0.0.1%2Ftour%2Fcallback\
    &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

fn steps(answer: &Answer) -> Vec<&str> {
    answer.all("Explain")
}

fn post(server: &Server, path: &str, form: &str) -> Answer {
    server.request("POST", path, &[FORM, EXPLAIN], form)
}

/// A code that the demo's user has allowed.
fn code(server: &Server) -> String {
    let form = format!("{FOR_A_CODE}&username=pedroetb&password=password&decision=allow");
    let answer = post(server, "/oauth/authorize", &form);
    let location = answer.field("Location").unwrap();
    location.split_once("code=").unwrap().1.split('&').next().unwrap().into()
}

fn exchange(server: &Server, code: &str, verifier: &str) -> Answer {
    let form = format!(
        "grant_type=authorization_code&client_id=publicApplication&code={code}\
         &redirect_uri=http%3A%2F%2F127.0.0.1%2Ftour%2Fcallback&code_verifier={verifier}"
    );
    post(server, "/oauth/token", &form)
}

#[test]
fn a_password_grant_is_explained_in_its_order() {
    let server = Server::demo();
    let answer =
        server.request("POST", "/oauth/token", &[FORM, EXPLAIN, APPLICATION], PASSWORD_GRANT);
    assert_eq!(
        steps(&answer),
        [
            "the body is a form (RFC 6749, appendix B)",
            "no parameter is repeated (RFC 6749, section 3.2)",
            "client application, by HTTP Basic (RFC 6749, section 2.3.1)",
            "the parameter grant_type is present (RFC 6749, section 5.2)",
            "this server supports the grant_type (RFC 6749, section 5.2)",
            "its grants include password (RFC 6749, section 5.2)",
            "the parameter username is present (RFC 6749, section 4.3.2)",
            "the parameter password is present (RFC 6749, section 4.3.2)",
            "user pedroetb, by password (RFC 6749, section 4.3.2)",
            "no scope was requested, so the client's default applies (RFC 6749, section 3.3)",
            "an access token is issued: 3600 seconds, no scope (RFC 6749, section 5.1)",
            "a refresh token is issued: 1209600 seconds (RFC 6749, section 5.1)",
        ]
    );
}

#[test]
fn the_rule_that_fails_is_the_last_step() {
    let server = Server::demo();
    let code = code(&server);
    let wrong = exchange(&server, &code, &"x".repeat(43));
    assert_eq!(
        steps(&wrong)[5..],
        [
            "its grants include authorization_code (RFC 6749, section 5.2)",
            "the parameter code is present (RFC 6749, section 4.1.3)",
            "the code is alive, not used before, and was issued to this client \
             (RFC 6749, section 4.1.2)",
            "its user is still in the configuration (RFC 6749, section 4.1.2)",
            "redirect_uri is the one in the authorization request (RFC 6749, section 4.1.3)",
            "the code is spent, since its own client made a mistake (RFC 9700, section 4.2.4)",
            "failed: the challenge is S256 of the verifier (RFC 7636, section 4.6)",
        ]
    );
}

#[test]
fn reuse_is_told_with_what_it_ends() {
    let server = Server::demo();
    let code = code(&server);
    assert_eq!(exchange(&server, &code, VERIFIER).status, 200);
    let again = exchange(&server, &code, VERIFIER);
    let told = steps(&again);
    assert_eq!(
        told[told.len() - 2..],
        [
            "its whole family is revoked (RFC 9700, section 4.14.2)",
            "refused: code reused: 2 tokens revoked (RFC 6749, section 4.1.2)",
        ]
    );
}

#[test]
fn a_redirect_is_told_to_a_script_as_what_it_is() {
    let server = Server::demo();
    let form = format!("{FOR_A_CODE}&username=pedroetb&password=password&decision=allow");
    let plain = server.post("/oauth/authorize", &[], &form);
    assert_eq!((plain.status, plain.field("Explain-Status")), (303, None));
    assert!(steps(&plain).is_empty());
    let told = post(&server, "/oauth/authorize", &form);
    assert_eq!((told.status, told.field("Explain-Status"), &*told.body), (200, Some("303"), ""));
    let location = told.field("Location").unwrap();
    assert!(location.starts_with("http://127.0.0.1/tour/callback?code="), "{location}");
    assert!(location.contains("&state=xyz&iss="), "{location}");
    for name in ["Cache-Control", "Referrer-Policy"] {
        assert_eq!(told.field(name), plain.field(name));
    }
    assert!(told.field("Access-Control-Allow-Origin").is_none());
    let steps = steps(&told);
    assert_eq!(
        steps[steps.len() - 3..],
        [
            "user pedroetb, by password (RFC 6749, section 3.1)",
            "a code is issued, for 60 seconds and one use (RFC 6749, section 4.1.2)",
            "the browser is sent back to the client, with its state and our iss (RFC 9207, section 2)",
        ]
    );
}

#[test]
fn with_a_configuration_no_answer_explains_itself() {
    let server = Server::clients();
    let form = "grant_type=client_credentials";
    let answer = server.request("POST", "/oauth/token", &[FORM, EXPLAIN, APP], form);
    assert_eq!((answer.status, steps(&answer).len()), (200, 0));
    let query = "/oauth/authorize?response_type=token&client_id=app&state=s";
    let answer = server.get(query, &[EXPLAIN]);
    assert_eq!((answer.status, answer.field("Explain-Status")), (303, None));
}

#[test]
fn no_step_has_a_secret_or_a_word_that_the_file_has_not() {
    let server = Server::demo();
    let code = code(&server);
    let given = exchange(&server, &code, VERIFIER);
    let (access, refresh) = (given.member("access_token"), given.member("refresh_token"));
    let public = "client_id=publicApplication";
    let strange = "NEVER";
    let mut all = String::new();
    for (path, form) in [
        ("/oauth/token", format!("grant_type={strange}&{public}")),
        (
            "/oauth/token",
            format!("grant_type=refresh_token&{public}&refresh_token={refresh}&scope={strange}"),
        ),
        ("/oauth/token", format!("grant_type=refresh_token&{public}&refresh_token={refresh}")),
        ("/oauth/token", format!("grant_type=refresh_token&{public}&refresh_token={refresh}")),
        (
            "/oauth/token",
            format!("grant_type=password&client_id={strange}&client_secret={strange}"),
        ),
        ("/oauth/device_authorization", format!("{public}&scope={strange}")),
        (
            "/oauth/introspect",
            format!("token={access}&client_id=confidentialApplication&client_secret=topSecret"),
        ),
        ("/oauth/revoke", format!("token={access}&{public}")),
        ("/oauth/authorize", format!("{public}&redirect_uri={strange}&state={strange}")),
        (
            "/oauth/authorize",
            format!("{FOR_A_CODE}&username={strange}&password={strange}&decision=allow"),
        ),
        ("/oauth/device", format!("user_code={strange}&decision=allow")),
    ] {
        let answer = post(&server, path, &form);
        assert!(!steps(&answer).is_empty(), "{path} {form}");
        all += &steps(&answer).join("\n");
    }
    for word in [strange, "topSecret", VERIFIER, &code, &access, &refresh] {
        assert!(!all.contains(word), "{word} is in\n{all}");
    }
}

#[test]
fn the_log_tells_the_steps_below_the_line_of_their_request() {
    let server = Server::with("log = explain");
    server.token(APP, "grant_type=client_credentials&scope=admin");
    server.token(APP, "grant_type=client_credentials&scope=other");
    server.log_line(|line| line.contains("failed:"));
    let log = server.log();
    let (_, first) = log.split_once("POST /oauth/token 200").unwrap();
    let lines: Vec<&str> = first.lines().collect();
    assert_eq!(lines[1], "    the body is a form (RFC 6749, appendix B)");
    assert_eq!(lines[6], "    its grants include client_credentials (RFC 6749, section 5.2)");
    assert_eq!(
        lines[8],
        "    an access token is issued: 3600 seconds, admin (RFC 6749, section 5.1)"
    );
    assert!(lines[9].contains(" POST /oauth/token 400 "), "{log}");
    let failed = "    failed: the client may ask for this scope (RFC 6749, section 3.3)";
    assert_eq!(lines[16], failed);
}
