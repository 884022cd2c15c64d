//! Real clients: curl and the crate `oauth2`.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oauth2::basic::BasicClient;
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, DeviceAuthorizationUrl,
    IntrospectionUrl, PkceCodeChallenge, RedirectUrl, RefreshToken, ResourceOwnerPassword,
    ResourceOwnerUsername, RevocationUrl, Scope, StandardDeviceAuthorizationResponse,
    StandardRevocableToken, TokenIntrospectionResponse, TokenResponse, TokenUrl,
};

use crate::support::*;

#[test]
fn curl_with_its_own_basic_credentials() {
    let server =
        Server::configured("[client a+b]\nsecret = c%d/e f\ngrants = client_credentials\n");
    let url = format!("{}/oauth/token", server.issuer());
    let arguments = ["-s", "-u", "a+b:c%d/e f", "-d", "grant_type=client_credentials", &url];
    if let Ok(output) = Command::new("curl").args(arguments).output() {
        assert!(String::from_utf8_lossy(&output.stdout).contains("access_token"));
    }
}

#[test]
fn credentials_as_long_as_the_limits_allow_are_refused_like_others() {
    let server = Server::clients();
    let refused = server.token("Authorization: Basic bm9ib2R5OnNlY3JldA==", "grant_type=password");
    assert_eq!(refused.error(), (401, "invalid_client".into()));
    let (in_head, in_body) = ("%41".repeat(3500), "%41".repeat(21_000));
    for pair in [format!("{in_head}:x"), format!("app:{in_head}")] {
        let field = format!("Authorization: Basic {}", STANDARD.encode(pair));
        assert_eq!(server.token(&field, "grant_type=password").whole(), refused.whole());
    }
    for form in [
        format!("client_id={in_body}&client_secret=x"),
        format!("client_id=app&client_secret={in_body}"),
        "client_id=app&".to_owned() + &"&a".repeat(30_000),
    ] {
        assert_eq!(server.post("/oauth/token", &[], &form).whole(), refused.whole());
    }
}

macro_rules! client {
    ($server:expr) => {{
        let issuer = $server.issuer();
        BasicClient::new(ClientId::new("app".into()))
            .set_client_secret(ClientSecret::new("secret".into()))
            .set_token_uri(TokenUrl::new(format!("{issuer}/oauth/token")).unwrap())
            .set_auth_uri(AuthUrl::new(format!("{issuer}/oauth/authorize")).unwrap())
            .set_introspection_url(
                IntrospectionUrl::new(format!("{issuer}/oauth/introspect")).unwrap(),
            )
            .set_revocation_url_option(RevocationUrl::new(format!("{issuer}/oauth/revoke")).ok())
            .set_device_authorization_url(
                DeviceAuthorizationUrl::new(format!("{issuer}/oauth/device_authorization"))
                    .unwrap(),
            )
            .set_redirect_uri(RedirectUrl::new("https://app.example.com/cb".into()).unwrap())
    }};
}

fn agent() -> oauth2::ureq::Agent {
    oauth2::ureq::AgentBuilder::new().redirects(0).build()
}

#[test]
fn the_crate_oauth2_gets_refreshes_and_inspects_tokens() {
    let server = Server::clients();
    let (client, http) = (client!(server), agent());
    let token = client
        .exchange_password(
            &ResourceOwnerUsername::new("ann".into()),
            &ResourceOwnerPassword::new("password".into()),
        )
        .add_scope(Scope::new("read".into()))
        .add_scope(Scope::new("write".into()))
        .request(&http)
        .unwrap();
    assert_eq!(token.scopes().unwrap().len(), 2);
    let refresh = RefreshToken::new(token.refresh_token().unwrap().secret().clone());
    let second = client.exchange_refresh_token(&refresh).request(&http).unwrap();
    assert!(server.is_live(second.access_token().secret()));
    let facts = client.introspect(second.access_token()).request(&http).unwrap();
    assert_eq!((facts.active(), facts.username()), (true, Some("ann")));
    assert_eq!(facts.client_id().unwrap().as_str(), "app");
    let alone = client.exchange_client_credentials().request(&http).unwrap();
    assert!(server.is_live(alone.access_token().secret()));
}

#[test]
fn the_crate_oauth2_signs_a_person_in() {
    let server = Server::clients();
    let (client, http) = (client!(server), agent());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state) =
        client.authorize_url(CsrfToken::new_random).set_pkce_challenge(challenge).url();
    // The user's browser: the page, then its form with a name and a password.
    let page = server.get(&format!("{}?{}", url.path(), url.query().unwrap()), &[]);
    let mut form = String::from("username=ann&password=password&decision=allow");
    for field in page.body.split("<input type=\"hidden\" name=\"").skip(1) {
        let (name, rest) = field.split_once("\" value=\"").unwrap();
        let value = rest.split('"').next().unwrap();
        let value: String = value.bytes().map(|b| format!("%{b:02X}")).collect();
        form.push_str(&format!("&{name}={value}"));
    }
    let answer = server.post("/oauth/authorize", &[], &form);
    assert_eq!(answer.location_parameter("state").as_deref(), Some(state.secret().as_str()));
    let code = AuthorizationCode::new(answer.location_parameter("code").unwrap());
    let token = client.exchange_code(code).set_pkce_verifier(verifier).request(&http).unwrap();
    assert!(server.is_live(token.access_token().secret()));
}

#[test]
fn the_crate_oauth2_connects_a_device() {
    let server = Server::with("device_interval = 1");
    let (client, http) = (client!(server), agent());
    let details: StandardDeviceAuthorizationResponse =
        client.exchange_device_code().request(&http).unwrap();
    let form = format!(
        "user_code={}&username=ann&password=password&decision=allow",
        details.user_code().secret()
    );
    assert_eq!(server.post("/oauth/device", &[], &form).status, 200);
    let token = client
        .exchange_device_access_token(&details)
        .request(&http, std::thread::sleep, None)
        .unwrap();
    assert!(server.is_live(token.access_token().secret()));
}

#[test]
fn the_crate_oauth2_would_revoke_over_tls_only() {
    // The crate insists on https, so its request is made by hand with the same form.
    let server = Server::clients();
    let client = client!(server);
    let token = server.access_token("read");
    let standard: StandardRevocableToken = oauth2::AccessToken::new(token.clone()).into();
    assert!(client.revoke_token(standard).is_err());
    let form = format!("token={token}&token_type_hint=access_token");
    assert_eq!(server.post("/oauth/revoke", &[APP], &form).body, "{}");
    assert!(!server.is_live(&token));
}

#[test]
fn the_previous_secret_is_good_until_it_is_taken_out_and_the_log_tells_of_its_use() {
    let text = "[client c]\nsecret = new\nprevious_secret = old\ngrants = client_credentials\n";
    let server = Server::configured(text);
    let ask = |secret: &str| {
        let form = format!("grant_type=client_credentials&client_id=c&client_secret={secret}");
        server.post("/oauth/token", &[], &form).status
    };
    assert_eq!((ask("new"), ask("old"), ask("other")), (200, 200, 401));
    let lines = || server.log().lines().filter(|line| line.contains(" POST ")).count();
    eventually(|| lines() == 3, "every request has its line");
    let log = server.log();
    let told: Vec<bool> = log
        .lines()
        .filter(|line| line.contains(" POST "))
        .map(|line| line.contains(" client=c secret=previous"))
        .collect();
    assert_eq!(told, [false, true, false]);
    let file = server.folder.path().join("oauth2d.conf");
    std::fs::write(file, text.replace("previous_secret = old\n", "")).unwrap();
    server.signal("HUP");
    server.notice(|what| what.ends_with("read again"));
    assert_eq!((ask("new"), ask("old")), (200, 401));
}

#[test]
fn a_previous_secret_stands_beside_one_that_follows_it() {
    let told = "oauth2d: FILE:2: previous_secret stands beside the secret that follows it; add \
                that, or call this one secret\n";
    let text = "[client c]\nprevious_secret_env = PATH\n";
    assert_eq!(crate::configuration::check(text), (2, String::new(), told.into()));
}
