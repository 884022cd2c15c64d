//! Contract section 4: bearer tokens at `/` and `/oauth/authenticate`.

use crate::support::*;

fn challenge(server: &Server, more: &str) -> String {
    let issuer = server.issuer();
    format!(
        "Bearer realm=\"oauth2d\", resource_metadata=\"{issuer}/.well-known/oauth-protected-resource\"{more}"
    )
}

#[test]
fn a_refusal_has_its_status_and_challenge() {
    let server = Server::demo();
    for (fields, status, more) in [
        (&[][..], 401, ""),
        (&["Authorization: Basic x"], 401, ""),
        (&["Authorization: Bearer nonsense"], 401, ", error=\"invalid_token\""),
        (&["Authorization: Bearer"], 400, ", error=\"invalid_request\""),
        (&["Authorization: Bearer a b"], 400, ", error=\"invalid_request\""),
        (
            &["Authorization: Bearer a", "Authorization: Bearer a"],
            400,
            ", error=\"invalid_request\"",
        ),
    ] {
        let answer = server.get("/", fields);
        let expected = (status, Some(challenge(&server, more)));
        assert_eq!((answer.status, answer.field("WWW-Authenticate").map(String::from)), expected);
        assert!(answer.json()["error"].is_string());
        // A proxy never gets a 400.
        let asked = server.get("/oauth/authenticate", fields);
        assert_eq!(
            (asked.status, asked.field("WWW-Authenticate")),
            (401, answer.field("WWW-Authenticate"))
        );
    }
}

#[test]
fn the_query_carries_a_token_only_where_that_is_configured() {
    let server = Server::demo();
    let token = server.token(APPLICATION, PASSWORD_GRANT).member("access_token");
    assert_eq!(server.get(&format!("/?access_token={token}"), &[]).status, 401);

    let server = Server::with("bearer_in_query = yes");
    let token = server.access_token("read");
    let query = format!("/?access_token={token}");
    let answer = server.get(&query, &[]);
    assert_eq!((answer.status, answer.field("Cache-Control")), (200, Some("no-store")));
    assert_eq!(server.get(&query, &[&format!("Authorization: Bearer {token}")]).status, 400);
    assert_eq!(server.get(&format!("{query}&access_token={token}"), &[]).status, 400);
    assert_eq!(server.get("/?access_token=", &[]).status, 401);
    assert_eq!(server.get(&format!("/oauth/authenticate?access_token={token}"), &[]).status, 401);
    assert_eq!(
        server.get("/.well-known/oauth-protected-resource", &[]).json()["bearer_methods_supported"],
        serde_json::json!(["header", "query"])
    );
}

#[test]
fn a_proxy_is_told_who_it_is() {
    let server = Server::clients();
    let field = format!("authorization: bEARER {}", server.access_token("read+write"));
    assert_eq!(
        server.get("/oauth/authenticate?scope=write", &[&field]).whole(),
        "200\nCache-Control: no-store\nX-Auth-Client: app\nX-Auth-User: ann\nX-Auth-Scope: read write\n\
         Content-Length: 0\n\n"
    );
    let alone =
        server.token(APP, "grant_type=client_credentials&scope=admin").member("access_token");
    let answer = server.get("/oauth/authenticate", &[&format!("Authorization: Bearer {alone}")]);
    assert_eq!(answer.field("X-Auth-User"), Some(""));
    for method in ["OPTIONS", "HEAD", "DELETE", "PATCH", "TRACE", "BREW"] {
        assert_eq!(
            server.request(method, "/oauth/authenticate", &[&field], "").status,
            200,
            "{method}"
        );
        assert_eq!(server.request(method, "/oauth/authenticate", &[], "").status, 401, "{method}");
    }
}

#[test]
fn a_proxy_can_ask_for_scopes_clients_and_users() {
    let server = Server::clients();
    let field = format!("Authorization: Bearer {}", server.access_token("read+write"));
    let ask = |query: &str| server.get(&format!("/oauth/authenticate?{query}"), &[&field]);
    for query in [
        "scope=",
        "scope=read+write",
        "scope=admin&scope=read",
        "client=app",
        "client=x&client=app",
        "user=ann",
        "scope=read&client=app&user=bob&user=ann",
    ] {
        assert_eq!(ask(query).status, 200, "{query}");
    }
    for query in [
        "scope=read+admin",
        "client=other",
        "user=bob",
        "user=",
        "scope=%22",
        "scope=%zz",
        "user=ann&client=x",
    ] {
        assert_eq!(ask(query).error(), (403, "insufficient_scope".into()), "{query}");
    }
    let lacking = challenge(&server, ", error=\"insufficient_scope\", scope=\"read admin\"");
    assert_eq!(ask("scope=read+admin").field("WWW-Authenticate"), Some(lacking.as_str()));
}

#[test]
fn names_are_escaped_for_the_way_through_a_proxy() {
    let server = Server::configured(
        "[client a%b é]\nsecret = s\ngrants = password\n[user ü x]\npassword = p\n",
    );
    let form =
        "grant_type=password&client_id=a%25b+%C3%A9&client_secret=s&username=%C3%BC+x&password=p";
    let token = server.post("/oauth/token", &[], form).member("access_token");
    let answer = server.get("/oauth/authenticate", &[&format!("Authorization: Bearer {token}")]);
    assert_eq!(answer.field("X-Auth-Client"), Some("a%25b%20%C3%A9"));
    assert_eq!(answer.field("X-Auth-User"), Some("%C3%BC%20x"));
}

#[test]
fn the_proxys_question_is_answered_from_its_head_alone() {
    let server = Server::clients();
    let token = server.access_token("read");
    // However long the body would be: a proxy asks about uploads, too.
    for framing in
        ["Content-Length: 50", "Content-Length: 5000000000", "Transfer-Encoding: chunked"]
    {
        let mut connection = server.connect();
        connection.send(format!(
            "POST /oauth/authenticate HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n{framing}\r\n\r\n"
        ));
        let answer = connection.answer();
        assert_eq!((answer.status, answer.field("Connection")), (200, Some("close")), "{framing}");
    }
}

#[test]
fn an_expired_token_is_refused() {
    let server = Server::clients();
    let token = server
        .token(BRIEF, "grant_type=password&username=ann&password=password")
        .member("access_token");
    let began = std::time::Instant::now();
    while server.is_live(&token) {
        assert!(began.elapsed() < PATIENCE);
    }
    assert_eq!(server.bearer(&token).error(), (401, "invalid_token".into()));
}
