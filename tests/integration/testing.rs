//! Contract section 4: the bench for other people's tests.

use serde_json::json;

use crate::support::*;

const GRANTS: &str = "grants = password refresh_token authorization_code device_code
scopes = read write
default_scopes = read
redirect_uris = https://app.example.com/cb";
const PEOPLE: &str =
    "[user ann]\npassword = password\n[user bob]\npassword = password\nscopes = read\n";
const CHALLENGE: &str =
    "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const REQUEST: &str = "/oauth/authorize?response_type=code&state=xyz&client_id";

/// A bench with the clients `app` (with a secret), `public`, and `strict`, which does not use it.
pub fn bench(server: &str, app: &str, public: &str) -> Server {
    Server::configured(&format!(
        "[server]\ntesting = yes\n{server}\n[client app]\nsecret = secret\n{GRANTS}\n{app}\n\
         [client public]\n{GRANTS}\n{public}\n[client strict]\nsecret = secret\n{GRANTS}\n{PEOPLE}"
    ))
}

pub fn faulty(faults: &str) -> Server {
    bench("", &format!("faults = {faults}"), "")
}

pub const ANN: &str = "grant_type=password&username=ann&password=password";

pub fn password(server: &Server) -> Answer {
    server.token(APP, ANN)
}

#[test]
fn without_testing_each_key_is_an_error_with_its_line() {
    let folder = Folder::new();
    let checked = |text: &str| {
        let file = folder.write("oauth2d.conf", text);
        let file = file.to_str().unwrap();
        let (code, _, errors) = run(&["--config", file, "--check"]);
        assert_eq!(code, 2, "{text}");
        // What the check refuses does not start either.
        assert_eq!(run(&["--config", file, "--listen", "127.0.0.1:0"]).0, 2, "{text}");
        errors.replace(&format!("oauth2d: {file}"), "")
    };
    for off in ["", "testing = no\n"] {
        let line = 2 + off.lines().count();
        for (server, client, place, key) in [
            ("issuer = request", "", 0, "issuer = request"),
            ("log = off", "auto_approve = ann", 3, "auto_approve"),
            ("log = off", "faults = close", 3, "faults"),
        ] {
            let text = format!(
                "[server]\n{off}{server}\n[client c]\nsecret = s\n{client}\n[user ann]\npassword = p\n"
            );
            let what = format!(":{}: {key} needs testing = yes in [server]\n", line + place);
            assert_eq!(checked(&text), what);
        }
    }
}

#[test]
fn a_mistake_in_the_bench_is_told_with_what_would_be_right() {
    let folder = Folder::new();
    for (keys, line, what) in [
        ("auto_approve = anne", 6, "auto_approve is not a [user] of this file; did you mean ann?"),
        ("auto_approve = c", 6, "auto_approve is not a [user] of this file"),
        ("faults =", 6, "faults is empty; write one or leave it out"),
        (
            "faults = ok invalid_grants",
            6,
            "unknown fault \"invalid_grants\"; did you mean invalid_grant?",
        ),
        (
            "faults = status:399",
            6,
            "a fault's number must be a whole number from 400 to 599; did you mean 400?",
        ),
        (
            "faults = delay:26",
            6,
            "a fault's number must be a whole number from 0 to 25; did you mean 25?",
        ),
    ] {
        let text = format!(
            "[server]\ntesting = yes\n\n[client c]\nsecret = s\n{keys}\n[user ann]\npassword = p\n"
        );
        let file = folder.write("oauth2d.conf", text);
        let (code, _, errors) = run(&["--config", file.to_str().unwrap(), "--check"]);
        let expected = format!("oauth2d: {}:{line}: {what}\n", file.display());
        assert_eq!((code, errors), (2, expected), "{keys}");
    }
}

#[test]
fn every_start_and_check_warns_of_what_it_allows() {
    let server = faulty("ok");
    let file = server.folder.path().join("oauth2d.conf");
    let warning = format!(
        "oauth2d: {}:2: warning: testing = yes is for tests alone: auto_approve gives codes and \
         tokens without a password, faults breaks answers on purpose, and issuer = request \
         believes every Host",
        file.display()
    );
    server.log_line(|line| line.ends_with(warning.trim_start_matches("oauth2d: ")));
    let (code, out, errors) = run(&["--config", file.to_str().unwrap(), "--check"]);
    let told: Vec<&str> = errors.lines().filter(|line| line.contains("testing")).collect();
    assert_eq!((code, told), (0, vec![warning.as_str()]));
    assert_eq!(out, format!("{}: ok: 3 clients, 2 users, 0 resources\n", file.display()));
}

#[test]
fn the_issuer_is_what_the_request_asks() {
    let server = bench("issuer = request", "auto_approve = ann", "");
    let ask = |host: &str, target: &str, field: &str| {
        let mut connection = server.connect();
        connection.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{field}\r\n\r\n"));
        connection.answer()
    };
    for host in ["oauth:3000", "localhost:8080", "[::1]:80", "Auth.Example"] {
        let metadata = ask(host, "/.well-known/oauth-authorization-server", "X: y").json();
        assert_eq!(metadata["issuer"], format!("http://{host}"));
        assert_eq!(metadata["token_endpoint"], format!("http://{host}/oauth/token"));
        let resource = ask(host, "/.well-known/oauth-protected-resource", "X: y");
        assert_eq!(resource.member("resource"), format!("http://{host}"));
        let challenge = ask(host, "/", "X: y").field("WWW-Authenticate").unwrap().to_owned();
        assert!(
            challenge.contains(&format!("\"http://{host}/.well-known/oauth-protected-resource\""))
        );
        let sent = ask(host, &format!("{REQUEST}=app"), "X: y");
        let iss = sent.location_parameter("iss").unwrap();
        assert_eq!(
            iss.replace("%3A", ":").replace("%2F", "/").replace("%5B", "[").replace("%5D", "]"),
            format!("http://{host}")
        );
    }
    // This connection does not come from a trusted proxy.
    let field = "X-Forwarded-Proto: https";
    let metadata = ask("h", "/.well-known/oauth-authorization-server", field);
    assert_eq!(metadata.member("issuer"), "http://h");
}

#[test]
fn a_trusted_proxy_says_that_it_was_asked_by_https() {
    let server = bench("issuer = request\ntrusted_proxies = 127.0.0.1", "", "");
    let issuer = |field: &str| {
        server.get("/.well-known/oauth-authorization-server", &[field]).member("issuer")
    };
    assert_eq!(issuer("X-Forwarded-Proto: HTTPS"), "https://localhost");
    assert_eq!(issuer("X-Forwarded-Proto: http"), "http://localhost");
    assert_eq!(issuer("X-Forwarded-Host: elsewhere"), "http://localhost");
    // Without a host it is the first place where it listens.
    let mut connection = server.connect();
    connection.send("GET /.well-known/oauth-authorization-server HTTP/1.0\r\n\r\n");
    assert_eq!(connection.answer().member("issuer"), server.issuer());
}

#[test]
fn a_device_and_introspection_hear_the_requested_issuer() {
    let server = bench("issuer = request", "auto_approve = ann", "");
    let started = server.post("/oauth/device_authorization", &[APP], "");
    assert_eq!(started.member("verification_uri"), "http://localhost/oauth/device");
    let token = password(&server).member("access_token");
    let told = server.post("/oauth/introspect", &[APP], &format!("token={token}"));
    assert_eq!(told.member("iss"), "http://localhost");
}

#[test]
fn a_wildcard_address_needs_no_other_issuer() {
    let text = format!("[server]\ntesting = yes\nissuer = request\nlisten = 0.0.0.0:0\n{CLIENTS}");
    let server = Server::configured(&text);
    let metadata = server.get("/.well-known/oauth-authorization-server", &[]);
    assert_eq!(metadata.member("issuer"), "http://localhost");
}

#[test]
fn the_requested_issuer_is_a_resource_as_the_issuer_is() {
    let server = bench("issuer = request\n[resource https://api.example.com/mcp]", "", "");
    let token = |resource: &str| server.token(APP, &format!("{ANN}&resource={resource}"));
    assert_eq!(token("https%3A%2F%2Felsewhere").error(), (400, "invalid_target".into()));
    let own = token("http%3A%2F%2Flocalhost%2F").member("access_token");
    assert!(server.is_live(&own));
    let told = server.post("/oauth/introspect", &[APP], &format!("token={own}"));
    assert_eq!(told.json()["aud"], json!(["http://localhost"]));
    let other = token("https%3A%2F%2Fapi.example.com%2Fmcp").member("access_token");
    assert_eq!(server.bearer(&other).error(), (401, "invalid_token".into()));
    // Without a `[resource]` the parameter is ignored, and so it is with faults.
    let server = faulty("ok");
    assert_eq!(server.token(APP, &format!("{ANN}&resource=a&resource=b")).status, 200);
}

#[test]
fn who_a_service_does_not_list_is_not_approved() {
    let service = "[resource https://api.example.com/mcp]\nusers = bob";
    let server = bench(service, "auto_approve = ann", "");
    let resource = "resource=https%3A%2F%2Fapi.example.com%2Fmcp";
    let answer = server.get(&format!("{REQUEST}=app&{resource}"), &[]);
    assert_eq!(answer.location_parameter("error").as_deref(), Some("access_denied"));
    let started = server.post("/oauth/device_authorization", &[APP], resource);
    assert_eq!(poll(&server, &started).error(), (400, "access_denied".into()));
}

#[test]
fn auto_approve_answers_as_if_the_user_had_allowed() {
    let server = bench("", "auto_approve = ann", "auto_approve = bob");
    let answer = server.get(&format!("{REQUEST}=app&scope=write+read"), &[]);
    let code = answer.location_parameter("code").unwrap();
    let iss = server.issuer().replace(':', "%3A").replace('/', "%2F");
    assert_eq!(
        answer.whole(),
        format!(
            "303\nCache-Control: no-store\nPragma: no-cache\nReferrer-Policy: no-referrer\nLocation: \
             https://app.example.com/cb?code={code}&state=xyz&iss={iss}\nContent-Length: 0\n\n"
        )
    );
    let line = server.log_line(|line| line.contains(" GET /oauth/authorize 303 "));
    assert!(line.ends_with(" client=app user=ann"), "{line}");
    let form = format!("grant_type=authorization_code&code={code}");
    let given = server.token(APP, &form);
    assert_eq!((given.status, given.member("scope")), (200, "write read".into()));
    // Only for its own client, once, and with what the user may grant: as usual.
    assert_eq!(server.token(APP, &form).error(), (400, "invalid_grant".into()));
    let target = format!("{REQUEST}=public&scope=read+write&{CHALLENGE}");
    let code = server.get(&target, &[]).location_parameter("code").unwrap();
    let form = format!(
        "client_id=public&grant_type=authorization_code&code={code}&code_verifier={VERIFIER}"
    );
    let given = server.post("/oauth/token", &[], &form);
    assert_eq!(given.member("scope"), "read");
    // A request may be a POST, even from another site.
    let form = "response_type=code&client_id=app";
    let posted = server.post("/oauth/authorize", &["Sec-Fetch-Site: cross-site"], form);
    assert!(posted.status == 303 && posted.location_parameter("code").is_some());
    // A client without `auto_approve` gets the page as usual.
    let page = server.get(&format!("{REQUEST}=strict"), &[]);
    assert!(page.status == 200 && page.body.contains("name=\"password\""));
}

#[test]
fn auto_approve_is_as_strict_as_ever() {
    let server = bench("", "auto_approve = ann", "auto_approve = ann");
    for target in [
        "=app&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcb2",
        "=app&redirect_uri=https%3A%2F%2Fevil.example.com%2Fcb",
        "=app&client_id=app",
        "=nobody",
    ] {
        let answer = server.get(&format!("{REQUEST}{target}"), &[]);
        assert_eq!((answer.status, answer.field("Location")), (400, None), "{target}");
    }
    for (target, error) in [
        ("=app&scope=read+admin", "invalid_scope"),
        ("=public", "invalid_request"),
        ("=public&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "invalid_request"),
        ("=app&scope=read&scope=read", "invalid_request"),
        ("=app&response_mode=fragment", "invalid_request"),
    ] {
        let answer = server.get(&format!("{REQUEST}{target}"), &[]);
        assert_eq!(answer.status, 303);
        assert_eq!(answer.location_parameter("error").as_deref(), Some(error), "{target}");
        assert_eq!(answer.location_parameter("code"), None);
    }
    let code = |query: &str| {
        let answer = server.get(&format!("{REQUEST}={query}"), &[]);
        answer.location_parameter("code").unwrap()
    };
    let exchange = |fields: &[&str], form: String| {
        server
            .post("/oauth/token", fields, &format!("grant_type=authorization_code&{form}"))
            .error()
    };
    let public = || code(&format!("public&{CHALLENGE}"));
    let bad = (400, "invalid_grant".into());
    assert_eq!(exchange(&[], format!("client_id=public&code={}", public())), bad);
    let other = VERIFIER.replace('d', "e");
    let form = format!("client_id=public&code={}&code_verifier={other}", public());
    assert_eq!(exchange(&[], form), bad);
    assert_eq!(exchange(&[OTHER], format!("code={}", code("app"))).0, 401);
    let wrong = format!("client_id=app&client_secret=wrong&code={}", code("app"));
    assert_eq!(exchange(&[], wrong), (401, "invalid_client".into()));
    // Passwords stay as strict as ever.
    let form = "grant_type=password&username=ann&password=wrong";
    assert_eq!(server.token(APP, form).error(), bad);
}

#[test]
fn what_the_user_may_not_give_goes_back_as_an_error() {
    let server = bench("", "auto_approve = bob", "");
    let answer = server.get(&format!("{REQUEST}=app&scope=write"), &[]);
    assert_eq!(answer.location_parameter("error").as_deref(), Some("invalid_scope"));
    let started = server.post("/oauth/device_authorization", &[APP], "scope=write");
    assert_eq!(poll(&server, &started).error(), (400, "access_denied".into()));
}

fn poll(server: &Server, started: &Answer) -> Answer {
    let code = started.member("device_code");
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code";
    server.token(APP, &format!("{grant}&device_code={code}"))
}

#[test]
fn a_device_is_allowed_as_soon_as_it_starts() {
    let server = bench("", "auto_approve = ann", "");
    let started = server.post("/oauth/device_authorization", &[APP], "scope=write");
    assert_eq!((started.status, started.json()["interval"].clone()), (200, json!(5)));
    let given = poll(&server, &started);
    assert_eq!((given.status, given.member("scope")), (200, "write".into()));
    assert_eq!(poll(&server, &started).error(), (400, "invalid_grant".into()));
    let wide = server.post("/oauth/device_authorization", &[APP], "scope=admin");
    assert_eq!(wide.error(), (400, "invalid_scope".into()));
    let strict = "Authorization: Basic c3RyaWN0OnNlY3JldA==";
    let waits = server.post("/oauth/device_authorization", &[strict], "");
    let form = format!(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code={}",
        waits.member("device_code")
    );
    assert_eq!(server.token(strict, &form).error(), (400, "authorization_pending".into()));
}
