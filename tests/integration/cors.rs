//! Contract section 4: CORS.

use crate::support::*;

const ORIGIN: &str = "Origin: https://spa.example.com";

fn server() -> Server {
    Server::with("allowed_origins = https://spa.example.com http://localhost:8080")
}

#[test]
fn an_allowed_origin_may_read_answers_and_errors() {
    let server = server();
    for path in
        ["/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/device_authorization"]
    {
        let answer = server.post(path, &[ORIGIN], "");
        assert_eq!(
            answer.field("Access-Control-Allow-Origin"),
            Some("https://spa.example.com"),
            "{path}"
        );
        assert_eq!(
            answer.field("Access-Control-Expose-Headers"),
            Some("WWW-Authenticate, Retry-After")
        );
        assert_eq!(answer.field("Vary"), Some("Origin"));
        assert_eq!(answer.field("Access-Control-Allow-Credentials"), None);
        let other = server.post(path, &["Origin: https://evil.example.com"], "");
        assert_eq!(
            (other.field("Access-Control-Allow-Origin"), other.field("Vary")),
            (None, Some("Origin"))
        );
    }
    assert_eq!(
        server.get("/", &[ORIGIN]).field("Access-Control-Allow-Origin"),
        Some("https://spa.example.com")
    );
}

#[test]
fn a_preflight_is_answered_with_what_was_asked() {
    let server = server();
    let asked = [
        ORIGIN,
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: authorization, x-y",
    ];
    assert_eq!(
        server.request("OPTIONS", "/oauth/token", &asked, "").whole(),
        "204\nAccess-Control-Allow-Methods: POST\nAccess-Control-Max-Age: 600\n\
         Access-Control-Allow-Headers: authorization, x-y\nVary: Origin\n\
         Access-Control-Allow-Origin: https://spa.example.com\n\
         Access-Control-Expose-Headers: WWW-Authenticate, Retry-After\n\n"
    );
    let foreign = ["Origin: https://evil.example.com", "Access-Control-Request-Method: POST"];
    assert_eq!(
        server.request("OPTIONS", "/oauth/token", &foreign, "").whole(),
        "204\nVary: Origin\n\n"
    );
    let plain = server.request("OPTIONS", "/oauth/token", &[ORIGIN], "");
    assert_eq!((plain.status, plain.field("Allow")), (405, Some("POST")));
}

#[test]
fn a_preflight_below_well_known_is_answered_also_where_nothing_is() {
    let asked = ["Origin: https://any.example", "Access-Control-Request-Method: GET"];
    for server in [server(), Server::demo()] {
        for path in [
            "/.well-known/oauth-authorization-server",
            "/.well-known/oauth-protected-resource/mcp",
            "/.well-known/openid-configuration",
            "/.well-known/",
        ] {
            assert_eq!(
                server.request("OPTIONS", path, &asked, "").whole(),
                "204\nAccess-Control-Allow-Methods: GET, HEAD\nAccess-Control-Max-Age: 600\n\
                 Access-Control-Allow-Origin: *\n\
                 Access-Control-Expose-Headers: WWW-Authenticate, Retry-After\n\n",
                "{path}"
            );
        }
        // Without its two fields it is an ordinary OPTIONS request.
        assert_eq!(server.request("OPTIONS", "/.well-known/x", &asked[..1], "").status, 404);
        assert_eq!(server.request("OPTIONS", "/elsewhere", &asked, "").status, 404);
    }
}

#[test]
fn metadata_is_for_everyone_and_pages_for_nobody() {
    let server = server();
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource",
        "/.well-known/nothing",
    ] {
        assert_eq!(
            server.get(path, &["Origin: https://any.example"]).field("Access-Control-Allow-Origin"),
            Some("*"),
            "{path}"
        );
    }
    for path in ["/oauth/authorize", "/oauth/device"] {
        assert_eq!(server.get(path, &[ORIGIN]).field("Access-Control-Allow-Origin"), None);
        let asked = [ORIGIN, "Access-Control-Request-Method: POST"];
        assert_eq!(server.request("OPTIONS", path, &asked, "").status, 405);
    }
    assert_eq!(Server::demo().get("/", &[ORIGIN]).field("Vary"), Some("Accept"));
}
