//! Contract section 3: the configuration file. Every fault and its line is tested in `src/config/`;
//! here, what the program does about them.

use crate::support::*;

pub fn check(text: &str) -> (i32, String, String) {
    let folder = Folder::new();
    let file = folder.write("c.conf", text);
    let (code, out, err) = run(&["--config", file.to_str().unwrap(), "--check"]);
    let told = |text: String| text.replace(file.to_str().unwrap(), "FILE");
    (code, told(out), told(err))
}

#[test]
fn check_prints_every_fault_with_file_and_line() {
    let text =
        "[server]\nlisten = nowhere\nlog = loud\n[user ann]\n[client c]\ngranst = password\n";
    let faults = "oauth2d: FILE:2: listen must be HOST:PORT, such as localhost:3000 or [::1]:3000\n\
                  oauth2d: FILE:3: log must be text, json, explain or off\n\
                  oauth2d: FILE:4: the user has no password; add password, password_hash, \
                  password_file or password_env\n\
                  oauth2d: FILE:6: unknown key \"granst\"; did you mean grants?\n";
    assert_eq!(check(text), (2, String::new(), faults.into()));
}

#[test]
fn check_says_what_is_there_where_there_is_no_fault() {
    let ok = "FILE: ok: 1 clients, 2 users, 0 resources\n";
    let text = "[client c]\n[user a]\npassword_env = PATH\n[user b]\npassword_env = PATH\n";
    assert_eq!(check(text), (0, ok.into(), String::new()));
    let ok = "demo data: ok: 3 clients, 1 users, 0 resources\n";
    assert_eq!(run(&["--check"]), (0, ok.into(), String::new()));
}

#[test]
fn warnings_have_a_line_and_change_no_exit_code() {
    let text = "[client c]\nscopes = a\n\n[client d]\nsecret = s\n";
    let warnings = "oauth2d: FILE:1: warning: scopes without default_scopes: a request \
                    without a scope gets a token without any\n\
                    oauth2d: FILE:5: warning: every user of this machine can read secret; \
                    chmod o-r the file, or keep a hash (oauth2d --hash)\n";
    let ok = "FILE: ok: 2 clients, 0 users, 0 resources\n";
    assert_eq!(check(text), (0, ok.into(), warnings.into()));
    let server = Server::configured(text);
    let file = server.folder.path().join("oauth2d.conf");
    for line in warnings.replace("FILE", file.to_str().unwrap()).lines() {
        server.notice(|told| format!("oauth2d: {told}") == line);
    }
}

#[test]
fn a_configuration_without_a_client_is_refused_everywhere() {
    let told = "there is no [client]; add one, such as [client application], or nobody can get a \
                token";
    assert_eq!(check("[server]\n"), (2, String::new(), format!("oauth2d: FILE: {told}\n")));
    let folder = Folder::new();
    let file = folder.write("c.conf", "");
    let file = file.to_str().unwrap();
    let err = format!("oauth2d: {file}: {told}\n");
    assert_eq!(run(&["--config", file]), (2, String::new(), err));

    // An editor that empties the file first must not end everyone's sessions.
    let server = Server::clients();
    let token = server.access_token("read");
    server.folder.write("oauth2d.conf", "");
    server.signal("HUP");
    server.log_line(|line| line.ends_with(&format!("{told}; the configuration stays as it was")));
    assert!(server.is_live(&token));
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
    let server = Server::configured("[server]\nlisten = localhost:0\n[client c]\n");
    let port = server.addresses[0].port();
    let metadata = server.get("/.well-known/oauth-authorization-server", &[]);
    assert_eq!(metadata.member("issuer"), format!("http://localhost:{port}"));
}

#[test]
fn a_reload_says_how_to_end_what_was_given_before() {
    let server = Server::clients();
    let ann = "[user ann]\npassword = ";
    let changed = CLIENTS
        .replace(&format!("{ann}password"), &format!("{ann}new"))
        .replace("scopes = read write admin", "scopes = read write")
        .replace("[client api]\nsecret = secret", "[client api]\nsecret = new");
    server.folder.write("oauth2d.conf", format!("[server]\n{changed}"));
    server.signal("HUP");
    server.notice(|told| told.contains("ann"));
    let log = server.log();
    let told: Vec<_> =
        log.lines().filter_map(notice_of).filter(|it| it.contains("--end")).collect();
    let line = |who: &str, what: &str, name: &str| {
        format!(
            "{who} {name} has {what} now; tokens issued before live on, and oauth2d --end \
             --{who} {name} ends them"
        )
    };
    let expected = [
        line("client", "fewer scopes", "app"),
        line("client", "a new secret", "api"),
        line("user", "a new password", "ann"),
    ];
    assert_eq!(told, expected);
}
