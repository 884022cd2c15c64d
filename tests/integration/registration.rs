//! Contract section 4: programs that register themselves, and clients whose id is a URL.

use serde_json::json;

use crate::authorize::encoded;
use crate::support::*;

const CHALLENGE: &str =
    "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

const TEXT: &str = "[server]
registration_client = programs
allowed_origins = https://spa.example.com
[client programs]
grants = authorization_code refresh_token device_code
scopes = read write
default_scopes = read
redirect_uris = http://localhost/callback https://app.example.com/cb
name = Programs
[user ann]
password = password
";

fn register(server: &Server, body: &str) -> Answer {
    server.request("POST", "/oauth/register", &["Content-Type: text/plain"], body)
}

#[test]
fn a_program_hears_the_client_that_all_of_them_are() {
    let server = Server::configured(TEXT);
    let body = r#"{"client_name":"Notes \"1\"","redirect_uris":["http://localhost:4711/callback",
        "https://evil.example.com/","https://app.example.com/cb"],"grant_types":["password"],
        "scope":"admin","token_endpoint_auth_method":"client_secret_basic","client_id":"mine",
        "response_types":["token"],"jwks":{"keys":[]},"contacts":null}"#;
    let said = "{\"client_id\":\"programs\",\"redirect_uris\":[\"http://localhost:4711/callback\",\
        \"https://app.example.com/cb\"],\"token_endpoint_auth_method\":\"none\",\"grant_types\":\
        [\"authorization_code\",\"refresh_token\",\"urn:ietf:params:oauth:grant-type:device_code\"],\
        \"response_types\":[\"code\"],\"scope\":\"read write\",\"client_name\":\"Notes \\\"1\\\"\"}";
    let whole = format!(
        "201\nCache-Control: no-store\nPragma: no-cache\nContent-Type: application/json\n\
         Vary: Origin\nContent-Length: {}\n\n{said}",
        said.len()
    );
    assert_eq!(register(&server, body).whole(), whole);
    let json = server.request("POST", "/oauth/register", &["Content-Type: application/json"], body);
    assert_eq!(json.whole(), whole);
    // With it the page appears, and shows the client's own name.
    let page = server.get(
        &format!(
            "/oauth/authorize?response_type=code&client_id=programs&redirect_uri={}&{CHALLENGE}",
            encoded("http://localhost:4711/callback")
        ),
        &[],
    );
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<strong>Programs</strong>") && !page.body.contains("Notes"));
    assert!(page.body.contains("<strong>a program on this computer</strong>"), "{}", page.body);
    assert!(!server.log_line(|line| line.contains("/oauth/register")).contains("Notes"));
}

#[test]
fn what_is_no_registration_is_refused() {
    let server = Server::configured(TEXT);
    for (body, error) in [
        ("", "invalid_client_metadata"),
        ("[]", "invalid_client_metadata"),
        ("{\"redirect_uris\":\"http://localhost/callback\"}", "invalid_client_metadata"),
        (
            "{\"redirect_uris\":[\"http://localhost/callback\"],\"scope\":[]}",
            "invalid_client_metadata",
        ),
        ("{}", "invalid_redirect_uri"),
        ("{\"redirect_uris\":[\"http://localhost/other\"]}", "invalid_redirect_uri"),
    ] {
        let answer = register(&server, body);
        assert_eq!(answer.error(), (400, error.into()), "{body}");
        assert_eq!(answer.field("Cache-Control"), Some("no-store"));
    }
    assert_eq!(
        register(&server, "{}").body,
        "{\"error\":\"invalid_redirect_uri\",\"error_description\":\"none of the redirect_uris \
         is in this server's configuration\"}"
    );
    let deep = "{\"a\":".repeat(10_000);
    assert_eq!(register(&server, &deep).error().1, "invalid_client_metadata");
    assert_eq!(register(&server, &" ".repeat(70_000)).status, 413);
    let get = server.get("/oauth/register", &[]);
    assert_eq!((get.status, get.field("Allow")), (405, Some("POST")));
}

#[test]
fn without_a_registration_client_there_is_nothing() {
    let server = Server::clients();
    // No person opens this by mistake.
    let nothing = server.get("/nothing", &[]).whole().replace("Vary: Accept\n", "");
    assert_eq!(register(&server, "{}").whole(), nothing);
    assert_eq!(server.get("/oauth/register", &[]).whole(), nothing);
    let metadata = server.get("/.well-known/oauth-authorization-server", &[]);
    assert!(!metadata.body.contains("regist") && !metadata.body.contains("client_id_metadata"));
}

#[test]
fn metadata_names_the_endpoint_and_allowed_origins_may_call_it() {
    let server = Server::configured(TEXT);
    let metadata = server.get("/.well-known/oauth-authorization-server", &[]).json();
    let endpoint = format!("{}/oauth/register", server.issuer());
    assert_eq!(metadata["registration_endpoint"], endpoint);
    let origin = "Origin: https://spa.example.com";
    let asked = [
        origin,
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: content-type",
    ];
    let preflight = server.request("OPTIONS", "/oauth/register", &asked, "");
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.field("Access-Control-Allow-Headers"), Some("content-type"));
    let answer = server.request("POST", "/oauth/register", &[origin], "{}");
    assert_eq!(answer.field("Access-Control-Allow-Origin"), Some("https://spa.example.com"));
}

const URL: &str = "https://notes.example.com/client.json";

fn with_url_client(server: &str, id: &str, more: &str) -> Server {
    Server::configured(&format!(
        "[server]\n{server}\n[client {id}]\nname = Notes\ngrants = authorization_code\n{more}\
         redirect_uris = http://127.0.0.1/cb https://notes.example.com/cb\n\
         [client other]\ngrants = authorization_code\nredirect_uris = a:/b\n\
         [user ann]\npassword = password\n"
    ))
}

fn documents(server: &Server) -> Option<serde_json::Value> {
    let metadata = server.get("/.well-known/oauth-authorization-server", &[]).json();
    metadata.get("client_id_metadata_document_supported").cloned()
}

#[test]
fn a_client_whose_id_is_a_url_is_one_of_the_file() {
    let server = with_url_client("", URL, "");
    assert_eq!(documents(&server), Some(json!(true)));
    let request = |id: &str, uri: &str| {
        let (id, uri) = (encoded(id), encoded(uri));
        format!("response_type=code&client_id={id}&redirect_uri={uri}&{CHALLENGE}")
    };
    let target = format!("/oauth/authorize?{}", request(URL, "http://127.0.0.1:7/cb"));
    let page = server.get(&target, &[]).body;
    assert!(page.contains("<strong>Notes</strong>"), "{page}");
    assert!(page.contains("<strong>a program on this computer</strong>"), "{page}");
    let form = format!("{}&{}", request(URL, "http://127.0.0.1:7/cb"), crate::authorize::ANN);
    let code = server.post("/oauth/authorize", &[], &form).location_parameter("code").unwrap();
    let form = format!(
        "grant_type=authorization_code&client_id={}&code={code}&redirect_uri={}\
         &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        encoded(URL),
        encoded("http://127.0.0.1:7/cb")
    );
    assert_eq!(server.post("/oauth/token", &[], &form).status, 200);
}

#[test]
fn an_unknown_url_is_named_as_one_without_the_url() {
    let server = with_url_client("", URL, "");
    let unknown = encoded("https://stranger.example.com/client.json");
    let target = format!("/oauth/authorize?response_type=code&client_id={unknown}&{CHALLENGE}");
    let page = server.get(&target, &[]);
    assert_eq!(page.status, 400);
    let what = "the client_id is a URL that is not in this server's configuration";
    assert!(page.body.contains(&what.replace('\'', "&#39;")), "{}", page.body);
    let line = server.log_line(|line| line.contains(" 400 "));
    assert!(line.contains(what), "{line}");
    assert!(!page.body.contains("stranger") && !line.contains("stranger"));
    let page = server.get("/oauth/authorize?response_type=code&client_id=stranger", &[]);
    assert!(page.body.contains("the client is unknown"), "{}", page.body);
}

#[test]
fn documents_are_named_where_a_public_client_has_one_and_none_registers() {
    for (server, id, more, expected) in [
        ("", "https://notes.example.com/", "", None),
        ("", "https://notes.example.com", "", None),
        ("", "http://notes.example.com/client.json", "", None),
        ("", URL, "secret = s\n", None),
        ("registration_client = other", URL, "", None),
        ("", URL, "", Some(json!(true))),
    ] {
        assert_eq!(documents(&with_url_client(server, id, more)), expected, "{server} {id} {more}");
    }
}
