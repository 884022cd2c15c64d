//! Contract sections 2 and 4: what comes of one grant, and what a used token revokes.

use crate::support::*;

const GRANT: &str = "grant_type=password&username=ann&password=password&scope=read";

fn refresh(server: &Server, token: &str) -> Answer {
    server.token(APP, &format!("grant_type=refresh_token&refresh_token={token}"))
}

fn revoke(server: &Server, client: &str, token: &str) -> (u16, String) {
    let answer = server.post("/oauth/revoke", &[client], &format!("token={token}"));
    (answer.status, answer.body)
}

#[test]
fn refresh_tokens_of_a_family_begin_with_its_name() {
    let server = Server::clients();
    let first = server.token(APP, GRANT).member("refresh_token");
    let second = refresh(&server, &first).member("refresh_token");
    assert_eq!((first.len(), second.len(), &first[..24]), (64, 64, &second[..24]));
    assert_ne!(first[24..], second[24..]);
    let other = server.token(APP, GRANT).member("refresh_token");
    assert_ne!(first[..24], other[..24]);
    assert!(second.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
}

#[test]
fn a_public_clients_refresh_token_works_once_too() {
    let server = Server::clients();
    let ask = |form: &str| server.post("/oauth/token", &[], &format!("client_id=public&{form}"));
    let refresh = |token: &str| ask(&format!("grant_type=refresh_token&refresh_token={token}"));
    let stolen = ask(GRANT).member("refresh_token");
    let newest = refresh(&stolen);
    assert!(server.is_live(&newest.member("access_token")));
    assert_eq!(refresh(&stolen).error(), (400, "invalid_grant".into()));
    assert!(!server.is_live(&newest.member("access_token")));
    assert_eq!(refresh(&newest.member("refresh_token")).status, 400);
}

#[test]
fn a_used_refresh_token_is_known_after_any_number_of_rotations() {
    let server = Server::clients();
    let first = server.token(APP, GRANT);
    let stolen = first.member("refresh_token");
    let mut newest = first;
    for _ in 0..50 {
        newest = refresh(&server, &newest.member("refresh_token"));
    }
    assert!(server.is_live(&newest.member("access_token")));
    let answer = refresh(&server, &stolen);
    assert_eq!(answer.error(), (400, "invalid_grant".into()));
    assert_eq!(answer.member("error_description"), "refresh token reused: 2 tokens revoked");
    assert!(!server.is_live(&newest.member("access_token")));
    assert_eq!(refresh(&server, &newest.member("refresh_token")).status, 400);
}

#[test]
fn whoever_knows_a_familys_name_alone_ends_nothing_of_another_client() {
    let server = Server::clients();
    let first = server.token(APP, GRANT);
    let made_up = format!("{}{}", &first.member("refresh_token")[..24], "0".repeat(40));
    let form = format!("grant_type=refresh_token&refresh_token={made_up}");
    assert_eq!(server.token(OTHER, &form).error(), (400, "invalid_grant".into()));
    assert_eq!(revoke(&server, OTHER, &made_up).0, 400);
    assert!(server.is_live(&first.member("access_token")));
    assert_eq!(refresh(&server, &made_up).status, 400);
    assert!(!server.is_live(&first.member("access_token")));
}

#[test]
fn revoking_a_used_refresh_token_ends_its_family() {
    let server = Server::clients();
    let first = server.token(APP, GRANT).member("refresh_token");
    let second = refresh(&server, &first);
    assert_eq!(revoke(&server, APP, &first), (200, "{}".into()));
    assert!(!server.is_live(&second.member("access_token")));
    assert_eq!(refresh(&server, &second.member("refresh_token")).status, 400);
    assert_eq!(revoke(&server, APP, &first), (200, "{}".into()));
}

#[test]
fn who_left_the_configuration_and_came_back_starts_anew() {
    let server = Server::clients();
    let file = server.folder.path().join("oauth2d.conf");
    let whole = std::fs::read_to_string(&file).unwrap();
    let tokens = server.token(APP, GRANT);
    let token = tokens.member("access_token");
    let reload = |text: &str, nth: usize| {
        std::fs::write(&file, text).unwrap();
        server.signal("HUP");
        eventually(|| server.log().matches("read again").count() == nth, "it is read again");
    };
    reload(&whole.replace("[user ann]\npassword = password\n", ""), 1);
    assert!(!server.is_live(&token));
    assert_eq!(refresh(&server, &tokens.member("refresh_token")).status, 400);
    reload(&whole, 2);
    assert!(!server.is_live(&token));
    assert_eq!(refresh(&server, &tokens.member("refresh_token")).status, 400);
    assert!(server.is_live(&server.token(APP, GRANT).member("access_token")));
}

#[test]
fn a_scope_that_leaves_the_configuration_leaves_the_token_until_it_returns() {
    let server = Server::clients();
    let file = server.folder.path().join("oauth2d.conf");
    let whole = std::fs::read_to_string(&file).unwrap();
    let tokens = server.token(APP, &format!("{GRANT}+write"));
    let bearer = format!("Authorization: Bearer {}", tokens.member("access_token"));
    let scope = || {
        let answer = server.get("/oauth/authenticate", &[&bearer]);
        (answer.status, answer.field("X-Auth-Scope").unwrap().to_string())
    };
    assert_eq!(scope(), (200, "read write".into()));
    let narrow = whole.replace("scopes = read write admin", "scopes = read");
    for (text, nth, expected) in [(&narrow, 1, "read"), (&whole, 2, "read write")] {
        std::fs::write(&file, text).unwrap();
        server.signal("HUP");
        eventually(|| server.log().matches("read again").count() == nth, "it is read again");
        assert_eq!(scope(), (200, expected.into()));
    }
    // The refresh token has lost nothing either.
    assert_eq!(refresh(&server, &tokens.member("refresh_token")).member("scope"), "read write");
}
