//! Contract sections 3, 4 and 6: whose tokens a service accepts, and what happens to them at a
//! reload, a removal and a restart.

use serde_json::json;

use crate::resources::*;
use crate::state::{ANN, again, authorize, decide, poll, redeem, refresh, reload, with_state};
use crate::support::*;

#[test]
fn a_client_that_a_service_does_not_list_gets_no_token_for_it() {
    let server = served_with("clients = other\n");
    let other = named(OTHER_SERVICE);
    for form in [ANN, "grant_type=client_credentials"] {
        let answer = server.token(APP, &format!("{form}&{other}"));
        assert_eq!(answer.error(), invalid("invalid_target"), "{form}");
    }
    let started = server.post("/oauth/device_authorization", &[APP], &other);
    assert_eq!(started.error(), invalid("invalid_target"));
    let back = authorize(&server, &format!("allow&{other}"));
    assert_eq!(
        (back.status, back.location_parameter("error").unwrap().as_str()),
        (303, "invalid_target")
    );
    assert_eq!(server.token(OTHER, &format!("{ANN}&{other}")).status, 200);
    assert_eq!(server.token(APP, &format!("{ANN}&{}", named(NOTES))).status, 200);
}

#[test]
fn a_user_whom_a_service_does_not_list_gives_no_token_for_it() {
    let server = served_with("users = bob\n");
    let other = named(OTHER_SERVICE);
    let answer = server.token(APP, &format!("{ANN}&{other}"));
    assert_eq!(answer.error(), invalid("invalid_target"));
    let alone = server.token(APP, &format!("grant_type=client_credentials&{other}"));
    assert_eq!(alone.error(), invalid("invalid_target"));
    let back = authorize(&server, &format!("allow&{other}"));
    assert_eq!(
        (back.status, back.location_parameter("error").unwrap().as_str()),
        (303, "access_denied")
    );
    let (device_code, user_code) = device(&server, &other);
    assert_eq!(decide(&server, &user_code, "allow").status, 403);
    assert_eq!(poll(&server, &device_code).error(), invalid("access_denied"));
    assert_eq!(server.token(APP, &format!("{}&{other}", ANN.replace("ann", "bob"))).status, 200);
}

#[test]
fn who_is_no_longer_listed_is_kept_out_after_a_reload() {
    for list in ["clients = other\n", "users = bob\n"] {
        let server = served();
        let issued = issue(&server, OTHER_SERVICE);
        let (token, newest) = (issued.member("access_token"), issued.member("refresh_token"));
        let code = code_for(&server, OTHER_SERVICE);
        let (device_code, user_code) = device(&server, &named(OTHER_SERVICE));
        assert_eq!(decide(&server, &user_code, "allow").status, 200);
        reload(&server, &text(list));
        let place = named(OTHER_SERVICE);
        assert_eq!(ask(&server, &place, &token).error(), (401, "invalid_token".into()), "{list}");
        assert_eq!(introspect(&server, &token), json!({"active": false}), "{list}");
        assert_eq!(refresh(&server, &newest).error(), invalid("invalid_grant"), "{list}");
        let is_clients = list.starts_with("clients");
        let (polled, redeemed) = match is_clients {
            true => ("invalid_target", "invalid_target"),
            false => ("access_denied", "invalid_grant"),
        };
        assert_eq!(poll(&server, &device_code).error(), invalid(polled));
        assert_eq!(redeem(&server, &code).error(), invalid(redeemed));
        // A client that is listed again has its unspent tokens back.
        reload(&server, &text(""));
        assert_eq!(ask(&server, &place, &token).status, 200, "{list}");
        assert_eq!(refresh(&server, &newest).status, 200, "{list}");
        assert_eq!(poll(&server, &device_code).status, 200);
    }
}

#[test]
fn what_a_service_that_is_gone_was_given_is_good_nowhere_and_stays_gone() {
    let without_one = text("").replace("[resource http://Other", "[resource http://Another");
    let without_any = format!("[server]\n{CLIENTS}");
    for gone in [without_one, without_any] {
        let server = served();
        let issued = issue(&server, OTHER_SERVICE);
        let (token, newest) = (issued.member("access_token"), issued.member("refresh_token"));
        let codes = [code_for(&server, OTHER_SERVICE), code_for(&server, OTHER_SERVICE)];
        let (device_code, user_code) = device(&server, &named(OTHER_SERVICE));
        assert_eq!(decide(&server, &user_code, "allow").status, 200);
        let (_, pending) = device(&server, &named(OTHER_SERVICE));
        let is_gone = |code: &str| {
            for place in ["/", "/oauth/authenticate", "/oauth/userinfo"] {
                let answer = server.get(place, &[&format!("Authorization: Bearer {token}")]);
                assert_eq!(answer.error(), (401, "invalid_token".into()), "{place}");
            }
            for token in [&token, &newest] {
                assert_eq!(introspect(&server, token), json!({"active": false}));
            }
            assert_eq!(refresh(&server, &newest).error(), invalid("invalid_grant"));
            assert_eq!(redeem(&server, code).error(), invalid("invalid_grant"));
            assert_eq!(poll(&server, &device_code).error(), invalid("invalid_grant"));
            assert_eq!(decide(&server, &pending, "allow").status, 403);
        };
        reload(&server, &gone);
        is_gone(&codes[0]);
        reload(&server, &text(""));
        is_gone(&codes[1]);
    }
}

#[test]
fn a_restart_keeps_what_each_token_is_for() {
    let server = with_state(SERVICES);
    let issued = issue(&server, NOTES);
    let (token, newest) = (issued.member("access_token"), issued.member("refresh_token"));
    let unspent = code_for(&server, NOTES);
    let (device_code, user_code) = device(&server, &named(NOTES));
    let (pending, pending_code) = device(&server, &named(NOTES));
    assert_eq!(decide(&server, &user_code, "allow").status, 200);
    let server = again(server, "KILL");
    assert_eq!(ask(&server, &named(NOTES), &token).status, 200);
    assert_eq!(server.bearer(&token).status, 401);
    assert_eq!(decide(&server, &pending_code, "allow").status, 200);
    for answer in [
        refresh(&server, &newest),
        redeem(&server, &unspent),
        poll(&server, &device_code),
        poll(&server, &pending),
    ] {
        assert_eq!(introspect(&server, &answer.member("access_token"))["aud"], json!([NOTES]));
    }
}
