//! Contract section 6: what a start says about its engine, and what it never says.

use std::process::{Command, Stdio};

use super::asks::fixed_token;
use super::redis::Engine;
use super::resp::Value;
use crate::state::*;
use crate::support::*;

/// The rights that are enough.
const RIGHTS: [&str; 8] = ["+get", "+mget", "+set", "+del", "+exists", "+eval", "+ping", "+scan"];

/// Makes the engine's user `limited`, who may do this and no more.
fn limit(engine: &Engine, rights: &[&str]) {
    let fixed = ["ACL", "SETUSER", "limited", "reset", "on", ">hunter2", "~{oauth2d}*", "-@all"];
    engine.ask(&[&fixed[..], rights].concat());
}

const LIMITED: &str = "store_user = limited\nstore_password = hunter2\n";

/// The configuration of a server on this engine, with these lines in `[server]`.
fn text(url: &str, more: &str) -> String {
    format!("[server]\nstore = {url}\n{more}\n{CLIENTS}")
}

/// The line with which a start ends.
#[track_caller]
fn refusal(url: &str, more: &str) -> String {
    let folder = Folder::new();
    let file = folder.write("oauth2d.conf", text(url, more));
    let mut command = Command::new(PROGRAM);
    command.arg("--config").arg(&file).args(["--listen", "127.0.0.1:0"]).stdout(Stdio::null());
    let mut server = Server::starting(&mut command, folder);
    let code = server.end().code();
    let is_last = |line: &str| line.starts_with("oauth2d: ");
    let line = server.log_line(is_last);
    let log = server.log();
    assert_eq!((code, log.lines().filter(|line| is_last(line)).count()), (Some(1), 1), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
    let rest = line.strip_prefix(&format!("oauth2d: {url}: "));
    rest.unwrap_or_else(|| panic!("{log}")).into()
}

#[test]
fn a_wrong_user_or_password_ends_the_start() {
    let Some(engine) = Engine::with(&["--requirepass", "right"]) else { return };
    limit(&engine, &RIGHTS);
    for more in [
        "store_password = hunter2",
        "store_user = nobody\nstore_password = hunter2",
        "store_user = limited\nstore_password = hunter22",
    ] {
        assert_eq!(refusal(&engine.url(), more), "it refuses user or password", "{more}");
    }
    let told = refusal(&engine.url(), "");
    assert_eq!(told, "it wants a password; write store_password");
    // One that wants none takes none.
    let Some(open) = Engine::start() else { return };
    assert_eq!(refusal(&open.url(), "store_password = hunter2"), "it refuses user or password");
}

#[test]
fn a_database_that_is_not_there_ends_the_start() {
    let Some(engine) = Engine::start() else { return };
    let told = refusal(&format!("{}/4096", engine.url()), "");
    assert!(told.starts_with("there is no such database"), "{told}");
}

/// Asserts that a user with these rights can do everything that a server does.
#[track_caller]
fn assert_enough(engine: &Engine, url: &str) {
    engine.ask(&["ACL", "LOG", "RESET"]);
    let (fixed, section) = fixed_token();
    let more = format!("{LIMITED}device_interval = 0\ncontrol = control.sock\n{section}");
    let server = Server::configured(&text(url, &more));
    let held = super::asks::Held::of(&server, &fixed);
    super::asks::assert_spendable(&server, &held);
    assert_eq!(refresh(&server, &held.refresh).status, 400);
    let own = server.token(APP, ANN);
    assert_eq!(revoke(&server, &own.member("access_token")).status, 200);
    assert_eq!(revoke(&server, &own.member("refresh_token")).status, 200);
    let denied = device(&server);
    assert_eq!(decide(&server, &denied.1, "deny").status, 200);
    server.token(APP, ANN);
    let file = server.folder.path().join("oauth2d.conf");
    for command in ["--tokens", "--end"] {
        let (code, _, err) = run(&[command, "--user", "ann", "--config", file.to_str().unwrap()]);
        assert_eq!((code, err.as_str()), (0, ""));
    }
    assert_eq!(server.get("/readyz", &[]).status, 200);
    let log = engine.ask(&["ACL", "LOG"]).array();
    let object = |entry: Value| entry.array().swap_remove(7).text();
    let mut refused: Vec<String> = log.into_iter().map(object).collect();
    // It is no fault that it may not look at the policy.
    refused.retain(|object| object != "config|get");
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn the_rights_that_the_readme_names_are_enough() {
    let Some(engine) = Engine::start() else { return };
    limit(&engine, &RIGHTS);
    assert_enough(&engine, &engine.url());
    limit(&engine, &[&RIGHTS[..], &["+select"]].concat());
    assert_enough(&engine, &format!("{}/3", engine.url()));
    limit(&engine, &[&RIGHTS[..], &["+config|get"]].concat());
    assert_enough(&engine, &engine.url());
}

#[test]
fn rights_that_are_too_narrow_end_the_start_or_deny_nothing() {
    let Some(engine) = Engine::start() else { return };
    for missing in RIGHTS {
        let rights: Vec<&str> = RIGHTS.iter().filter(|it| **it != missing).copied().collect();
        limit(&engine, &rights);
        // Some that are listed for later are not used yet.
        if ["+mget", "+exists", "+ping"].contains(&missing) {
            assert_enough(&engine, &engine.url());
        } else {
            let told = refusal(&engine.url(), LIMITED);
            assert_eq!(told, "the user's rights are too narrow", "{missing}");
        }
    }
    limit(&engine, &RIGHTS);
    let told = refusal(&format!("{}/3", engine.url()), LIMITED);
    assert!(told.contains("rights are too narrow"), "{told}");
    // Other keys than ours.
    let told = refusal(&engine.url(), &format!("{LIMITED}store_prefix = other:"));
    assert_eq!(told, "the user's rights are too narrow");
}

#[test]
fn a_policy_that_drops_tokens_is_told() {
    let Some(engine) = Engine::with(&["--maxmemory-policy", "allkeys-lru"]) else { return };
    let about = |notice: &str| notice.contains("maxmemory-policy") && notice.contains("noeviction");
    let server = engine.server("");
    server.notice(|notice| notice.starts_with(&engine.url()) && about(notice));
    assert_eq!(server.log().lines().filter(|line| about(line)).count(), 1, "{}", server.log());
    // One that may not ask says nothing, and neither does one that has nothing to say.
    limit(&engine, &RIGHTS);
    let silent = Server::configured(&text(&engine.url(), LIMITED));
    engine.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    for server in [silent, engine.server("")] {
        server.token(APP, ANN);
        server.notice(|notice| notice.ends_with("tokens in the engine"));
        assert!(!server.log().lines().any(about), "{}", server.log());
    }
}

#[test]
fn a_start_says_where_the_state_is_kept() {
    let Some(engine) = Engine::start() else { return };
    let server = engine.server("");
    server.notice(|notice| notice == "5 clients, 2 users, 0 resources, tokens in the engine");
    let kept = format!("the state is kept in {}", engine.url());
    server.notice(|notice| notice == kept);
}

#[test]
fn a_password_comes_from_a_file_or_the_environment_and_is_said_nowhere() {
    let Some(engine) = Engine::with(&["--requirepass", "hunter2"]) else { return };
    let folder = Folder::new();
    let file = folder.write("password", "hunter2\n");
    for key in [
        "store_password = hunter2".to_string(),
        format!("store_password_file = {}", file.display()),
        "store_password_env = OAUTH2D_TEST_STORE_PASSWORD".to_string(),
    ] {
        let mut command = Command::new(PROGRAM);
        command.env("OAUTH2D_TEST_STORE_PASSWORD", "hunter2");
        let mut server = Server::configured_by(&mut command, &text(&engine.url(), &key));
        assert!(server.is_live(&server.access_token("read")));
        let config = server.folder.path().join("oauth2d.conf");
        let (_, out, err) = run(&["--check", "--config", config.to_str().unwrap()]);
        assert!(!out.contains("hunter2") && !err.contains("hunter2"), "{out}{err}");
        server.signal("TERM");
        assert!(server.end().success());
        assert!(!server.log().contains("hunter2"), "{}", server.log());
    }
}

#[test]
fn a_password_that_stands_where_it_should_not_is_not_repeated() {
    for wrong in [
        "store = redis://user:hunter2@localhost:6379",
        "store = redis://:hunter2@localhost",
        "store = rediss://:hunter2@localhost",
        "store = http://user:hunter2@localhost",
        "store = hunter2@localhost:6379",
        "store = redis://localhost/hunter2",
        "store = redis://localhost\nstore_pasword = hunter2",
        "store_password = hunter2",
        "store = redis://localhost\nstore_password = hunter2\nstore_password_env = hunter2",
    ] {
        let folder = Folder::new();
        let file = folder.write("oauth2d.conf", format!("[server]\n{wrong}\n{CLIENTS}"));
        for check in [&["--check"][..], &["--listen", "127.0.0.1:0"]] {
            let arguments = [&["--config", file.to_str().unwrap()], check].concat();
            let (code, out, err) = run(&arguments);
            assert_eq!(code, 2, "{wrong}: {out}{err}");
            assert!(!out.contains("hunter2") && !err.contains("hunter2"), "{wrong}: {err}");
        }
    }
}

#[test]
fn metrics_tell_of_the_engine_and_of_no_live_tokens() {
    let Some(mut engine) = Engine::start() else { return };
    let server = engine.server("metrics_listen = 127.0.0.1:0");
    let place = server.notice(|what| what.starts_with("metrics on http://"));
    let place = place.strip_prefix("metrics on http://").unwrap().strip_suffix("/metrics").unwrap();
    let metrics = || {
        let mut connection = Connection::to(place.parse().unwrap());
        connection.send("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
        connection.answer().body
    };
    let value = |name: &str| {
        let text = metrics();
        let line = text.lines().find(|line| line.split(['{', ' ']).next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert_eq!(value("oauth2d_store_errors_total"), 0.0);
    server.token(APP, ANN);
    assert!(value("oauth2d_store_connections") >= 1.0);
    let before = value("oauth2d_store_duration_seconds_count");
    server.token(APP, ANN);
    assert!(value("oauth2d_store_duration_seconds_count") > before);
    assert!(value("oauth2d_store_duration_seconds_sum") > 0.0);
    let text = metrics();
    for absent in ["oauth2d_live_tokens", "oauth2d_pending_grants", "oauth2d_state_file"] {
        assert!(!text.contains(absent), "{text}");
    }
    assert!(text.contains("oauth2d_store_duration_seconds_bucket{le=\"+Inf\"}"), "{text}");
    engine.kill();
    assert_eq!(server.token(APP, ANN).status, 503);
    assert!(value("oauth2d_store_errors_total") > 0.0);
    eventually(|| value("oauth2d_store_connections") == 0.0, "connections are counted");
}
