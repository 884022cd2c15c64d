//! Contract section 6: what was issued outlives the process.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use sha2::Digest;

use crate::support::*;

pub const ANN: &str = "grant_type=password&username=ann&password=password";

/// A server with a state file beside the configuration, and these lines in `[server]`.
pub fn with_state(more: &str) -> Server {
    Server::with(&format!("state_file = state\n{more}"))
}

/// Ends the server with this signal, and starts it again with the same files.
pub fn again(mut server: Server, signal: &str) -> Server {
    server.signal(signal);
    let status = server.end();
    assert!(signal == "KILL" || status.success(), "{status} {}", server.log());
    started_in(std::mem::replace(&mut server.folder, Folder::new()))
}

pub fn started_in(folder: Folder) -> Server {
    let file = folder.path().join("oauth2d.conf");
    let arguments = ["--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    Server::start(&mut Command::new(PROGRAM), &arguments, folder)
}

/// Puts another configuration into force.
pub fn reload(server: &Server, text: &str) {
    let heard = |server: &Server| server.log().matches("configuration was read again").count();
    let before = heard(server);
    server.folder.write("oauth2d.conf", text);
    server.signal("HUP");
    eventually(|| heard(server) > before, "the configuration is not read again");
}

pub fn refresh(server: &Server, token: &str) -> Answer {
    server.token(APP, &format!("grant_type=refresh_token&refresh_token={token}"))
}

/// A code for `ann` through `app`.
pub fn code(server: &Server) -> String {
    let answer = authorize(server, "allow");
    answer.location_parameter("code").unwrap_or_else(|| panic!("{answer:?}"))
}

pub fn authorize(server: &Server, decision: &str) -> Answer {
    let form = "response_type=code&client_id=app&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcb\
                &state=s&username=ann&password=password&decision=";
    server.post("/oauth/authorize", &[], &format!("{form}{decision}"))
}

pub fn redeem(server: &Server, code: &str) -> Answer {
    let uri = "redirect_uri=https%3A%2F%2Fapp.example.com%2Fcb";
    server.token(APP, &format!("grant_type=authorization_code&code={code}&{uri}"))
}

pub fn device(server: &Server) -> (String, String) {
    let answer = server.post("/oauth/device_authorization", &[APP], "");
    (answer.member("device_code"), answer.member("user_code"))
}

pub fn decide(server: &Server, user_code: &str, decision: &str) -> Answer {
    let form = format!("user_code={user_code}&username=ann&password=password&decision={decision}");
    server.post("/oauth/device", &[], &form)
}

pub fn poll(server: &Server, device_code: &str) -> Answer {
    let grant = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code";
    server.token(APP, &format!("grant_type={grant}&device_code={device_code}"))
}

pub fn revoke(server: &Server, token: &str) -> Answer {
    server.post("/oauth/revoke", &[APP], &format!("token={token}"))
}

/// Every client goes on after an upgrade and after a kill, and nothing that ended comes back.
fn everyone_goes_on(more: &str, signal: &str) {
    let server = with_state(more);
    let kept = server.token(APP, ANN);
    let rotated = server.token(APP, ANN);
    let newest = refresh(&server, &rotated.member("refresh_token"));
    let revoked = server.token(APP, ANN);
    assert_eq!(revoke(&server, &revoked.member("refresh_token")).status, 200);
    let (unspent, spent) = (code(&server), code(&server));
    assert_eq!(redeem(&server, &spent).status, 200);
    let [pending, allowed, denied] = [(); 3].map(|()| device(&server));
    assert_eq!(decide(&server, &allowed.1, "allow").status, 200);
    assert_eq!(decide(&server, &denied.1, "deny").status, 200);

    let server = again(server, signal);
    for (answer, is_live) in [(&kept, true), (&newest, true), (&rotated, false), (&revoked, false)]
    {
        assert_eq!(server.is_live(&answer.member("access_token")), is_live);
    }
    assert_eq!(refresh(&server, &kept.member("refresh_token")).status, 200);
    assert_eq!(refresh(&server, &revoked.member("refresh_token")).status, 400);
    assert_eq!(redeem(&server, &unspent).status, 200);
    assert_eq!(redeem(&server, &spent).error(), (400, "invalid_grant".into()));
    assert_eq!(poll(&server, &pending.0).error(), (400, "authorization_pending".into()));
    assert_eq!(decide(&server, &pending.1, "allow").status, 200);
    assert_eq!(poll(&server, &allowed.0).status, 200);
    assert_eq!(poll(&server, &denied.0).error(), (400, "access_denied".into()));
    // What was used before the restart is recognized after it.
    assert_eq!(refresh(&server, &rotated.member("refresh_token")).status, 400);
    assert!(!server.is_live(&newest.member("access_token")));
}

#[test]
fn everyone_goes_on_after_an_upgrade() {
    everyone_goes_on("", "TERM");
}

#[test]
fn everyone_goes_on_after_a_kill() {
    everyone_goes_on("", "KILL");
}

#[test]
fn everyone_goes_on_where_every_answer_waits_for_the_disk() {
    everyone_goes_on("state_sync = always", "KILL");
}

#[test]
fn a_start_says_what_it_has_read() {
    let server = with_state("");
    server.token(APP, ANN);
    let path = server.folder.path().join("state");
    server.log_line(|line| {
        line.contains(&format!("{}: read 0 access and 0 refresh tokens in ", path.display()))
    });
    let server = again(server, "KILL");
    let line = server.log_line(|line| line.contains(": read "));
    let told = format!("{}: read 1 access and 1 refresh tokens in ", path.display());
    assert!(line.contains(&told) && line.ends_with(" ms"), "{line}");
}

#[test]
fn the_file_is_its_owners_alone_and_holds_no_token() {
    let server = with_state("");
    let issued = server.token(APP, ANN);
    let code = code(&server);
    let mode = |name: &str| {
        let data = std::fs::metadata(server.folder.path().join(name)).unwrap();
        data.permissions().mode() & 0o777
    };
    assert_eq!((mode("state"), mode("state.lock")), (0o600, 0o600));
    let bytes = std::fs::read(server.folder.path().join("state")).unwrap();
    let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    let access_token = issued.member("access_token");
    assert!(holds(&sha2::Sha256::digest(&access_token)[..20]), "it is kept by its hash");
    for secret in [access_token, issued.member("refresh_token"), code] {
        let digits = &secret[secret.len() - 40..];
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        let stood_for: Vec<u8> = (0..40).step_by(2).map(byte).collect();
        // Not even a half of them.
        assert!(!digits.as_bytes().chunks(20).chain(stood_for.chunks(10)).any(holds));
    }
}

#[test]
fn a_link_to_the_file_is_followed() {
    let folder = Folder::new();
    folder.write("oauth2d.conf", format!("[server]\nstate_file = state\n{CLIENTS}"));
    std::fs::create_dir(folder.path().join("real")).unwrap();
    symlink("real/state", folder.path().join("state")).unwrap();
    let server = started_in(folder);
    let token = server.token(APP, ANN).member("access_token");
    assert!(server.folder.path().join("real/state").exists());
    assert!(again(server, "KILL").is_live(&token));
}

#[test]
fn who_was_removed_stays_gone_whenever_the_name_returns() {
    let server = with_state("");
    let text = std::fs::read_to_string(server.folder.path().join("oauth2d.conf")).unwrap();
    let without =
        text.split("[user ann]").next().unwrap().to_string() + "[user bob]\npassword = p\n";
    let [first, second] = [(); 2].map(|()| server.token(APP, ANN).member("access_token"));
    reload(&server, &without);
    assert!(!server.is_live(&first));
    let server = again(server, "KILL");
    assert!(!server.is_live(&first));
    reload(&server, &text);
    assert!(!server.is_live(&first));
    let third = server.token(APP, ANN).member("access_token");
    // Gone for one start only.
    server.folder.write("oauth2d.conf", &without);
    let server = again(server, "TERM");
    server.folder.write("oauth2d.conf", &text);
    let server = again(server, "KILL");
    assert_eq!([&first, &second, &third].map(|token| server.is_live(token)), [false; 3]);
}

#[test]
fn another_state_file_needs_a_restart() {
    let server = with_state("");
    let token = server.token(APP, ANN).member("access_token");
    let text = std::fs::read_to_string(server.folder.path().join("oauth2d.conf")).unwrap();
    reload(&server, &text.replace("state_file = state", "state_file = other\nstate_sync = always"));
    for key in ["state_file", "state_sync"] {
        let told = format!("{key} has changed in the file; that needs a restart");
        server.log_line(|line| line.ends_with(&told));
    }
    assert!(server.is_live(&token) && !server.folder.path().join("other").exists());
}

/// All that a start with this file says before it fails.
fn refusal(folder: &Folder) -> String {
    let file = folder.write("second.conf", format!("[server]\nstate_file = state\n{CLIENTS}"));
    let (code, out, err) = run(&["--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    let warned = |line: &&str| !line.contains(": warning: ");
    let lines: Vec<&str> = err.lines().filter(warned).collect();
    assert_eq!(lines.len(), 1, "{err}");
    let place = format!("oauth2d: {}: ", folder.path().join("state").display());
    lines[0].strip_prefix(&place).unwrap_or_else(|| panic!("{err}")).into()
}

#[test]
fn a_second_process_is_refused() {
    let server = with_state("");
    assert_eq!(refusal(&server.folder), "another oauth2d uses this state file");
    assert_eq!(server.token(APP, ANN).status, 200);
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_left_as_it_is() {
    let folder = Folder::new();
    for (bytes, told) in [
        ("#!/bin/sh\n", "this is no state file of oauth2d"),
        (
            "oauth2d state 2\n\x01\x02",
            "written by a newer oauth2d; start that one, or move the file away",
        ),
    ] {
        let path = folder.write("state", bytes);
        assert_eq!(refusal(&folder), told);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), bytes);
    }
    std::fs::remove_file(folder.path().join("state")).unwrap();
    std::fs::create_dir(folder.path().join("state")).unwrap();
    assert!(refusal(&folder).starts_with("cannot be opened: "));
}

#[test]
fn damage_is_told_with_its_place_and_an_unfinished_step_is_dropped() {
    let mut server = with_state("");
    let token = server.token(APP, ANN);
    server.signal("TERM");
    assert!(server.end().success());
    let path = server.folder.path().join("state");
    let good = std::fs::read(&path).unwrap();
    let confirmed = good.len() - 17;
    let mut bytes = good.clone();
    bytes[16] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let told = format!(
        "damaged at byte 16; the disk had confirmed {confirmed}; restore a copy, or move it away: \
         everyone then signs in again"
    );
    assert_eq!(refusal(&server.folder), told);

    std::fs::write(&path, [&good[..], &[1, 2, 3]].concat()).unwrap();
    let server = again_after_the_end(server);
    let told = format!("{}: the last 3 bytes are an unfinished step; dropped", path.display());
    server.log_line(|line| line.ends_with(&told));
    assert!(server.is_live(&token.member("access_token")));
}

fn again_after_the_end(mut server: Server) -> Server {
    started_in(std::mem::replace(&mut server.folder, Folder::new()))
}

#[test]
fn a_copy_that_was_taken_while_it_ran_can_be_restored() {
    let server = with_state("");
    let token = server.token(APP, ANN).member("access_token");
    let copy = std::fs::read(server.folder.path().join("state")).unwrap();
    revoke(&server, &token);
    let folder = Folder::new();
    folder.write("oauth2d.conf", format!("[server]\nstate_file = state\n{CLIENTS}"));
    folder.write("state", copy);
    assert!(started_in(folder).is_live(&token));
}
