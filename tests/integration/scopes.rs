//! Contract section 4: `offline_access`, wherever a scope is requested.

use crate::authorize::{ANN, post};
use crate::support::*;

const CHALLENGE: &str =
    "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
const VERIFIER: &str = "code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const PASSWORD: &str = "grant_type=password&username=ann&password=password";

/// The scope that is requested, and the one that is granted.
const ASKED: [(&str, &str); 3] = [
    ("scope=write+offline_access", "write"),
    ("scope=offline_access", "read"),
    ("scope=offline_access+offline_access", "read"),
];

#[test]
fn the_token_endpoint_ignores_it() {
    let server = Server::clients();
    for grant in [PASSWORD, "grant_type=client_credentials"] {
        for (asked, given) in ASKED {
            let answer = server.token(APP, &format!("{grant}&{asked}"));
            assert_eq!(answer.member("scope"), given, "{grant} {asked}");
        }
        let beside = server.token(APP, &format!("{grant}&scope=offline_access+unknown"));
        assert_eq!(beside.error(), (400, "invalid_scope".into()));
    }
}

#[test]
fn a_refresh_ignores_it() {
    let server = Server::clients();
    let mut answer = server.token(APP, &format!("{PASSWORD}&scope=read+write"));
    for (asked, given) in
        [("offline_access", "read write"), ("read+offline_access", "read"), ("", "read write")]
    {
        let token = answer.member("refresh_token");
        let form = format!("grant_type=refresh_token&refresh_token={token}&scope={asked}");
        answer = server.token(APP, &form);
        assert_eq!(answer.member("scope"), given, "{asked}");
    }
}

#[test]
fn the_authorization_page_ignores_it() {
    let server = Server::clients();
    for (asked, given) in ASKED {
        let request = format!("client_id=app&{asked}&{CHALLENGE}");
        let page = server.get(&format!("/oauth/authorize?response_type=code&{request}"), &[]);
        assert!(page.body.contains(&format!("<li>{given}</li>")), "{}", page.body);
        assert!(!page.body.contains("<li>offline_access</li>"), "{}", page.body);
        let code = post(&server, &request, ANN).location_parameter("code").unwrap();
        let form = format!("grant_type=authorization_code&code={code}&{VERIFIER}");
        assert_eq!(server.token(APP, &form).member("scope"), given);
    }
}

#[test]
fn a_device_ignores_it() {
    let server = Server::clients();
    for (asked, given) in ASKED {
        let device = server.post("/oauth/device_authorization", &[APP], asked);
        let form = format!("user_code={}&{ANN}", device.member("user_code"));
        assert_eq!(server.post("/oauth/device", &[], &form).status, 200);
        let code = device.member("device_code");
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let answer = server.token(APP, &format!("grant_type={grant}&device_code={code}"));
        assert_eq!(answer.member("scope"), given, "{asked}");
    }
}

#[test]
fn a_client_that_has_it_gets_it() {
    let text = format!("[server]\n{CLIENTS}").replace("write admin", "write admin offline_access");
    let server = Server::configured(&text);
    let answer = server.token(APP, &format!("{PASSWORD}&scope=offline_access"));
    assert_eq!(answer.member("scope"), "offline_access");
    let metadata = server.get("/.well-known/oauth-authorization-server", &[]);
    assert!(metadata.body.contains("\"offline_access\""));
}
