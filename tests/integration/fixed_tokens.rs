//! `[token NAME]`: access tokens in the configuration, and `--new-token`.

use std::process::Command;

use crate::configuration::check;
use crate::support::*;

const TOKEN: &str = "0123456789abcdef0123456789abcdef01234567";

/// The SHA-256 of [`TOKEN`], as the file has it.
fn hash() -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(TOKEN);
    digest.iter().fold(String::from("sha256$"), |hex, byte| hex + &format!("{byte:02x}"))
}

fn section(lines: &str) -> String {
    format!("[token backup]\ntoken_hash = {}\n{lines}\n", hash())
}

fn server(lines: &str) -> Server {
    Server::configured(&format!("[server]\n{CLIENTS}{}", section(lines)))
}

fn bearer() -> String {
    format!("Authorization: Bearer {TOKEN}")
}

fn introspected(server: &Server) -> String {
    server.post("/oauth/introspect", &[APP], &format!("token={TOKEN}")).body
}

#[test]
fn it_opens_what_an_access_token_opens() {
    let server = server("client = app\nuser = ann\nscopes = read write\nexpires = 9999-12-31");
    assert_eq!(server.get("/", &[&bearer()]).status, 200);
    let answer = server.get("/oauth/authenticate?scope=write&user=ann", &[&bearer()]);
    assert_eq!(answer.field("X-Auth-Scope"), Some("read write"));
    assert_eq!(server.get("/oauth/authenticate?scope=admin", &[&bearer()]).status, 403);
    assert_eq!(
        introspected(&server),
        format!(
            "{{\"active\":true,\"scope\":\"read write\",\"client_id\":\"app\",\"username\":\"ann\",\
             \"token_type\":\"bearer\",\"exp\":253402300800,\"sub\":\"ann\",\"iss\":\"{}\"}}",
            server.issuer()
        )
    );
}

#[test]
fn without_a_user_and_a_day_it_is_its_clients_for_ever() {
    let server = server("client = app");
    assert_eq!(
        introspected(&server),
        format!(
            "{{\"active\":true,\"client_id\":\"app\",\"token_type\":\"bearer\",\"sub\":\"app\",\
             \"iss\":\"{}\"}}",
            server.issuer()
        )
    );
}

#[test]
fn its_client_cannot_revoke_it_and_no_other_may() {
    let server = server("client = app");
    let revoke = |who: &str| server.post("/oauth/revoke", &[who], &format!("token={TOKEN}"));
    let answer = revoke(APP);
    assert_eq!(
        answer.body,
        "{\"error\":\"unsupported_token_type\",\"error_description\":\"the token is part of \
         the server's configuration and ends when it is removed there\"}"
    );
    assert_eq!(answer.status, 400);
    assert_eq!(revoke(OTHER).error(), (400, "unauthorized_client".into()));
    assert_eq!(server.get("/", &[&bearer()]).status, 200);
}

#[test]
fn it_ends_with_its_day_and_when_it_leaves_the_file() {
    let expired = server("client = app\nexpires = 2020-02-29");
    assert_eq!(expired.get("/", &[&bearer()]).status, 401);
    assert_eq!(introspected(&expired), "{\"active\":false}");
    let server = server("client = app");
    assert_eq!(server.get("/", &[&bearer()]).status, 200);
    let file = server.folder.path().join("oauth2d.conf");
    std::fs::write(file, format!("[server]\n{CLIENTS}")).unwrap();
    server.signal("HUP");
    server.notice(|what| what.ends_with("read again"));
    assert_eq!(server.get("/", &[&bearer()]).status, 401);
}

#[test]
fn it_can_be_for_one_service() {
    let resource = "[resource https://api.example.com]\n";
    let lines = format!("client = app\nresource = HTTPS://API.example.com/\n{resource}");
    let server = server(&lines);
    assert_eq!(server.get("/", &[&bearer()]).status, 401);
    let asked = "/oauth/authenticate?resource=https%3A%2F%2Fapi.example.com";
    assert_eq!(server.get(asked, &[&bearer()]).status, 200);
    assert!(introspected(&server).contains("\"aud\":[\"https://api.example.com\"]"));
}

#[test]
fn a_new_token_comes_with_its_line() {
    let (code, out, err) = run(&["--new-token"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let (token, line) = out.trim_end().split_once('\n').unwrap();
    assert!(token.len() == 40 && token.bytes().all(|b| b.is_ascii_hexdigit()), "{token}");
    let text = format!("[server]\n{CLIENTS}[token t]\n{line}\nclient = app\n");
    let server = Server::configured(&text);
    assert_eq!(server.get("/", &[&format!("Authorization: Bearer {token}")]).status, 200);
}

#[test]
fn what_is_wrong_with_one_is_told_with_its_line() {
    let clients = "[client c]\nsecret_env = PATH\nscopes = a\ndefault_scopes = a\n\
                   [user u]\npassword_env = PATH\nscopes = b\n";
    let hash = hash();
    let ok = format!("token_hash = {hash}\nclient = c\n");
    for (lines, line, what) in [
        ("client = c\n".into(), 8, "the token has no token_hash; oauth2d --new-token makes one"),
        (
            format!("token_hash = {hash}\n"),
            8,
            "the token has no client; name the client that it belongs to",
        ),
        (
            "token_hash = sha256$00\nclient = c\n".into(),
            9,
            "token_hash must be sha256$HEX; oauth2d --new-token makes one",
        ),
        (
            format!("{ok}[token other]\n{ok}"),
            12,
            "another [token] has this token_hash; give each its own",
        ),
        (
            format!("token_hash = {hash}\nclient = cc\n"),
            10,
            "client is not a [client] of this file; did you mean c?",
        ),
        (format!("{ok}user = nobody\n"), 11, "user is not a [user] of this file"),
        (
            format!("{ok}scopes = a b\n"),
            11,
            "scopes has one that the token's client may not have; leave it out",
        ),
        (
            format!("{ok}user = u\nscopes = a\n"),
            12,
            "scopes has one that the token's user may not have; leave it out",
        ),
        (format!("{ok}resource = https://x\n"), 11, "resource is not a [resource] of this file"),
        (
            format!("{ok}expires = 2027-02-29\n"),
            11,
            "expires must be a day that exists, such as 2027-06-30",
        ),
    ] {
        let told = format!("oauth2d: FILE:{line}: {what}\n");
        assert_eq!(check(&format!("{clients}[token t]\n{lines}")), (2, String::new(), told));
    }
}

#[test]
fn one_that_has_expired_or_soon_will_is_warned_of() {
    let day = |days: u64| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let date = Command::new("date")
            .args(["-u", "+%Y-%m-%d", "-d", &format!("@{}", now.as_secs() + days * 86_400)])
            .output()
            .unwrap();
        String::from_utf8(date.stdout).unwrap().trim().to_owned()
    };
    let told = |day: &str| {
        let text = format!("[client c]\n{}", section(&format!("client = c\nexpires = {day}")));
        check(&text).2
    };
    let warned = |what: &str| format!("oauth2d: FILE:5: warning: {what}\n");
    assert_eq!(
        told("2020-01-01"),
        warned("the token has expired; give it a later day or remove it")
    );
    assert!(told(&day(5)).contains("FILE:5: warning: the token expires within "));
    assert_eq!(told(&day(20)), "");
}
