//! Contract section 4: the metadata of services, by host and path, and the challenges that name it.

use serde_json::json;

use crate::resources::{NOTES, OTHER_SERVICE, ask, issue, named, served, served_with};
use crate::support::*;

const DOCUMENT: &str = "/.well-known/oauth-protected-resource";

/// The document at [`DOCUMENT`] and this path, requested at this host.
fn document(server: &Server, host: &str, path: &str) -> Answer {
    let mut connection = server.connect();
    connection.send(format!("GET {DOCUMENT}{path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    connection.answer()
}

/// The `resource` of the document, or the status if there is none.
fn described(server: &Server, host: &str, path: &str) -> String {
    let answer = document(server, host, path);
    match answer.status {
        200 => answer.member("resource"),
        status => status.to_string(),
    }
}

#[test]
fn a_services_document_names_its_server_scopes_and_name() {
    let server = served();
    let answer = document(&server, "api.example.com", "/mcp");
    assert_eq!((answer.status, answer.field("Access-Control-Allow-Origin")), (200, Some("*")));
    assert_eq!(answer.field("Content-Type"), Some("application/json"));
    assert_eq!(
        answer.json(),
        json!({
            "resource": NOTES,
            "authorization_servers": [server.issuer()],
            "scopes_supported": ["read", "write"],
            "bearer_methods_supported": ["header"],
            "resource_name": "Notes",
        })
    );
    // Empty members are left out.
    assert_eq!(
        document(&server, "other.example.com:8080", "").json(),
        json!({
            "resource": OTHER_SERVICE,
            "authorization_servers": [server.issuer()],
            "bearer_methods_supported": ["header"],
        })
    );
}

#[test]
fn host_and_path_say_which_service_is_meant() {
    let server = served_with("[resource https://B.example.com:8443/mcp]\n[resource http://c/x/]\n");
    let issuer = server.issuer();
    let own = issuer.strip_prefix("http://").unwrap();
    let at_b = "https://B.example.com:8443/mcp";
    for (host, path, expected) in [
        ("api.example.com", "/mcp", NOTES),
        ("API.example.com:443", "/mcp", NOTES),
        ("b.example.com:8443", "/mcp", at_b),
        // The first with this path, if no resource has this host.
        ("b.example.com", "/mcp", NOTES),
        (own, "/mcp", NOTES),
        ("c", "/x/", "http://c/x/"),
        ("c:80", "/x/", "http://c/x/"),
        ("elsewhere", "/x/", "http://c/x/"),
        ("c", "/x", "404"),
        ("api.example.com", "/mcp/", "404"),
        ("api.example.com", "/MCP", "404"),
        ("api.example.com", "/m%63p", "404"),
        ("api.example.com", "/", "404"),
        ("api.example.com", "mcp", "404"),
        ("other.example.com:8080", "", OTHER_SERVICE),
        ("other.example.com", "", &issuer),
        ("api.example.com", "", &issuer),
        (own, "", &issuer),
        ("elsewhere", "", &issuer),
    ] {
        assert_eq!(described(&server, host, path), expected, "{host} {path}");
    }
    assert_eq!(server.post(&format!("{DOCUMENT}/mcp"), &[], "").status, 405);
    assert_eq!(server.post(&format!("{DOCUMENT}/none"), &[], "").status, 404);
}

#[test]
fn an_issuer_with_a_path_has_its_document_among_them() {
    let issuer = "https://auth.example.com/p";
    let text = format!(
        "[server]\nissuer = {issuer}\n{CLIENTS}[resource https://b.example.com/p]\n\
         [resource {NOTES}]\n"
    );
    let server = Server::configured(&text);
    let at_b = "https://b.example.com/p";
    for (host, path, expected) in [
        ("auth.example.com", "/p", issuer),
        ("AUTH.example.com:443", "/p", issuer),
        ("b.example.com", "/p", at_b),
        ("elsewhere", "/p", at_b),
        ("elsewhere", "/mcp", NOTES),
        ("elsewhere", "", issuer),
        ("elsewhere", "/q", "404"),
    ] {
        assert_eq!(described(&server, host, path), expected, "{host} {path}");
    }
}

#[test]
fn the_file_may_describe_the_issuer_itself() {
    let section = "[resource https://auth.example.com]\nscopes = read\nname = Front door\n";
    let server = Server::configured(&format!(
        "[server]\nissuer = https://auth.example.com/\nbearer_in_query = yes\n{CLIENTS}{section}"
    ));
    for host in ["auth.example.com", "elsewhere"] {
        let json = document(&server, host, "").json();
        assert_eq!(json["scopes_supported"], json!(["read"]), "{host}");
        assert_eq!(json["resource_name"], "Front door");
        assert_eq!(json["bearer_methods_supported"], json!(["header", "query"]));
    }
    let token = issue(&server, "https://auth.example.com").member("access_token");
    assert_eq!(server.bearer(&token).status, 200);
}

#[test]
fn the_file_may_say_whose_tokens_the_issuer_takes() {
    let section = "[resource https://auth.example.com]\nusers = ann\n";
    let server = Server::configured(&format!(
        "[server]\nissuer = https://auth.example.com\n{CLIENTS}{section}"
    ));
    let place = named("https://auth.example.com");
    let form = "grant_type=password&username=bob&password=password";
    for (token, status) in [
        (server.access_token("read"), 200),
        (server.token(APP, form).member("access_token"), 401),
        (server.token(APP, "grant_type=client_credentials").member("access_token"), 401),
    ] {
        assert_eq!(server.bearer(&token).status, status);
        assert_eq!(ask(&server, &place, &token).status, status);
        assert_eq!(ask(&server, "", &token).status, 200);
    }
}

/// The challenge that names this document.
fn challenge(document: &str, more: &str) -> String {
    format!("Bearer realm=\"oauth2d\", resource_metadata=\"{document}\"{more}")
}

#[test]
fn a_proxys_refusals_name_the_services_own_document() {
    let server = served_with("[resource http://c/x/]\n");
    let token = issue(&server, OTHER_SERVICE).member("access_token");
    let notes = "https://api.example.com/.well-known/oauth-protected-resource/mcp";
    let root = "http://Other.example.com:8080/.well-known/oauth-protected-resource";
    let slash = "http://c/.well-known/oauth-protected-resource/x/";
    let invalid = ", error=\"invalid_token\"";
    let lacking = ", error=\"insufficient_scope\"";
    for (query, token, status, document, more) in [
        (named(NOTES), "", 401, notes, ", error=\"invalid_request\""),
        (named(NOTES), "x", 401, notes, invalid),
        (named(NOTES), token.as_str(), 401, notes, invalid),
        (named("http://c/x"), "x", 401, slash, invalid),
        (named(OTHER_SERVICE), "x", 401, root, invalid),
        (format!("{}&client=x", named(OTHER_SERVICE)), &token, 403, root, lacking),
        (
            format!("{}&scope=admin+read&scope=write", named(OTHER_SERVICE)),
            &token,
            403,
            root,
            ", error=\"insufficient_scope\", scope=\"admin read\"",
        ),
    ] {
        let answer = ask(&server, &query, token);
        let expected = challenge(document, more);
        assert_eq!(answer.status, status, "{query}");
        assert_eq!(answer.field("WWW-Authenticate"), Some(expected.as_str()), "{query}");
    }
    let without = server.get(&format!("/oauth/authenticate?{}", named(NOTES)), &[]);
    assert_eq!(without.field("WWW-Authenticate"), Some(challenge(notes, "").as_str()));
}

#[test]
fn a_proxys_mistake_opens_nothing() {
    for server in [served(), Server::clients()] {
        let own = format!("{}{DOCUMENT}", server.issuer());
        let token = server.access_token("read");
        let mut mistakes =
            vec![named("https://unknown.example.com/"), "resource=".into(), "resource=%zz".into()];
        mistakes.push(format!("{}&{}", named(NOTES), named(OTHER_SERVICE)));
        mistakes.push(format!("{}&resource=", named(NOTES)));
        for query in mistakes {
            let good = ask(&server, &format!("{query}&scope=read"), &token);
            let expected = challenge(&own, ", error=\"insufficient_scope\"");
            assert_eq!(good.field("WWW-Authenticate"), Some(expected.as_str()), "{query}");
            assert_eq!(good.error(), (403, "insufficient_scope".into()));
            let bad = ask(&server, &query, "x");
            let expected = challenge(&own, ", error=\"invalid_token\"");
            assert_eq!(bad.field("WWW-Authenticate"), Some(expected.as_str()), "{query}");
            let none = server.get(&format!("/oauth/authenticate?{query}"), &[]);
            assert_eq!(none.field("WWW-Authenticate"), Some(challenge(&own, "").as_str()));
            assert_eq!((bad.status, none.status), (401, 401));
        }
    }
}

#[test]
fn every_401_names_the_scope_that_is_needed() {
    let server = Server::clients();
    let own = format!("{}{DOCUMENT}", server.issuer());
    for (fields, more) in [
        (&[][..], ", scope=\"read write\""),
        (&["Authorization: Bearer x"], ", error=\"invalid_token\", scope=\"read write\""),
        (&["Authorization: Bearer"], ", error=\"invalid_request\", scope=\"read write\""),
    ] {
        let answer = server.get("/oauth/authenticate?scope=read+write&scope=admin", fields);
        let expected = challenge(&own, more);
        assert_eq!(
            (answer.status, answer.field("WWW-Authenticate")),
            (401, Some(expected.as_str()))
        );
    }
    let empty = server.get("/oauth/authenticate?scope=", &[]);
    assert_eq!(empty.field("WWW-Authenticate"), Some(challenge(&own, "").as_str()));
}
