//! Operating it: hashed secrets, the log, reload, health, metrics.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::support::*;

const RIGHT: &str = "grant_type=password&username=ann&password=password";

/// A log line without its time and duration.
fn settled(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    assert!(words[0].len() == 24 && words[0].ends_with('Z'), "{line}");
    assert!(words[5].ends_with("ms"), "{line}");
    [&words[1..5], &words[6..]].concat().join(" ")
}

#[test]
fn every_request_is_one_line_with_its_reason() {
    let server = Server::with("trusted_proxies = 127.0.0.1");
    let first = server.token(APP, RIGHT);
    let refresh =
        format!("grant_type=refresh_token&refresh_token={}", first.member("refresh_token"));
    server.token(APP, &refresh);
    server.token(APP, &refresh);
    server.token("Authorization: Basic bm9ib2R5Og==", RIGHT);
    server.get("/nothing?secret=hunter2", &["X-Forwarded-For: 192.0.2.1"]);
    let mut connection = server.connect();
    connection.send("nonsense\r\n\r\n");
    connection.answer();
    server.log_line(|line| line.contains("request line"));
    let log = server.log();
    let lines: Vec<String> =
        log.lines().filter(|line| notice_of(line).is_none()).map(settled).collect();
    assert_eq!(
        lines,
        [
            "127.0.0.1 POST /oauth/token 200 client=app user=ann",
            "127.0.0.1 POST /oauth/token 200 client=app user=ann",
            "127.0.0.1 POST /oauth/token 400 client=app error=invalid_grant reason=\"refresh token reused: 2 tokens revoked (RFC 9700, section 4.14.2)\"",
            "127.0.0.1 POST /oauth/token 401 error=invalid_client reason=\"there is no such client (RFC 6749, section 5.2)\"",
            "192.0.2.1 GET /nothing 404 error=not_found reason=\"there is nothing at this path (RFC 9110, section 15.5.5)\"",
            "127.0.0.1 - - 400 error=bad_request reason=\"the request line is malformed (RFC 9112, section 3)\"",
        ]
    );
    for secret in
        ["hunter2", &first.member("access_token"), &first.member("refresh_token"), "password="]
    {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[test]
fn nothing_forges_a_log_line() {
    let server = Server::configured("[client a\"b = c]\nsecret = s\ngrants = client_credentials\n");
    server.post(
        "/oauth/token",
        &[],
        "grant_type=client_credentials&client_id=a%22b+%3D+c&client_secret=s",
    );
    let line = server.log_line(|line| line.contains("/oauth/token"));
    assert!(line.ends_with("ms client=\"a\\\"b = c\""), "{line}");
    server.post(
        "/oauth/token",
        &[],
        "client_id=x%0A2026-01-01T00:00:00.000Z+1.1.1.1+GET+/+200&client_secret=y",
    );
    let line = server.log_line(|line| line.contains(" 401 "));
    assert!(!line.contains("1.1.1.1"));
}

#[test]
fn json_lines_and_no_lines() {
    let server = Server::with("log = json");
    server.token(APP, "grant_type=password&username=ann&password=wrong");
    let line = server.log_line(|line| line.contains("\"method\""));
    let json: serde_json::Value = serde_json::from_str(&line).unwrap();
    for (name, value) in [
        ("address", "127.0.0.1"),
        ("method", "POST"),
        ("path", "/oauth/token"),
        ("client", "app"),
        ("user", "ann"),
        ("reason", "the password is wrong (RFC 6749, section 5.2)"),
    ] {
        assert_eq!(json[name], value);
    }
    assert_eq!(json["status"], 400);
    let mut server = Server::with("log = off");
    server.token(APP, RIGHT);
    server.signal("TERM");
    server.end();
    assert!(server.log().lines().all(|line| notice_of(line).is_some()));
}

/// The line of the next refused request, from its status on.
fn refusal(server: &Server, ask: impl Fn()) -> String {
    let before = server.log().len();
    ask();
    let is_told = |log: &str| log[before..].lines().any(|line| line.contains(" error="));
    eventually(|| is_told(&server.log()), "nothing is told");
    let log = server.log();
    let line = log[before..].lines().find(|line| line.contains(" error=")).unwrap();
    settled(line).split(' ').skip(3).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_refusal_names_its_error_its_client_and_what_would_be_right() {
    let server = Server::with("allowed_origins = https://app.example.com");
    let other = "Origin: https://other.example.com";
    let ok = server.token(APP, RIGHT).member("access_token");
    let bearer = format!("Authorization: Bearer {ok}");
    for (ask, told) in [
        (
            &(|| drop(server.get("/", &[]))) as &dyn Fn(),
            "401 error=unauthorized reason=\"this needs a bearer token (RFC 6750, section 3)\"",
        ),
        (
            &|| drop(server.get("/oauth/token", &[])),
            "405 error=method_not_allowed reason=\"this path supports POST (RFC 9110, section 15.5.6)\"",
        ),
        (
            &|| drop(server.get("/", &[&bearer, other])),
            "200 client=app user=ann error=origin_not_allowed reason=\"the origin is not in \
             allowed_origins (Fetch, CORS protocol)\"",
        ),
        (
            &|| drop(server.post("/oauth/token", &[], "client_id=app&client_secret=x")),
            "401 client=app error=invalid_client reason=\"the client secret is wrong (RFC 6749, \
             section 5.2)\"",
        ),
        (
            &|| drop(server.get("/oauth/authenticate?scope=write", &[&bearer])),
            "403 client=app user=ann error=insufficient_scope reason=\"the token lacks a scope; \
             it needs write (RFC 6750, section 3.1)\"",
        ),
        (
            &|| {
                let uri = "https%3A%2F%2Fevil.example.com%2Fcb%3Fsecret%3Dhunter2";
                drop(server.get(&format!("/oauth/authorize?client_id=app&redirect_uri={uri}"), &[]))
            },
            "400 client=app error=invalid_request reason=\"redirect_uri \
             https://evil.example.com/cb is not registered; the client registered https://app.example.com/cb \
             (RFC 6749, section 4.1.2.1)\"",
        ),
    ] {
        assert_eq!(refusal(&server, ask), told);
    }
}

#[test]
fn a_page_of_the_servers_own_is_no_other_origin() {
    let server = Server::with("");
    let ok = server.token(APP, RIGHT).member("access_token");
    let (place, origin) = (server.addresses[0], server.issuer());
    let mut connection = server.connect();
    connection.send(format!(
        "GET / HTTP/1.1\r\nHost: {place}\r\nOrigin: {origin}\r\nAuthorization: Bearer {ok}\r\n\r\n"
    ));
    assert_eq!(connection.answer().status, 200);
    let line = server.log_line(|line| line.contains(" GET / 200 "));
    assert!(line.ends_with(" client=app user=ann"), "{line}");
}

/// What is said at the start and at the end.
fn notices(mut server: Server) -> Vec<String> {
    server.signal("INT");
    assert_eq!(server.end().code(), Some(0));
    server.log_line(|line| line.ends_with("stopped by SIGINT"));
    let log = server.log();
    log.lines().filter_map(notice_of).map(String::from).collect()
}

#[test]
fn a_start_and_a_stop_say_what_there_is() {
    let server = Server::configured("[server]\nstate_file = s\n[client c]\n");
    let issuer = format!("issuer {}", server.issuer());
    let state = server.folder.path().join("s").display().to_string();
    let told = notices(server);
    assert!(told[0].starts_with(&format!("{state}: read 0 access and 0 refresh tokens in ")));
    let kept = format!("the state is kept in {state}");
    let size = "1 clients, 0 users, 0 resources, 0 tokens";
    let version = concat!("version ", env!("CARGO_PKG_VERSION"));
    assert_eq!(told[1..], [version, &issuer, size, &kept, "stopped by SIGINT"]);
}

#[test]
fn the_demo_names_its_clients_and_its_user() {
    let server = Server::demo();
    let issuer = format!("issuer {}", server.issuer());
    let tour = format!("a tour of every grant: {}/tour", server.issuer());
    assert_eq!(
        notices(server),
        [
            concat!("version ", env!("CARGO_PKG_VERSION")),
            &issuer,
            "3 clients, 1 users, 0 resources, 0 tokens",
            "the state is kept in memory alone, and ends with the process",
            "demo data: clients application (secret), confidentialApplication (topSecret) and \
             publicApplication (no secret), user pedroetb (password)",
            &tour,
            "stopped by SIGINT",
        ]
    );
}

#[test]
fn a_json_log_is_json_throughout() {
    let mut server = Server::with("log = json");
    server.token(APP, RIGHT);
    server.signal("HUP");
    server.log_line(|line| line.contains("read again"));
    server.signal("TERM");
    server.end();
    server.log_line(|line| line.contains("stopped by SIGTERM"));
    for line in server.log().lines() {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        let is_notice = json["level"] == "notice" || json["level"] == "warning";
        assert!(json["time"].is_string() && is_notice == json["message"].is_string(), "{line}");
    }
}

#[test]
fn a_full_or_closed_standard_error_holds_nobody_up() {
    for redirect in ["2>&-", "2>/dev/full"] {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec \"$0\" \"$@\" {redirect}"), PROGRAM]);
        let server = Server::configured_by(&mut shell, &format!("[server]\n{CLIENTS}"));
        for _ in 0..50 {
            assert_eq!(server.token(APP, RIGHT).status, 200);
        }
    }
}

#[test]
fn hashes_stand_in_for_secrets() {
    let (code, line, err) = run_with_input(&["--hash"], "pa$$ wörd\n");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(line.starts_with("password_hash = pbkdf2-sha256$600000$"), "{line}");
    let (code, fresh, _) = run(&["--new-secret"]);
    let (secret, secret_line) = fresh.split_once('\n').unwrap();
    assert_eq!((code, secret.len()), (0, 40));
    assert!(secret_line.starts_with("secret_hash = sha256$"), "{secret_line}");
    assert_eq!(run_with_input(&["--hash"], "\n").0, 2);
    let text = format!(
        "[client c]\n{secret_line}\ngrants = password client_credentials\n[user u]\n{line}"
    );
    let server = Server::configured(&text);
    let client = format!("client_id=c&client_secret={secret}");
    assert_eq!(
        server.post("/oauth/token", &[], &format!("grant_type=client_credentials&{client}")).status,
        200
    );
    for (password, status) in [("pa%24%24+w%C3%B6rd", 200), ("pa%24%24", 400)] {
        let form = format!("grant_type=password&{client}&username=u&password={password}");
        assert_eq!(server.post("/oauth/token", &[], &form).status, status);
    }
}

#[test]
fn the_hash_is_the_one_of_pythons_hashlib() {
    let (_, line, _) = run_with_input(&["--hash"], "correct horse");
    let hash = line.trim().strip_prefix("password_hash = ").unwrap();
    let program = "import sys,base64,hashlib\n_,n,s,h=sys.argv[1].split('$')\n\
                   k=hashlib.pbkdf2_hmac('sha256',b'correct horse',base64.b64decode(s),int(n))\n\
                   print(base64.b64encode(k).decode()==h)";
    // Without Python there is nothing to compare with here; another test compares with the crate.
    if let Ok(output) = Command::new("python3").args(["-c", program, hash]).output() {
        assert_eq!(String::from_utf8_lossy(&output.stdout), "True\n");
    }
}

#[test]
fn secrets_come_from_the_environment_and_open_files_are_warned_of() {
    let mut command = Command::new(PROGRAM);
    command.env("OAUTH2D_TEST_SECRET", "from outside");
    let text = "[client c]\nsecret_env = OAUTH2D_TEST_SECRET\ngrants = client_credentials\n[client d]\nsecret = s\n";
    let server = Server::configured_by(&mut command, text);
    let form = "grant_type=client_credentials&client_id=c&client_secret=from+outside";
    assert_eq!(server.post("/oauth/token", &[], form).status, 200);
    server.log_line(|line| {
        line.contains(":5: warning: every user of this machine can read secret; ")
    });
}

#[test]
fn a_reload_is_whole_or_nothing_and_tokens_live_on() {
    let server = Server::clients();
    let file = server.folder.path().join("oauth2d.conf");
    let of_app = server.access_token("read");
    let other = server.token(OTHER, RIGHT);
    let bob = server.token(APP, &RIGHT.replace("ann", "bob")).member("access_token");
    std::fs::write(&file, "[server]\nnonsense\n").unwrap();
    server.signal("HUP");
    let line = server.log_line(|line| line.contains("stays as it was"));
    assert!(line.contains("oauth2d.conf:2: "), "{line}");
    assert!(server.is_live(&of_app));

    let text = "[server]\nlisten = 127.0.0.1:1\n[client app]\nsecret = secret\ngrants = password\n[user ann]\npassword = new\n";
    std::fs::write(&file, text).unwrap();
    server.signal("HUP");
    server.log_line(|line| line.ends_with("read again"));
    assert!(server.is_live(&of_app));
    assert!(!server.is_live(&other.member("access_token")) && !server.is_live(&bob));
    assert_eq!(server.token(APP, RIGHT).status, 400);
    assert_eq!(server.token(APP, &RIGHT.replace("password=password", "password=new")).status, 200);
    assert_eq!(server.token(OTHER, RIGHT).status, 401);
}

#[test]
fn a_client_that_goes_while_its_request_is_in_hand_keeps_no_token() {
    let key = pbkdf2::pbkdf2_hmac_array::<sha2::Sha256, 32>(b"password", b"salt", 50_000);
    let hash = format!("password_hash = pbkdf2-sha256$50000$c2FsdA==${}\n", BASE64.encode(key));
    let client = "[client app]\nsecret = secret\ngrants = password\n";
    // On a busy machine the reload may come before the request, which is then refused and tried
    // again.
    for _ in 0..20 {
        let server = Server::configured(&format!("[user ann]\n{hash}{client}"));
        let mut slow = server.connect();
        let form = "Content-Type: application/x-www-form-urlencoded";
        slow.send(message("POST", "/oauth/token", &[APP, form], RIGHT));
        assert_eq!(server.get("/healthz", &[]).status, 200);
        let file = server.folder.path().join("oauth2d.conf");
        std::fs::write(file, format!("[user ann]\n{hash}[client b]\n")).unwrap();
        server.signal("HUP");
        server.log_line(|line| line.ends_with("read again"));
        let answer = slow.answer();
        if answer.status == 200 {
            let token = answer.member("access_token");
            return eventually(|| !server.is_live(&token), "the token lives on");
        }
        assert_eq!(answer.error(), (401, "invalid_client".into()));
    }
    panic!("the reload always came first");
}

#[test]
fn a_changed_listen_is_told_and_not_followed() {
    let server = Server::configured("[server]\nlisten = 127.0.0.1:0\nlog = off\n[client c]\n");
    let file = server.folder.path().join("oauth2d.conf");
    std::fs::write(file, "[server]\nlisten = 127.0.0.2:0\n[client c]\n").unwrap();
    server.signal("HUP");
    server.notice(|what| what == "listen has changed in the file; that needs a restart");
    assert!(server.connect().is_alive());
}

#[test]
fn no_request_fails_while_the_configuration_is_read_again() {
    let server = Server::with("log = off");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut connection = server.connect();
            let text = message(
                "POST",
                "/oauth/token",
                &[APP, "Content-Type: application/x-www-form-urlencoded"],
                RIGHT,
            );
            let mut answers = 0;
            while !over.load(Ordering::Relaxed) {
                connection.send(&text);
                assert_eq!(connection.answer().status, 200);
                answers += 1;
            }
            answers
        });
        for reload in 1..=10 {
            server.signal("HUP");
            let seen = || server.log().matches("read again").count() >= reload;
            eventually(seen, "it is read again");
        }
        over.store(true, Ordering::Relaxed);
        assert!(load.join().unwrap() > 0);
    });
}

#[test]
fn health_is_an_exit_code() {
    let server = Server::demo();
    let address = server.addresses[0].to_string();
    assert_eq!(run(&["--health", "--listen", &address]), (0, String::new(), String::new()));
    drop(server);
    let (code, out, err) = run(&["--health", "--listen", &address]);
    assert_eq!((code, out.as_str(), err.lines().count()), (1, "", 1));
}
