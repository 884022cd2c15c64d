//! Contract section 4: introspection and revocation.

use crate::support::*;

fn introspect(server: &Server, client: &str, token: &str) -> Answer {
    server.post("/oauth/introspect", &[client], &format!("token={token}&token_type_hint=nonsense"))
}

const INACTIVE: &str = "{\"active\":false}";
const HEAD: &str =
    "200\nCache-Control: no-store\nPragma: no-cache\nContent-Type: application/json\n";

#[test]
fn a_client_with_a_secret_learns_what_an_access_token_is() {
    let server = Server::clients();
    let token = server.access_token("read+write");
    // Even a client without grants may ask about another client's token.
    let answer = introspect(&server, API, &token);
    let json = answer.json();
    let (exp, iat) = (json["exp"].as_u64().unwrap(), json["iat"].as_u64().unwrap());
    assert_eq!(exp, iat + 3600);
    assert_eq!(
        answer.body,
        format!(
            "{{\"active\":true,\"scope\":\"read write\",\"client_id\":\"app\",\"username\":\"ann\",\
             \"token_type\":\"bearer\",\"exp\":{exp},\"iat\":{iat},\"sub\":\"ann\",\"iss\":\"{}\"}}",
            server.issuer()
        )
    );
    assert_eq!(answer.field("Cache-Control"), Some("no-store"));
    let alone = server.token(APP, "grant_type=client_credentials").member("access_token");
    let json = introspect(&server, APP, &alone).json();
    assert_eq!((json.get("username"), &json["sub"]), (None, &serde_json::json!("app")));
}

#[test]
fn a_refresh_token_is_known_to_its_own_client_alone_and_is_no_access_token() {
    let server = Server::clients();
    let token = server
        .token(APP, "grant_type=password&username=ann&password=password")
        .member("refresh_token");
    let json = introspect(&server, APP, &token).json();
    assert_eq!(
        (json.get("token_type"), &json["token_use"]),
        (None, &serde_json::json!("refresh_token"))
    );
    assert_eq!(json["exp"].as_u64().unwrap() - json["iat"].as_u64().unwrap(), 1_209_600);
    assert_eq!(introspect(&server, API, &token).body, INACTIVE);
    assert_eq!(server.bearer(&token).status, 401);
}

#[test]
fn everything_else_is_not_active_or_refused() {
    let server = Server::clients();
    let whole = format!("{HEAD}Content-Length: 16\n\n{INACTIVE}");
    assert_eq!(introspect(&server, APP, "nonsense").whole(), whole);
    // A digit makes it another token, which is nobody's.
    let token = server.access_token("read");
    for at in [0, 19, 39] {
        let mut other = token.clone();
        other.replace_range(at..=at, if token[at..].starts_with('0') { "1" } else { "0" });
        assert_eq!(introspect(&server, APP, &other).whole(), whole, "{at}");
        assert!(!server.is_live(&other), "{at}");
    }
    assert_eq!(
        server.post("/oauth/introspect", &[APP], "").error(),
        (400, "invalid_request".into())
    );
    assert_eq!(
        server.post("/oauth/introspect", &[], "token=x").error(),
        (401, "invalid_client".into())
    );
    let public = server.post("/oauth/introspect", &[], "token=x&client_id=public");
    assert_eq!(public.error(), (401, "invalid_client".into()));
    assert_eq!(public.field("WWW-Authenticate"), Some("Basic realm=\"oauth2d\""));
}

#[test]
fn a_wrong_hint_misleads_nobody() {
    let server = Server::clients();
    for (name, hint) in [
        ("access_token", "refresh_token"),
        ("refresh_token", "access_token"),
        ("refresh_token", "nonsense"),
    ] {
        let issued = server.token(APP, "grant_type=password&username=ann&password=password");
        let form = format!("token={}&token_type_hint={hint}", issued.member(name));
        let ask = || server.post("/oauth/introspect", &[APP], &form);
        assert_eq!(ask().json()["active"], true, "{name}");
        assert_eq!(server.post("/oauth/revoke", &[APP], &form).status, 200);
        assert_eq!(ask().body, INACTIVE, "{name}");
    }
}

#[test]
fn revocation_answers_200_and_ends_the_clients_own_tokens() {
    let server = Server::clients();
    let revoke = |client: &str, token: &str| {
        server.post("/oauth/revoke", &[client], &format!("token={token}"))
    };
    let issued = server.token(APP, "grant_type=password&username=ann&password=password");
    let (access, refresh) = (issued.member("access_token"), issued.member("refresh_token"));
    assert_eq!(revoke(OTHER, &access).error(), (400, "unauthorized_client".into()));
    assert_eq!(revoke(OTHER, &refresh).error(), (400, "unauthorized_client".into()));
    for nobody in ["", "&client_id=app", "&client_id=app&client_secret=wrong"] {
        let form = format!("token={access}{nobody}");
        let refused = server.post("/oauth/revoke", &[], &form);
        assert_eq!(refused.error(), (401, "invalid_client".into()), "{nobody}");
    }
    assert!(server.is_live(&access));
    let done = format!("{HEAD}Content-Length: 2\n\n{{}}");
    assert_eq!(revoke(APP, &refresh).whole(), done);
    assert!(!server.is_live(&access));
    let alone = server.access_token("read");
    assert_eq!(revoke(APP, &alone).whole(), done);
    assert!(!server.is_live(&alone));
    assert_eq!(introspect(&server, APP, &refresh).body, INACTIVE);
    for token in ["unknown", &access, &refresh] {
        assert_eq!(revoke(APP, token).whole(), done);
    }
    assert_eq!(
        server.post("/oauth/revoke", &[APP], "token=").error(),
        (400, "invalid_request".into())
    );
    assert_eq!(server.post("/oauth/revoke", &[], "token=x&client_id=public").status, 200);
}
