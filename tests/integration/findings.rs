//! Contract section 3: everything that `--check` warns of and refuses, each by its whole line.
//! `fixed_tokens.rs` tests what is said about `[token]`, and `src/config/resource.rs` about
//! `[resource]`.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::support::*;

/// What is said about a file with this text that only its owner may read.
fn check(text: &str) -> (i32, String) {
    let folder = Folder::new();
    let file = folder.write("c.conf", text);
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let (code, _, err) = run(&["--config", file.to_str().unwrap(), "--check"]);
    let err = err.replace(file.to_str().unwrap(), "FILE");
    (code, err.replace(folder.path().to_str().unwrap(), "FOLDER"))
}

const FAST: &str = "sha256$2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
/// With too few iterations to hold up guessing.
const FEW: &str = "pbkdf2-sha256$1000$c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

#[test]
fn each_warning_is_a_whole_line_and_changes_no_exit_code() {
    for (lines, line, what) in [
        (
            "scopes = read, write\ndefault_scopes = write",
            2,
            "scopes has a comma, which counts as part of a word; separate words with blanks",
        ),
        (
            "redirect_uris = https://*.example.com/",
            2,
            "redirect_uris has a *, which is no wildcard; write each URI in full",
        ),
        (
            "scopes = read",
            1,
            "scopes without default_scopes: a request without a scope gets a token without any",
        ),
        (
            &format!("[user u]\npassword_hash = {FAST}"),
            3,
            "password_hash is a fast hash, right for random secrets alone; oauth2d --hash makes one \
             that holds guessing up",
        ),
        (
            &format!("[user u]\npassword_hash = {FEW}"),
            3,
            "password_hash has 1000 iterations, and 600000 are the least that hold guessing up; \
             oauth2d --hash makes a new one",
        ),
        (
            "[client \"b\"]",
            2,
            "the client's id has a double quote in it, which is part of it; is that intended?",
        ),
        (
            "[user b\"]\npassword = p",
            2,
            "the user's name has a double quote in it, which is part of it; is that intended?",
        ),
        (
            "name = My \"App\"",
            2,
            "name has a double quote in it, which is part of it; is that intended?",
        ),
        (
            "refresh_token_grace = 61",
            2,
            "refresh_token_grace is more than 60 seconds: for so long a stolen refresh token works \
             beside the program's own",
        ),
        (
            "[server]\nauthorization_code_lifetime = 601",
            3,
            "authorization_code_lifetime is more than 600 seconds, the most that RFC 6749 \
             recommends: a stolen code is good for as long",
        ),
        (
            "[server]\ntrusted_proxies = 127.0.0.1 0.0.0.0/0",
            3,
            "trusted_proxies trusts everyone, so anyone can make up the address that guesses are \
             counted by; name your proxies",
        ),
        (
            "[server]\nlisten_mode = 666",
            3,
            "listen_mode has rights for others, and who opens the socket may name any client \
             address; give them to a group, such as 660",
        ),
        (
            "[server]\nstate_file = none/state",
            3,
            "the folder of state_file, FOLDER/none, is missing; make it",
        ),
        (
            "[server]\ncontrol = none/control.sock",
            3,
            "the folder of control, FOLDER/none, is missing; make it",
        ),
        (
            "[server]\ncontrol = c.conf/control.sock",
            3,
            "the folder of control, FILE, is a file; write another path",
        ),
    ] {
        let told = format!("oauth2d: FILE:{line}: warning: {what}\n");
        assert_eq!(check(&format!("[client c]\n{lines}\n")), (0, told), "{lines}");
    }
}

#[test]
fn users_whose_hashes_cost_differently_are_warned_of() {
    let slow = FEW.replace("1000", "600000");
    let text = format!(
        "[client c]\n[user a]\npassword = p\n[user b]\npassword_hash = {slow}\n[user d]\npassword = p\n"
    );
    let told = |line| {
        format!(
            "oauth2d: FILE:{line}: warning: this user's password is faster to check than \
             another's, which tells by time that the name exists; give all of them hashes of \
             600000 iterations\n"
        )
    };
    assert_eq!(check(&text), (0, format!("{}{}", told(3), told(7))));
}

#[test]
fn each_secret_that_others_can_read_is_warned_of_at_its_own_line() {
    let folder = Folder::new();
    let text = "[client c]\nsecret = s\nprevious_secret = t\n[user u]\npassword_file = p\n";
    for file in [folder.write("p", "password\n"), folder.write("c.conf", text)] {
        fs::set_permissions(&file, Permissions::from_mode(0o604)).unwrap();
    }
    let file = folder.path().join("c.conf");
    let (_, out, err) = run(&["--config", file.to_str().unwrap(), "--check"]);
    let name = file.display();
    let told = |line, key, how| {
        format!(
            "oauth2d: {name}:{line}: warning: every user of this machine can read {key}; {how}\n"
        )
    };
    let own = "chmod o-r the file, or keep a hash (oauth2d --hash)";
    let expected = [
        told(2, "secret", own),
        told(3, "previous_secret", own),
        told(5, "password_file", "chmod o-r it"),
    ];
    assert_eq!(err, expected.concat());
    assert_eq!(out, format!("{name}: ok: 1 clients, 1 users, 0 resources\n"));
}

#[test]
fn a_folder_that_cannot_be_written_is_warned_of() {
    let folder = Folder::new();
    let file = folder.write("c.conf", "[client c]\n[server]\nstate_file = locked/state\n");
    let locked = folder.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, Permissions::from_mode(0o555)).unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("--check").arg("--config").arg(&file);
    // The superuser may write everywhere.
    if fs::metadata(&locked).unwrap().uid() == 0 {
        command.uid(65534).gid(65534);
    }
    let output = match command.output() {
        Ok(output) => output,
        // Other users cannot reach the program.
        Err(error) => return eprintln!("not tried: {error}"),
    };
    let told = format!(
        "oauth2d: {}:3: warning: the folder of state_file, {}, cannot be written by this user; \
         give it to the one who runs the server\n",
        file.display(),
        locked.display()
    );
    assert_eq!(String::from_utf8(output.stderr).unwrap(), told);
    assert_eq!(output.status.code(), Some(0));
}

/// Faults after a `[client c]` in line 1.
#[test]
fn each_refusal_is_a_whole_line_with_the_line_of_the_key_at_fault() {
    for (lines, line, what) in [
        (
            "grants = client_credentials",
            2,
            "client_credentials is not for public clients; give it a secret or take the grant away",
        ),
        ("secret =", 2, "secret is empty; write one or leave it out"),
        ("secret = s\ngrants = authorization_code", 1, "authorization_code needs redirect_uris"),
        (
            "redirect_uris = /callback",
            2,
            "a redirect URI is relative; write the whole URI, such as \
             https://app.example.com/callback",
        ),
        (
            "redirect_uris = https://h/#",
            2,
            "a redirect URI has a fragment; leave out # and what follows it",
        ),
        ("redirect_uris = javascript:alert(1)", 2, "a redirect URI would run a script; use https"),
        ("redirect_uris = Data:text/html,x", 2, "a redirect URI would run a script; use https"),
        (
            "redirect_uris = http://localhost.example.com/",
            2,
            "a redirect URI sends codes in the clear; use https, or set insecure_redirects = yes \
             in [server]",
        ),
        (
            "scopes = read\ndefault_scopes = raed",
            3,
            "default_scopes has a scope that scopes lacks; did you mean read?",
        ),
        (
            "[user \u{7}]\npassword = p",
            2,
            "the section's name has a control character; leave it out",
        ),
        (
            "[user u]",
            2,
            "the user has no password; add password, password_hash, password_file or password_env",
        ),
        (
            "[user c]\npassword = p",
            2,
            "a user and a client have this name; give one of them another",
        ),
        (
            "refresh_token_grace = 3601",
            2,
            "refresh_token_grace must be a whole number from 0 to 3600; did you mean 3600?",
        ),
        (
            "previous_secret = s",
            2,
            "previous_secret stands beside the secret that follows it; add that, or call this one \
             secret",
        ),
        (
            "[server]\nregistration_client = d",
            3,
            "registration_client is not a [client] of this file; did you mean c?",
        ),
        (
            "[server]\nregistration_client = c",
            3,
            "registration_client must be a public client (one without a secret) that may use \
             authorization_code",
        ),
        (
            "[server]\nmetrics_listen = 127.0.0.1:3000",
            3,
            "metrics_listen and listen are the same address; give one of them another port",
        ),
        ("[server]\nstate_sync = ends", 3, "state_sync needs state_file"),
        (
            "[server]\nstore = rediss://engine",
            3,
            "store speaks no TLS; let a tunnel such as stunnel do it, and write redis:// and its own \
             end",
        ),
        (
            "[server]\nstore = redis://user:hunter2@engine",
            3,
            "store must name no user or password; write them as store_user and store_password",
        ),
        ("[server]\nstore = engine", 3, "store must be a URL; did you mean redis://engine:6379?"),
        (
            "[server]\nstore = redis://engine\nstate_file = s",
            4,
            "store and state_file are both set; keep one of them",
        ),
        ("[server]\nstore_prefix = a", 3, "store_prefix needs store"),
        (
            "[server]\nstate_file = s\nstate_sync = alwys",
            4,
            "state_sync must be ends or always; did you mean always?",
        ),
        (
            "[server]\nbearer_in_query = yess",
            3,
            "bearer_in_query must be yes or no; did you mean yes?",
        ),
        (
            "[server]\nlisten = 127.0.0.1:1 0.0.0.0:1",
            2,
            "a server on a wildcard address needs issuer, its public URL, in [server]",
        ),
    ] {
        let told = format!("oauth2d: FILE:{line}: {what}\n");
        assert_eq!(check(&format!("[client c]\n{lines}\n")), (2, told), "{lines}");
    }
}
