//! Contract section 4: userinfo, and the keys of `[user]` that it shows.

use serde_json::json;

use crate::support::*;

const PEOPLE: &str = "
[client app]
secret = secret
grants = password client_credentials authorization_code device_code
scopes = read profile email groups
default_scopes = read
redirect_uris = https://app.example.com/cb

[user ann]
password = password
name = Ann \"the\" Example, née Ü
email = ann@example.com
groups = staff\tadmins  wheel

[user bob]
password = password
scopes = read profile
name = Bob
email = bob@example.com

[user eve]
password = password
";

fn server(more: &str) -> Server {
    Server::configured(&format!("[server]\n{more}\n{PEOPLE}"))
}

/// The `Authorization` field with a token of this user and scope.
fn bearer(server: &Server, user: &str, scope: &str) -> String {
    let form = format!("grant_type=password&username={user}&password=password&scope={scope}");
    format!("Authorization: Bearer {}", server.token(APP, &form).member("access_token"))
}

fn userinfo(server: &Server, user: &str, scope: &str) -> serde_json::Value {
    server.get("/oauth/userinfo", &[&bearer(server, user, scope)]).json()
}

#[test]
fn an_application_reads_who_has_signed_in() {
    let server = server("");
    let field = bearer(&server, "ann", "groups+email+profile");
    let whole = "200\nCache-Control: no-store\nPragma: no-cache\nContent-Type: application/json\n\
        Content-Length: 140\n\n\
        {\"sub\":\"ann\",\"preferred_username\":\"ann\",\"name\":\"Ann \\\"the\\\" Example, née Ü\",\
        \"email\":\"ann@example.com\",\"groups\":[\"staff\",\"admins\",\"wheel\"]}";
    assert_eq!(server.get("/oauth/userinfo", &[&field]).whole(), whole);
    // The body of a POST is not looked at, whatever it is.
    for (content_type, body) in [
        ("application/x-www-form-urlencoded", "access_token=a&access_token=b&%zz"),
        ("application/json", "{"),
        ("text/plain", ""),
    ] {
        let fields = [field.as_str(), &format!("Content-Type: {content_type}")];
        assert_eq!(server.request("POST", "/oauth/userinfo", &fields, body).whole(), whole);
    }
    assert_eq!(server.request("HEAD", "/oauth/userinfo", &[&field], "").status, 200);
    let line = server.log_line(|line| line.contains(" GET /oauth/userinfo "));
    assert!(line.ends_with(" client=app user=ann"), "{line}");
}

#[test]
fn each_scope_opens_its_part_where_the_file_has_it() {
    let server = server("");
    let id = json!({"sub": "ann", "preferred_username": "ann"});
    let with = |member: &str, value: serde_json::Value| {
        let mut whole = id.clone();
        whole[member] = value;
        whole
    };
    assert_eq!(userinfo(&server, "ann", "read"), id);
    assert_eq!(userinfo(&server, "ann", ""), id);
    assert_eq!(
        userinfo(&server, "ann", "profile"),
        with("name", "Ann \"the\" Example, née Ü".into())
    );
    assert_eq!(userinfo(&server, "ann", "email"), with("email", "ann@example.com".into()));
    assert_eq!(
        userinfo(&server, "ann", "groups"),
        with("groups", json!(["staff", "admins", "wheel"]))
    );
    assert_eq!(
        userinfo(&server, "eve", "profile+email+groups"),
        json!({"sub": "eve", "preferred_username": "eve"})
    );
    // What the user's own scopes exclude is not shown.
    assert_eq!(
        userinfo(&server, "bob", "profile+email"),
        json!({"sub": "bob", "preferred_username": "bob", "name": "Bob"})
    );
}

#[test]
fn what_changes_in_the_file_is_read_after_a_reload() {
    let server = server("");
    let field = bearer(&server, "ann", "profile+email");
    let text = format!("[server]\n{}", PEOPLE.replace("ann@example.com", "ann@example.org"));
    server.folder.write(
        "oauth2d.conf",
        text.replace("scopes = read profile email groups", "scopes = read email"),
    );
    server.signal("HUP");
    server.log_line(|line| line.contains("read again"));
    assert_eq!(
        server.get("/oauth/userinfo", &[&field]).json(),
        json!({"sub": "ann", "preferred_username": "ann", "email": "ann@example.org"})
    );
}

#[test]
fn a_token_without_a_user_lacks_what_it_takes() {
    let server = server("");
    let form = "grant_type=client_credentials&scope=profile";
    let token = server.token(APP, form).member("access_token");
    let answer = server.get("/oauth/userinfo", &[&format!("Authorization: Bearer {token}")]);
    assert_eq!(
        answer.whole(),
        format!(
            "403\nCache-Control: no-store\nPragma: no-cache\nContent-Type: application/json\n\
             WWW-Authenticate: Bearer realm=\"oauth2d\", \
             resource_metadata=\"{}/.well-known/oauth-protected-resource\", \
             error=\"insufficient_scope\"\nContent-Length: 104\n\n\
             {{\"error\":\"insufficient_scope\",\
             \"error_description\":\"the token has no user; its client got it for itself\"}}",
            server.issuer()
        )
    );
    let line = server.log_line(|line| line.contains(" /oauth/userinfo 403 "));
    assert!(
        line.contains(" client=app error=insufficient_scope reason=\"the token has no user; "),
        "{line}"
    );
}

#[test]
fn whatever_the_protected_resource_refuses_is_refused_alike() {
    let server = server("bearer_in_query = yes");
    let good = bearer(&server, "ann", "read");
    let (token, revoked) = (good.rsplit(' ').next().unwrap(), bearer(&server, "ann", "read"));
    let form = format!("token={}", revoked.rsplit(' ').next().unwrap());
    server.post("/oauth/revoke", &[APP], &form);
    for (query, fields) in [
        ("", &[][..]),
        ("", &["Authorization: Basic YXBwOnNlY3JldA=="]),
        ("", &["Authorization: Bearer nonsense"]),
        ("", &["Authorization: Bearer 72ab415822b56cf0f9f93f07fe978d9aae859325"]),
        ("", &[&revoked]),
        ("", &["Authorization: Bearer"]),
        ("", &["Authorization: Bearer a b"]),
        ("", &[&good, &good]),
        ("?access_token=", &[]),
        ("?access_token=x", &[&good]),
        (&format!("?access_token={token}&access_token={token}"), &[]),
        ("?access_token=%zz", &[]),
    ] {
        // `/` may be opened by a person, who would get a page.
        let expected = server.get(&format!("/{query}"), fields).whole();
        let expected = expected.replace("Vary: Accept\n", "");
        assert!(!expected.starts_with("200"));
        assert_eq!(server.get(&format!("/oauth/userinfo{query}"), fields).whole(), expected);
        let posted = server.post(&format!("/oauth/userinfo{query}"), fields, "access_token=x");
        assert_eq!(posted.whole(), expected, "{query} {fields:?}");
    }
    assert_eq!(server.get(&format!("/oauth/userinfo?access_token={token}"), &[]).status, 200);
}

#[test]
fn a_token_for_another_service_is_not_good_here() {
    let server = server("issuer = https://h.example\n[resource https://api.example.com/mcp]");
    let form = "grant_type=password&username=ann&password=password&resource=https%3A%2F%2F";
    for (resource, status) in [("api.example.com%2Fmcp", 401), ("h.example", 200)] {
        let token = server.token(APP, &format!("{form}{resource}")).member("access_token");
        let field = format!("Authorization: Bearer {token}");
        let answer = server.get("/oauth/userinfo", &[&field]);
        assert_eq!((answer.status, server.get("/", &[&field]).status), (status, status));
        if status == 401 {
            let expected = server.get("/", &[&field]).whole();
            assert_eq!(answer.whole(), expected.replace("Vary: Accept\n", ""));
        }
    }
}

#[test]
fn methods_metadata_and_readers() {
    let server = server("allowed_origins = https://spa.example.com\nissuer = https://h.example/p");
    let put = server.request("PUT", "/oauth/userinfo", &[], "");
    assert_eq!((put.status, put.field("Allow")), (405, Some("GET, HEAD, POST")));
    let metadata = server.get("/.well-known/oauth-authorization-server", &[]);
    assert_eq!(metadata.member("userinfo_endpoint"), "https://h.example/p/oauth/userinfo");
    assert_eq!(server.get("/p/oauth/userinfo", &[]).status, 401);
    let origin = "Origin: https://spa.example.com";
    let answer = server.get("/oauth/userinfo", &[origin]);
    assert_eq!(answer.field("Access-Control-Allow-Origin"), Some("https://spa.example.com"));
    let asked = [origin, "Access-Control-Request-Method: GET"];
    let preflight = server.request("OPTIONS", "/oauth/userinfo", &asked, "");
    assert_eq!(
        (preflight.status, preflight.field("Access-Control-Allow-Methods")),
        (204, Some("GET, HEAD, POST"))
    );
    let other = server.get("/oauth/userinfo", &["Origin: https://evil.example.com"]);
    assert_eq!(other.field("Access-Control-Allow-Origin"), None);
}

#[test]
fn the_page_says_in_words_what_will_be_read() {
    let server = server("");
    let page = |scope: &str| {
        server
            .get(&format!("/oauth/authorize?response_type=code&client_id=app&scope={scope}"), &[])
            .body
    };
    for (scope, words) in [
        ("profile", "<p>It will read: your name.</p>"),
        ("groups+read+email", "<p>It will read: your e-mail address, your groups.</p>"),
        (
            "profile+email+groups",
            "<p>It will read: your name, your e-mail address, your groups.</p>",
        ),
    ] {
        assert!(page(scope).contains(words), "{scope}");
    }
    assert!(!page("read").contains("It will read"));
    let started = server.post("/oauth/device_authorization", &[APP], "scope=email");
    let page = server.get(&format!("/oauth/device?user_code={}", started.member("user_code")), &[]);
    assert!(page.body.contains("<p>It will read: your e-mail address.</p>"));
}

#[test]
fn keys_that_say_nothing_are_refused_with_their_line() {
    let folder = Folder::new();
    for (line, what) in [
        ("name =", "name is empty; write one or leave it out"),
        ("email =", "email is empty; write one or leave it out"),
        ("groups =", "groups is empty; write one or leave it out"),
        ("name = a\u{1b}b", "name has a control character; leave it out"),
        ("groups = a b\u{7f}", "groups has a control character; leave it out"),
        ("gruops = a", "unknown key \"gruops\"; did you mean groups?"),
    ] {
        let text = format!("[client c]\nsecret = s\n[user u]\npassword = p\n{line}\n");
        let file = folder.write("oauth2d.conf", text);
        let file = file.to_str().unwrap();
        let expected = format!("oauth2d: {file}:5: {what}\n");
        assert_eq!(run(&["--config", file, "--check"]), (2, String::new(), expected));
    }
}
