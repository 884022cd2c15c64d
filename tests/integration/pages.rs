//! Contract section 4: what is true of every page.

use crate::authorize::{ANN, encoded, post};
use crate::support::*;

#[test]
fn every_page_keeps_others_out() {
    let server = Server::clients();
    for (target, status) in [
        ("/oauth/authorize?response_type=code&client_id=app", 200),
        ("/oauth/authorize", 400),
        ("/oauth/device", 200),
    ] {
        let page = server.get(target, &[]);
        assert_eq!(page.status, status);
        let policy = page.field("Content-Security-Policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'sha256-")
                && policy.ends_with("='; base-uri 'none'; frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("form-action"));
        for (name, value) in [
            ("X-Frame-Options", "DENY"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
            ("Content-Type", "text/html; charset=utf-8"),
        ] {
            assert_eq!(page.field(name), Some(value));
        }
        assert_eq!(page.field("Set-Cookie"), None);
    }
}

#[test]
fn a_page_carries_sixteen_kibibytes_along_and_no_more() {
    let server = Server::clients();
    let wrong = "username=ann&password=wrong&decision=allow";
    let fits = post(&server, &format!("client_id=app&state={}", "\"".repeat(16_300)), wrong);
    assert_eq!(fits.status, 403);
    assert!(fits.body.contains(&format!("value=\"{}\"", "&quot;".repeat(16_300))));
    for (path, form) in [
        (
            "/oauth/authorize",
            format!("response_type=code&client_id=app&state={}", "x".repeat(16_400)),
        ),
        ("/oauth/authorize", format!("client_id={}", "%22".repeat(16_400))),
        ("/oauth/authorize", format!("client_id=app&username={}", "x".repeat(60_000))),
        ("/oauth/device", format!("user_code=x&username={}", "\"".repeat(60_000))),
        ("/oauth/device", format!("user_code={}", "\"".repeat(60_000))),
    ] {
        let page = server.post(path, &[], &form);
        assert_eq!((page.status, page.field("Location")), (400, None));
        assert!(page.body.contains("the parameters are longer than 16 KiB"));
        assert!(page.body.len() < 5000);
    }
}

#[test]
fn a_person_reads_where_they_return_to() {
    let server = Server::clients();
    for (redirect_uri, words) in [
        ("https://other.example.com/cb?x=1", "other.example.com"),
        ("http://127.0.0.1:49152/cb", "a program on this computer"),
    ] {
        let request = format!("client_id=other&redirect_uri={}", encoded(redirect_uri));
        let page = server.get(&format!("/oauth/authorize?response_type=code&{request}"), &[]);
        let sentence = format!("Afterwards you return to <strong>{words}</strong>.");
        assert!(page.body.contains(&sentence), "{page:?}");
    }
}

#[test]
fn the_way_back_is_told_to_no_cache_and_no_other_site() {
    let server = Server::clients();
    for answer in [
        post(&server, "client_id=app", ANN),
        post(&server, "client_id=app", "decision=deny"),
        server.get("/oauth/authorize?client_id=app", &[]),
    ] {
        assert_eq!(answer.status, 303);
        assert_eq!(answer.field("Referrer-Policy"), Some("no-referrer"));
        assert_eq!(answer.field("Cache-Control"), Some("no-store"));
        assert_eq!(answer.field("Pragma"), Some("no-cache"));
        assert_eq!(answer.field("Set-Cookie"), None);
    }
}

#[test]
fn people_read_the_name_of_a_client_in_place_of_its_id() {
    let client = "[client id-of-app]
        grants = authorization_code device_code
        redirect_uris = com.example.app:/cb
        name = Example <App>
        [user ann]
        password = password";
    let server = Server::configured(client);
    let request = "response_type=code&client_id=id-of-app&code_challenge_method=S256\
        &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let started = server.post("/oauth/device_authorization", &[], "client_id=id-of-app");
    let form = format!("user_code={}&{ANN}", started.member("user_code"));
    for page in [
        server.get(&format!("/oauth/authorize?{request}"), &[]),
        server.post("/oauth/device", &[], &form.replace("allow", "")),
        server.post("/oauth/device", &[], &form),
    ] {
        assert_eq!(page.status, 200);
        assert!(page.body.contains("<strong>Example &lt;App&gt;</strong>"), "{page:?}");
        assert!(!page.body.contains("<strong>id-of-app"));
    }
}

const HTML: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// A page's fields besides `Content-Length`, in order, without the policy's hash.
fn fields(answer: &Answer) -> Vec<String> {
    let whole = answer.whole();
    let (head, _) = whole.split_once("\n\n").unwrap();
    let own = head.lines().skip(1).filter(|field| !field.starts_with("Content-Length: "));
    own.map(|field| match field.split_once("'sha256-") {
        Some((before, after)) => format!("{before}HASH{}", after.split_once('\'').unwrap().1),
        None => field.into(),
    })
    .collect()
}

#[test]
fn a_person_who_is_lost_gets_a_page_with_the_same_status_and_fields() {
    let page = [
        "Cache-Control: no-store",
        "Referrer-Policy: no-referrer",
        "X-Content-Type-Options: nosniff",
        "X-Frame-Options: DENY",
        "Content-Type: text/html; charset=utf-8",
        "Content-Security-Policy: default-src 'none'; style-src HASH; base-uri 'none'; \
         frame-ancestors 'none'",
    ];
    let server = Server::clients();
    let metadata = format!("{}/.well-known/oauth-protected-resource", server.issuer());
    let challenge =
        format!("WWW-Authenticate: Bearer realm=\"oauth2d\", resource_metadata=\"{metadata}\"");
    for (method, path, status, own) in [
        ("GET", "/", 401, Some(challenge.as_str())),
        ("GET", "/nothing?secret=hunter2", 404, None),
        ("POST", "/healthz", 405, Some("Allow: GET, HEAD")),
        ("PUT", "/oauth/device", 405, Some("Allow: GET, HEAD, POST")),
        ("GET", "/tour", 404, None),
        ("GET", "/oauth/token/", 404, None),
    ] {
        let mut connection = server.connect();
        connection.send(message(method, path, &[HTML], ""));
        let answer = connection.answer();
        let mut expected: Vec<&str> = page.to_vec();
        expected.extend(own);
        expected.push("Vary: Accept");
        assert_eq!((answer.status, fields(&answer)), (status, expected_of(&expected)), "{path}");
        assert!(answer.body.starts_with("<!DOCTYPE html>"), "{path}");
        assert!(!answer.body.contains("hunter2") && !answer.body.contains("/tour"), "{path}");
    }
}

fn expected_of(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|field| field.to_string()).collect()
}

#[test]
fn programs_and_whoever_does_not_say_get_json() {
    let server = Server::clients();
    for accept in ["Accept: */*", "Accept: application/json", "X: y", "Accept: text/html, */*"] {
        let answer = server.get("/nothing", &[accept]);
        assert_eq!(answer.error(), (404, "not_found".into()));
        assert_eq!(answer.field("Vary"), Some("Accept"));
    }
    for path in [
        "/oauth/token",
        "/oauth/introspect",
        "/oauth/revoke",
        "/oauth/device_authorization",
        "/oauth/register",
        "/oauth/authenticate",
        "/.well-known/nothing",
    ] {
        let answer = server.get(path, &[HTML]);
        assert!([401, 404, 405].contains(&answer.status), "{path}");
        assert!(!answer.body.contains("<html"), "{path}: {}", answer.body);
        assert_eq!(answer.field("Vary"), None, "{path}");
    }
}

#[test]
fn the_demo_leads_who_is_lost_to_the_tour_and_to_a_first_token() {
    let server = Server::demo();
    for path in ["/", "/nothing"] {
        let answer = server.get(path, &[HTML]);
        assert!(answer.body.contains("href=\"/tour\">Take the tour</a>"), "{path}");
        assert!(answer.body.contains(&format!("curl {}/oauth/token \\\n  -u", server.issuer())));
    }
}
