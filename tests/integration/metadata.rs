//! Contract section 4: metadata, and the paths of an issuer that has a path.

use serde_json::json;

use crate::authorize::{ANN, post};
use crate::support::*;

#[test]
fn the_server_names_what_it_can_do() {
    let server = Server::clients();
    let issuer = server.issuer();
    let answer = server.get("/.well-known/oauth-authorization-server", &[]);
    assert_eq!((answer.status, answer.field("Content-Type")), (200, Some("application/json")));
    assert_eq!(
        answer.json(),
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/oauth/authorize"),
            "token_endpoint": format!("{issuer}/oauth/token"),
            "revocation_endpoint": format!("{issuer}/oauth/revoke"),
            "introspection_endpoint": format!("{issuer}/oauth/introspect"),
            "device_authorization_endpoint": format!("{issuer}/oauth/device_authorization"),
            "userinfo_endpoint": format!("{issuer}/oauth/userinfo"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": [
                "authorization_code", "client_credentials",
                "urn:ietf:params:oauth:grant-type:device_code", "password", "refresh_token"
            ],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "scopes_supported": ["admin", "read", "write"],
            "authorization_response_iss_parameter_supported": true,
        })
    );
    assert_eq!(
        server.get("/.well-known/oauth-protected-resource", &[]).json(),
        json!({
            "resource": issuer,
            "authorization_servers": [issuer],
            "scopes_supported": ["admin", "read", "write"],
            "bearer_methods_supported": ["header"],
        })
    );
    let bare = Server::configured("[client c]\nsecret = s\n");
    let bare = bare.get("/.well-known/oauth-authorization-server", &[]);
    assert_eq!(bare.json().get("scopes_supported"), None);
}

#[test]
fn an_issuer_with_a_path_is_answered_with_it_and_without() {
    let server = Server::with("issuer = https://host.example/p/q");
    for path in ["/", "/p/q", "/p/q/"] {
        let answer = server.get(path, &[]);
        assert_eq!(answer.status, 401);
        assert_eq!(
            answer.field("WWW-Authenticate"),
            Some(
                "Bearer realm=\"oauth2d\", resource_metadata=\"https://host.example/.well-known/oauth-protected-resource/p/q\""
            )
        );
    }
    for path in ["/oauth/token", "/p/q/oauth/token"] {
        let form = "grant_type=password&username=ann&password=password";
        assert_eq!(server.post(path, &[APP], form).status, 200);
    }
    for kind in ["oauth-authorization-server", "oauth-protected-resource"] {
        let plain = server.get(&format!("/.well-known/{kind}"), &[]);
        for path in [format!("/.well-known/{kind}/p/q"), format!("/p/q/.well-known/{kind}")] {
            assert_eq!(server.get(&path, &[]).body, plain.body);
        }
        assert_eq!(server.get(&format!("/.well-known/{kind}/p"), &[]).status, 404);
    }
    let metadata = server.get("/.well-known/oauth-authorization-server", &[]);
    assert_eq!(metadata.member("token_endpoint"), "https://host.example/p/q/oauth/token");
}

#[test]
fn the_issuer_is_kept_byte_for_byte() {
    let server = Server::with("issuer = https://host.example/");
    let metadata = server.get("/.well-known/oauth-authorization-server", &[]);
    assert_eq!(metadata.member("issuer"), "https://host.example/");
    assert_eq!(metadata.member("token_endpoint"), "https://host.example/oauth/token");
    for decision in [ANN, "decision=deny"] {
        let back = post(&server, "client_id=app", decision);
        let iss = back.location_parameter("iss");
        assert_eq!(iss.as_deref(), Some("https%3A%2F%2Fhost.example%2F"), "{decision}");
    }
}

#[test]
fn a_slash_at_the_issuers_end_is_no_part_of_its_documents_path() {
    let server = Server::with("issuer = https://host.example/p/");
    let metadata = server.get("/.well-known/oauth-authorization-server/p", &[]);
    assert_eq!(metadata.member("issuer"), "https://host.example/p/");
    assert_eq!(metadata.member("token_endpoint"), "https://host.example/p/oauth/token");
}
