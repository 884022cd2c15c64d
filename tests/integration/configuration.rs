//! Contract section 3: the configuration file. Every fault and its line is tested in
//! `src/config.rs`; here, what the program makes of them.

use crate::support::*;

fn check(text: &str) -> (i32, String, String) {
    let folder = Folder::new();
    let file = folder.write("c.conf", text);
    let (code, out, err) = run(&["--config", file.to_str().unwrap(), "--check"]);
    (code, out, err.replace(file.to_str().unwrap(), "FILE"))
}

#[test]
fn check_prints_every_fault_with_file_and_line() {
    let text = "[server]\nlisten = nowhere\nlog = loud\n[user ann]\n";
    let faults = "oauth2d: FILE:2: listen is not HOST:PORT, such as localhost:3000 or [::1]:3000\n\
                  oauth2d: FILE:3: log is neither text nor json nor off\n\
                  oauth2d: FILE:4: the user has no password; add password, password_hash, \
                  password_file or password_env\n";
    assert_eq!(check(text), (2, String::new(), faults.into()));
    assert_eq!(check("[server]\n"), (0, String::new(), String::new()));
    assert_eq!(run(&["--check"]), (0, String::new(), String::new()));
}

#[test]
fn without_check_the_first_fault_is_the_end() {
    let folder = Folder::new();
    let file = folder.write("c.conf", "[server]\nx = 1\ny = 1\n");
    let (code, out, err) = run(&["--config", file.to_str().unwrap()]);
    assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1));
    assert!(err.starts_with(&format!("oauth2d: {}:2: unknown key", file.display())), "{err}");
}

#[test]
fn secret_files_are_looked_for_beside_the_configuration() {
    let folder = Folder::new();
    folder.write("secret.txt", "se cret\r\n");
    folder.write("password.txt", "pass\nword\n");
    let file = folder.write(
        "c.conf",
        "[client c]\nsecret_file = secret.txt\ngrants = password\n[user u]\npassword_file = password.txt\n",
    );
    let arguments = ["--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let server = Server::start(&mut std::process::Command::new(PROGRAM), &arguments, folder);
    let form =
        "grant_type=password&client_id=c&client_secret=se+cret&username=u&password=pass%0Aword";
    assert_eq!(server.post("/oauth/token", &[], form).status, 200);
}

#[test]
fn the_issuer_is_the_first_listen_as_written_with_the_real_port() {
    let server = Server::configured("[server]\nlisten = localhost:0\n");
    let port = server.addresses[0].port();
    let metadata = server.get("/.well-known/oauth-authorization-server", &[]);
    assert_eq!(metadata.member("issuer"), format!("http://localhost:{port}"));
}
