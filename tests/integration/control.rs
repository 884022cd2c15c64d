//! Contract section 7: the control socket, `--tokens` and `--end`.

use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::support::*;

const ANN: &str = "grant_type=password&username=ann&password=password";

fn server() -> Server {
    Server::with("control = control.sock\n[resource https://api.example.com/mcp]\n")
}

fn socket(server: &Server) -> PathBuf {
    server.folder.path().join("control.sock")
}

fn config(server: &Server) -> String {
    server.folder.path().join("oauth2d.conf").display().to_string()
}

/// What the program says with these arguments about this server.
fn ask(server: &Server, arguments: &[&str]) -> (i32, String, String) {
    let config = config(server);
    run(&[arguments, &["--config", &config]].concat())
}

fn ended(count: usize) -> (i32, String, String) {
    (0, format!("revoked {count} tokens\n"), String::new())
}

/// The rows of the table, without times.
fn rows(server: &Server, arguments: &[&str]) -> Vec<String> {
    let (code, out, err) = ask(server, &[&["--tokens"], arguments].concat());
    assert_eq!((code, err.as_str()), (0, ""));
    let mut lines = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let header = ["client", "user", "kind", "scope", "resource", "issued", "expires"];
    assert_eq!(lines.next().unwrap(), header);
    let mut rows: Vec<String> = lines.map(|row| row[..row.len() - 2].join(" ")).collect();
    rows.sort();
    rows
}

#[test]
fn tokens_are_listed_as_a_table() {
    let server = server();
    server.token(APP, ANN);
    server.token(APP, "grant_type=client_credentials&scope=read+write");
    let resource = "resource=https%3A%2F%2Fapi.example.com%2Fmcp";
    server.token(OTHER, &format!("{ANN}&{resource}"));
    let all = [
        "app - access read write -",
        "app ann access read -",
        "app ann refresh read -",
        "other ann access - https://api.example.com/mcp",
        "other ann refresh - https://api.example.com/mcp",
    ];
    assert_eq!(rows(&server, &[]), all);
    assert_eq!(rows(&server, &["--client", "app"]), all[..3]);
    assert_eq!(rows(&server, &["--user", "ann", "--client=app"]), all[1..3]);
    assert_eq!(rows(&server, &["--resource", "HTTPS://api.example.com/mcp/"]), all[3..]);
    let (_, out, _) = ask(&server, &["--tokens", "--client", "app", "--user", "ann"]);
    let time = out.lines().nth(1).unwrap().split_whitespace().last().unwrap();
    assert!(time.len() == 20 && time.ends_with('Z') && &time[10..11] == "T", "{time}");
    let nothing = (0, String::new(), "oauth2d: no token matches\n".into());
    for nobody in [&["--client", "x"][..], &["--user", "bob"], &["--resource", "https://x"]] {
        assert_eq!(ask(&server, &[&["--tokens"], nobody].concat()), nothing);
    }
}

#[test]
fn tokens_are_listed_as_json() {
    let server = server();
    let issued = server.token(APP, "grant_type=client_credentials").member("access_token");
    let (code, out, err) = ask(&server, &["--tokens", "--json"]);
    assert_eq!((code, err.as_str(), out.lines().count()), (0, "", 1));
    assert!(!out.contains(&issued));
    let row: serde_json::Value = serde_json::from_str(&out).unwrap();
    let (from, to) = (row["issued"].as_u64().unwrap(), row["expires"].as_u64().unwrap());
    assert_eq!(to - from, 3600);
    assert_eq!(
        out,
        format!(
            "{{\"client\":\"app\",\"kind\":\"access\",\"scope\":\"read\",\"issued\":{from},\
             \"expires\":{to}}}\n"
        )
    );
}

#[test]
fn a_token_of_the_file_is_listed_as_fixed_and_ends_with_the_file_alone() {
    let (_, out, _) = run(&["--new-token"]);
    let (token, hash) = out.trim_end().split_once('\n').unwrap();
    let server =
        Server::with(&format!("control = control.sock\n[token t]\n{hash}\nclient = app\n"));
    assert_eq!(ask(&server, &["--tokens"]).1.lines().count(), 2);
    assert_eq!(rows(&server, &[]).len(), 1);
    let (code, out, err) = end_on_input(&server, token);
    let told = "this token is in the configuration; remove it there";
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(err, format!("oauth2d: {}: {told}\n", socket(&server).display()));
    assert!(server.is_live(token));
}

/// `--end --token` with this on standard input.
fn end_on_input(server: &Server, token: &str) -> (i32, String, String) {
    let mut child = Command::new(PROGRAM)
        .args(["--end", "--token", "--config", &config(server)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{token}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn whatever_is_someones_ends() {
    let server = server();
    let of_ann = server.token(APP, ANN);
    let others = server.token(OTHER, ANN).member("access_token");
    let own = server.token(APP, "grant_type=client_credentials").member("access_token");
    assert_eq!(ask(&server, &["--end", "--client", "app", "--user", "ann"]), ended(2));
    assert!(!server.is_live(&of_ann.member("access_token")));
    assert!(server.is_live(&own) && server.is_live(&others));
    let refresh =
        format!("grant_type=refresh_token&refresh_token={}", of_ann.member("refresh_token"));
    assert_eq!(server.token(APP, &refresh).error(), (400, "invalid_grant".into()));
    assert_eq!(ask(&server, &["--end", "--client", "app"]), ended(1));
    assert_eq!(ask(&server, &["--end", "--user", "nobody"]), ended(0));
    assert_eq!(ask(&server, &["--end", "--user", "ann"]), ended(2));
    assert!(!server.is_live(&own) && !server.is_live(&others));
}

#[test]
fn codes_and_allowed_devices_end_with_the_tokens() {
    let server = server();
    let code = crate::state::code(&server);
    let (device, user_code) = crate::state::device(&server);
    crate::state::decide(&server, &user_code, "allow");
    let (pending, _) = crate::state::device(&server);
    assert_eq!(ask(&server, &["--end", "--user", "ann"]), ended(0));
    let redeem = crate::state::redeem(&server, &code);
    assert_eq!(redeem.error(), (400, "invalid_grant".into()));
    assert_eq!(crate::state::poll(&server, &device).error(), (400, "invalid_grant".into()));
    let still = crate::state::poll(&server, &pending).error();
    assert_eq!(still, (400, "authorization_pending".into()));
}

#[test]
fn a_token_that_one_holds_in_ones_hand_ends() {
    let server = server();
    let answer = server.token(APP, ANN);
    let access = answer.member("access_token");
    assert_eq!(end_on_input(&server, &access), ended(1));
    assert!(!server.is_live(&access));
    assert_eq!(end_on_input(&server, &answer.member("refresh_token")), ended(1));
    assert_eq!(end_on_input(&server, &access), ended(0));
    assert_eq!(end_on_input(&server, "nonsense"), ended(0));
    let empty = "oauth2d: the token on standard input is empty; write one\n";
    assert_eq!(end_on_input(&server, " "), (2, String::new(), empty.into()));
}

#[test]
fn what_is_asked_of_nobody_says_so() {
    let told = |text: &str, arguments: &[&str]| {
        let folder = Folder::new();
        let file = folder.write("c.conf", text);
        let file = file.to_str().unwrap();
        let (code, out, err) = run(&[arguments, &["--config", file]].concat());
        let err = err.replace(file, "FILE").replace(folder.path().to_str().unwrap(), "FOLDER");
        (code, out, err)
    };
    let failed = |what: &str| (1, String::new(), format!("oauth2d: {what}\n"));
    let none = failed(
        "FILE: there is no control in [server]; write control = PATH and restart the server",
    );
    assert_eq!(told("[client c]\n", &["--tokens"]), none);
    // Other faults of the file do not matter.
    let text = "[server]\ncontrol = s\nnonsense\n";
    let gone = "FOLDER/s: no server of this configuration answers: No such file or directory (os \
                error 2)";
    assert_eq!(told(text, &["--end", "--user", "u"]), failed(gone));
    let which = "--end needs --client, --user, --resource or --token";
    assert_eq!(told(text, &["--end"]), (2, String::new(), format!("oauth2d: {which}\n")));
}

#[test]
fn the_socket_is_its_owners_alone_and_goes_at_the_stop() {
    let mut server = server();
    let path = socket(&server);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    server.signal("TERM");
    server.end();
    assert!(!path.exists());
}

#[test]
fn something_else_at_its_path_stays_and_the_start_fails() {
    let folder = Folder::new();
    folder.write("control.sock", "mine");
    let text = "[server]\nlisten = 127.0.0.1:0\ncontrol = control.sock\n[client c]\n";
    let file = folder.write("c.conf", text);
    let (code, out, err) = run(&["--config", file.to_str().unwrap()]);
    let path = folder.path().join("control.sock");
    let told = "this is not a socket; move it away, or choose another path";
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(err, format!("oauth2d: {}: {told}\n", path.display()));
    assert_eq!(std::fs::read_to_string(path).unwrap(), "mine");
}

fn connected(server: &Server) -> UnixStream {
    let stream = UnixStream::connect(socket(server)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn rest(mut stream: UnixStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn garbage_gets_a_line_that_says_so() {
    let server = server();
    for (request, answer) in [
        (&b"nonsense\n"[..], "error the request is unknown\n"),
        (b"end=yes\n", "error the request is unknown\n"),
        (b"list=%zz\n", "error the request is malformed\n"),
        (b"\xff\n", "error the request cannot be read: it is not UTF-8\n"),
        (b"list=yes", "error the request cannot be read: unexpected end of file\n"),
    ] {
        let mut stream = connected(&server);
        stream.write_all(request).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(rest(stream), answer);
    }
    let mut stream = connected(&server);
    stream.write_all(&[b'a'; 4096]).unwrap();
    assert_eq!(rest(stream), "error the request cannot be read: it is too long\n");
}

#[test]
fn others_are_served_beside_those_who_say_nothing_and_no_more_than_eight_at_once() {
    let server = server();
    server.token(APP, ANN);
    let silent: Vec<UnixStream> = (0..7).map(|_| connected(&server)).collect();
    assert_eq!(rows(&server, &[]).len(), 2);
    let eighth = connected(&server);
    eventually(
        || ask(&server, &["--tokens"]).2.ends_with("the server is too busy; try again\n"),
        "there is a ninth",
    );
    drop((silent, eighth));
    eventually(|| ask(&server, &["--tokens"]).0 == 0, "there is room again");
}

#[test]
fn a_stranger_is_refused_by_the_system() {
    let server = server();
    let folder = server.folder.path();
    if std::fs::metadata(folder).unwrap().uid() != 0 {
        return eprintln!("not tried: only the superuser can be somebody else");
    }
    // So that only the socket's own permissions refuse.
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["--tokens", "--config", &config(&server)]).uid(65534).gid(65534);
    let output = match command.output() {
        Ok(output) => output,
        // Other users cannot reach the program.
        Err(error) => return eprintln!("not tried: {error}"),
    };
    let told = "no server of this configuration answers: Permission denied (os error 13)";
    let told = format!("oauth2d: {}: {told}\n", socket(&server).display());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), told);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn who_takes_too_long_with_a_request_is_told_so() {
    let server = server();
    let mut stream = connected(&server);
    stream.write_all(b"list=").unwrap();
    let began = std::time::Instant::now();
    let told = rest(stream);
    assert_eq!(told, "error the request cannot be read: timed out\n");
    assert!(began.elapsed() >= std::time::Duration::from_millis(4900));
}
