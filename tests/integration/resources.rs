//! Contract section 4: tokens for one service (RFC 8707), and who accepts them.

use serde_json::json;

use crate::authorize::encoded;
use crate::state::{ANN, authorize, code, decide, poll, redeem, refresh, reload};
use crate::support::*;

pub const NOTES: &str = "https://api.example.com/mcp";
pub const OTHER_SERVICE: &str = "http://Other.example.com:8080/";
const UNKNOWN: &str = "https://unknown.example.com/";

pub const SERVICES: &str = "
[client defaulted]
secret = secret
grants = password client_credentials refresh_token authorization_code device_code
redirect_uris = https://app.example.com/cb
default_resource = https://api.example.com/mcp

[resource https://api.example.com/mcp]
scopes = read write
name = Notes

[resource http://Other.example.com:8080/]
";

const DEFAULTED: &str = "Authorization: Basic ZGVmYXVsdGVkOnNlY3JldA==";

/// The clients and two services.
pub fn served() -> Server {
    served_with("")
}

/// The same, with these lines added.
pub fn served_with(more: &str) -> Server {
    Server::configured(&text(more))
}

pub fn text(more: &str) -> String {
    format!("[server]\n{CLIENTS}{SERVICES}{more}")
}

pub fn named(url: &str) -> String {
    format!("resource={}", encoded(url))
}

/// Tokens for `ann` through `app`, for this service.
pub fn issue(server: &Server, url: &str) -> Answer {
    let answer = server.token(APP, &format!("{ANN}&{}", named(url)));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// The answer to a proxy that asks this about the token.
pub fn ask(server: &Server, query: &str, token: &str) -> Answer {
    let field = format!("Authorization: Bearer {token}");
    server.get(&format!("/oauth/authenticate?{query}"), &[&field])
}

pub fn introspect(server: &Server, token: &str) -> serde_json::Value {
    server.post("/oauth/introspect", &[APP], &format!("token={token}")).json()
}

/// Starts a device of `app` with this form.
pub fn device(server: &Server, form: &str) -> (String, String) {
    let answer = server.post("/oauth/device_authorization", &[APP], form);
    (answer.member("device_code"), answer.member("user_code"))
}

/// A code of `app` for this resource.
pub fn code_for(server: &Server, url: &str) -> String {
    let answer = authorize(server, &format!("allow&{}", named(url)));
    answer.location_parameter("code").unwrap_or_else(|| panic!("{answer:?}"))
}

pub fn invalid(error: &str) -> (u16, String) {
    (400, error.into())
}

#[test]
fn a_token_for_one_service_is_401_at_another() {
    let server = served();
    let issued = issue(&server, NOTES);
    let token = issued.member("access_token");
    assert_eq!(ask(&server, &named(NOTES), &token).status, 200);
    assert_eq!(ask(&server, "", &token).status, 200);
    let elsewhere = ask(&server, &named(OTHER_SERVICE), &token);
    assert_eq!(elsewhere.error(), (401, "invalid_token".into()));
    let own = format!("{}/", server.issuer());
    assert_eq!(ask(&server, &named(&own), &token).error(), (401, "invalid_token".into()));
    assert_eq!(server.bearer(&token).error(), (401, "invalid_token".into()));
    let userinfo = server.get("/oauth/userinfo", &[&format!("Authorization: Bearer {token}")]);
    assert_eq!(userinfo.error(), (401, "invalid_token".into()));
    for name in ["access_token", "refresh_token"] {
        let json = introspect(&server, &issued.member(name));
        assert_eq!((&json["active"], &json["aud"]), (&json!(true), &json!([NOTES])), "{name}");
    }
}

#[test]
fn a_service_is_known_in_every_spelling_and_in_no_other() {
    let server = served();
    for url in [NOTES, "HTTPS://Api.Example.COM:443/mcp/", "https://api.example.com:443/mcp"] {
        let token = issue(&server, url).member("access_token");
        assert_eq!(introspect(&server, &token)["aud"], json!([NOTES]), "{url}");
        assert_eq!(ask(&server, &named(url), &token).status, 200, "{url}");
    }
    let token = issue(&server, "http://other.example.com:8080").member("access_token");
    assert_eq!(introspect(&server, &token)["aud"], json!([OTHER_SERVICE]));
    for url in [
        "https://api.example.com/MCP",
        "https://api.example.com/mcp//",
        "https://api.example.com/%6dcp",
        "https://api.example.com/mcp?",
        "https://api.example.com/mcp#",
        "https://api.example.com:8443/mcp",
        "https://api.example.com:/mcp",
        "https://user@api.example.com/mcp",
        "http://api.example.com/mcp",
        "https://api.example.com/",
        "api.example.com/mcp",
        "mcp",
    ] {
        let answer = server.token(APP, &format!("{ANN}&{}", named(url)));
        assert_eq!(answer.error(), invalid("invalid_target"), "{url}");
    }
}

#[test]
fn resource_may_repeat_and_two_different_ones_are_unknown() {
    let server = served();
    let twice = format!("{}&resource=&{}", named(NOTES), named("https://API.example.com/mcp/"));
    for form in [twice.as_str(), "resource=", "resource=&resource="] {
        assert_eq!(server.token(APP, &format!("{ANN}&{form}")).status, 200, "{form}");
    }
    let different = format!("{}&{}", named(NOTES), named(OTHER_SERVICE));
    let answer = server.token(APP, &format!("{ANN}&{different}"));
    assert_eq!(
        answer.whole(),
        "400\nCache-Control: no-store\nPragma: no-cache\nContent-Type: application/json\n\
         Content-Length: 105\n\n{\"error\":\"invalid_target\",\"error_description\":\
         \"the resource is unknown, or there are two different ones\"}"
    );
    let back = authorize(&server, &format!("allow&{different}"));
    assert_eq!(
        (back.status, back.location_parameter("error").unwrap().as_str()),
        (303, "invalid_target")
    );
    let started = server.post("/oauth/device_authorization", &[APP], &different);
    assert_eq!(started.error(), invalid("invalid_target"));
}

#[test]
fn an_unknown_resource_spends_nothing_and_counts_as_no_attempt() {
    let server = served();
    let unknown = named(UNKNOWN);
    let code = code_for(&server, NOTES);
    assert_eq!(redeem(&server, &format!("{code}&{unknown}")).error(), invalid("invalid_target"));
    let issued = redeem(&server, &code);
    let token = issued.member("refresh_token");
    assert_eq!(refresh(&server, &format!("{token}&{unknown}")).error(), invalid("invalid_target"));
    assert_eq!(refresh(&server, &token).status, 200);
    let (device_code, user_code) = device(&server, "");
    assert_eq!(decide(&server, &user_code, "allow").status, 200);
    let polled = poll(&server, &format!("{device_code}&{unknown}"));
    assert_eq!(polled.error(), invalid("invalid_target"));
    assert_eq!(poll(&server, &device_code).status, 200);
    let guess = format!("grant_type=password&username=ann&password=wrong&{unknown}");
    for _ in 0..25 {
        assert_eq!(server.token(APP, &guess).error(), invalid("invalid_target"));
    }
    assert_eq!(server.token(APP, ANN).status, 200);
}

#[test]
fn the_checks_come_in_the_contracts_order() {
    let server = served_with("clients = other\n");
    let (unknown, other) = (named(UNKNOWN), named(OTHER_SERVICE));
    let guess = "grant_type=password&username=ann&password=wrong";
    for (form, error) in [
        (format!("grant_type=nonsense&{unknown}"), "unsupported_grant_type"),
        (format!("grant_type=password&username=ann&{unknown}"), "invalid_request"),
        (format!("grant_type=authorization_code&{unknown}"), "invalid_request"),
        (format!("{guess}&{unknown}"), "invalid_target"),
        (format!("grant_type=refresh_token&refresh_token=x&{unknown}"), "invalid_target"),
        (format!("grant_type=authorization_code&code=x&{unknown}"), "invalid_target"),
        (format!("{guess}&{other}"), "invalid_grant"),
        (format!("{ANN}&{other}&scope=nonsense"), "invalid_target"),
        (format!("{ANN}&{}&scope=nonsense", named(NOTES)), "invalid_scope"),
    ] {
        assert_eq!(server.token(APP, &form).error(), invalid(error), "{form}");
    }
    let started = server.post("/oauth/device_authorization", &[APP], &format!("scope=x&{unknown}"));
    assert_eq!(started.error(), invalid("invalid_target"));
    let back = authorize(&server, &format!("allow&scope=x&{unknown}"));
    assert_eq!(back.location_parameter("error").as_deref(), Some("invalid_target"));
}

#[test]
fn a_code_for_another_service_is_spent() {
    let server = served();
    for (granted, asked) in [(Some(NOTES), OTHER_SERVICE), (None, NOTES)] {
        let code = granted.map_or_else(|| code(&server), |url| code_for(&server, url));
        let answer = redeem(&server, &format!("{code}&{}", named(asked)));
        assert_eq!(answer.error(), invalid("invalid_target"));
        assert_eq!(redeem(&server, &code).error(), invalid("invalid_grant"));
    }
    let code = code_for(&server, NOTES);
    let issued = redeem(&server, &format!("{code}&{}", named(NOTES)));
    assert_eq!(introspect(&server, &issued.member("access_token"))["aud"], json!([NOTES]));
}

#[test]
fn neither_a_refresh_token_nor_a_device_code_is_spent_for_another_service() {
    let server = served();
    for (granted, asked) in [(named(NOTES), OTHER_SERVICE), (String::new(), NOTES)] {
        let issued = server.token(APP, &format!("{ANN}&{granted}"));
        let aud = introspect(&server, &issued.member("access_token"))["aud"].clone();
        let token = issued.member("refresh_token");
        let other = refresh(&server, &format!("{token}&{}", named(asked)));
        assert_eq!(other.error(), invalid("invalid_target"));
        let refreshed = refresh(&server, &format!("{token}&{granted}"));
        assert_eq!(introspect(&server, &refreshed.member("access_token"))["aud"], aud);

        let (device_code, user_code) = device(&server, &granted);
        assert_eq!(decide(&server, &user_code, "allow").status, 200);
        let other = poll(&server, &format!("{device_code}&{}", named(asked)));
        assert_eq!(other.error(), invalid("invalid_target"));
        let polled = poll(&server, &format!("{device_code}&{granted}"));
        assert_eq!(introspect(&server, &polled.member("access_token"))["aud"], aud);
    }
}

#[test]
fn the_issuer_is_a_service_among_the_others() {
    let server = served();
    let issuer = server.issuer();
    let (own, none) = (issue(&server, &issuer), server.token(APP, ANN));
    let token = own.member("access_token");
    assert_eq!(introspect(&server, &token)["aud"], json!([issuer]));
    assert_eq!(introspect(&server, &none.member("access_token")).get("aud"), None);
    for token in [&token, &none.member("access_token")] {
        assert_eq!(server.bearer(token).status, 200);
        assert_eq!(ask(&server, &named(&format!("{issuer}/")), token).status, 200);
        assert_eq!(ask(&server, &named(NOTES), token).error(), (401, "invalid_token".into()));
    }
    // What was granted for no resource is not for the issuer, and the other way round.
    let form = format!("{}&{}", none.member("refresh_token"), named(&issuer));
    assert_eq!(refresh(&server, &form).error(), invalid("invalid_target"));
    assert_eq!(refresh(&server, &own.member("refresh_token")).status, 200);
}

#[test]
fn a_clients_default_stands_in_where_none_is_named() {
    let server = served();
    let aud = |answer: &Answer| introspect(&server, &answer.member("access_token"))["aud"].clone();
    let alone = server.token(DEFAULTED, "grant_type=client_credentials");
    assert_eq!(aud(&alone), json!([NOTES]));
    let named_other = format!("grant_type=client_credentials&{}", named(OTHER_SERVICE));
    assert_eq!(aud(&server.token(DEFAULTED, &named_other)), json!([OTHER_SERVICE]));
    let issued = server.token(DEFAULTED, ANN);
    // Whatever the default is now, what was granted stays what it was.
    let changed = text("").replace(
        "default_resource = https://api",
        "default_resource = http://Other.example.com:8080\n#",
    );
    reload(&server, &changed);
    let token = issued.member("refresh_token");
    let form = format!("grant_type=refresh_token&refresh_token={token}&{}", named(NOTES));
    let refreshed = server.token(DEFAULTED, &form);
    assert_eq!(aud(&refreshed), json!([NOTES]));
    let without = changed.replace("default_resource", "#");
    reload(&server, &without);
    let form =
        format!("grant_type=refresh_token&refresh_token={}", refreshed.member("refresh_token"));
    assert_eq!(aud(&server.token(DEFAULTED, &form)), json!([NOTES]));
}

#[test]
fn a_default_is_taken_at_both_pages_too() {
    let server = served();
    let request = "response_type=code&client_id=defaulted";
    let page = server.get(&format!("/oauth/authorize?{request}"), &[]);
    for part in [
        "<strong>Notes</strong> (https://api.example.com/mcp)",
        "<input type=\"hidden\" name=\"resource\" value=\"https://api.example.com/mcp\">",
    ] {
        assert!(page.body.contains(part), "{}", page.body);
    }
    let person = "username=ann&password=password&decision=allow";
    let back = server.post("/oauth/authorize", &[], &format!("{request}&{person}"));
    let code = back.location_parameter("code").unwrap();
    let issued = server.token(DEFAULTED, &format!("grant_type=authorization_code&code={code}"));
    assert_eq!(introspect(&server, &issued.member("access_token"))["aud"], json!([NOTES]));
    let started = server.post("/oauth/device_authorization", &[DEFAULTED], "");
    let shown = started.member("user_code");
    let page = server.get(&format!("/oauth/device?user_code={shown}"), &[]);
    assert!(page.body.contains("in your name at <strong>Notes</strong>"), "{}", page.body);
}

#[test]
fn the_pages_name_the_service_and_carry_it_along() {
    let server = served();
    let (spelled, none) = ("https://API.example.com/mcp/", "in your name, for:");
    let page = |url: &str| {
        let query = format!("response_type=code&client_id=app&{}", named(url));
        server.get(&format!("/oauth/authorize?{query}"), &[]).body
    };
    let body = page(spelled);
    assert!(
        body.contains("in your name at <strong>Notes</strong> (https://api.example.com/mcp), for:")
    );
    let carried = format!("<input type=\"hidden\" name=\"resource\" value=\"{spelled}\">");
    assert_eq!(body.matches("name=\"resource\"").count(), 1);
    assert!(body.contains(&carried), "{body}");
    assert!(
        page(OTHER_SERVICE).contains("at <strong>http://Other.example.com:8080/</strong>, for:")
    );
    assert!(page("").contains(none) && !page("").contains("name=\"resource\""));
    let (_, user_code) = device(&server, &named(OTHER_SERVICE));
    let shown = server.get(&format!("/oauth/device?user_code={user_code}"), &[]).body;
    assert!(shown.contains("at <strong>http://Other.example.com:8080/</strong>, for:"), "{shown}");
}

#[test]
fn without_a_service_in_the_file_resource_is_ignored() {
    let server = Server::clients();
    let form = format!("{}&{}", named(NOTES), named(UNKNOWN));
    let issued = server.token(APP, &format!("{ANN}&{form}"));
    assert_eq!(introspect(&server, &issued.member("access_token")).get("aud"), None);
    let token = issued.member("refresh_token");
    assert_eq!(refresh(&server, &format!("{token}&{form}")).status, 200);
    let code = authorize(&server, &format!("allow&{form}")).location_parameter("code").unwrap();
    assert_eq!(redeem(&server, &format!("{code}&{form}")).status, 200);
    assert_eq!(server.post("/oauth/device_authorization", &[APP], &form).status, 200);
    let query = format!("/oauth/authorize?response_type=code&client_id=app&{form}");
    assert!(!server.get(&query, &[]).body.contains("name=\"resource\""));
}
