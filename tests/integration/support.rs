//! The plumbing: the real program on a free port, and requests to it as raw bytes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::engine::everywhere;
pub use crate::wire::{Answer, Connection, message, without_tokens};

/// Long enough for any machine; a test that passes never waits for it.
pub const PATIENCE: Duration = Duration::from_secs(40);

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_oauth2d");

pub const APPLICATION: &str = "Authorization: Basic YXBwbGljYXRpb246c2VjcmV0";
pub const CONFIDENTIAL: &str = "Authorization: Basic Y29uZmlkZW50aWFsQXBwbGljYXRpb246dG9wU2VjcmV0";
pub const PASSWORD_GRANT: &str = "grant_type=password&username=pedroetb&password=password";

/// A configuration with a client of every kind. `app` may do everything.
pub const CLIENTS: &str = "
[client app]
secret = secret
grants = password client_credentials refresh_token authorization_code device_code
scopes = read write admin
default_scopes = read
redirect_uris = https://app.example.com/cb

[client other]
secret = secret
grants = password refresh_token authorization_code device_code
redirect_uris = https://other.example.com/cb?x=1 http://127.0.0.1/cb

[client public]
grants = password refresh_token authorization_code device_code
scopes = read write
redirect_uris = com.example.app:/cb

[client api]
secret = secret

[client brief]
secret = secret
grants = password refresh_token
access_token_lifetime = 1

[user ann]
password = password

[user bob]
password = password
scopes = read
";

pub const APP: &str = "Authorization: Basic YXBwOnNlY3JldA==";
pub const OTHER: &str = "Authorization: Basic b3RoZXI6c2VjcmV0";
pub const API: &str = "Authorization: Basic YXBpOnNlY3JldA==";
pub const BRIEF: &str = "Authorization: Basic YnJpZWY6c2VjcmV0";

/// A test's own folder, removed at its end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("oauth2d-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The program, running.
pub struct Server {
    child: Child,
    pub addresses: Vec<SocketAddr>,
    /// What it says it listens on.
    pub places: Vec<String>,
    pub folder: Folder,
    errors: Arc<(Mutex<String>, Condvar)>,
}

/// The text of a line of the log, if it is a notice.
pub fn notice_of(line: &str) -> Option<&str> {
    let (time, notice) = line.split_once(" oauth2d: ")?;
    (time.len() == 24 && time.ends_with('Z')).then_some(notice)
}

impl Server {
    /// A server with the demo data.
    pub fn demo() -> Server {
        match everywhere::demo() {
            Some(text) => Server::configured(&text),
            None => {
                let listen = ["--listen", "127.0.0.1:0"];
                Server::start(&mut Command::new(PROGRAM), &listen, Folder::new())
            }
        }
    }

    /// A server with [`CLIENTS`].
    pub fn clients() -> Server {
        Server::with("")
    }

    /// A server with these lines in `[server]`, and [`CLIENTS`].
    pub fn with(server: &str) -> Server {
        Server::configured(&format!("[server]\n{server}\n{CLIENTS}"))
    }

    /// A server with this configuration.
    pub fn configured(text: &str) -> Server {
        Server::configured_by(&mut Command::new(PROGRAM), text)
    }

    /// The same, by a command that has been prepared.
    pub fn configured_by(command: &mut Command, text: &str) -> Server {
        let folder = Folder::new();
        let file = folder.write("oauth2d.conf", everywhere::with_store(text));
        let mut arguments = vec!["--config", file.to_str().unwrap()];
        if !text.contains("\nlisten") {
            arguments.extend(["--listen", "127.0.0.1:0"]);
        }
        Server::start(command, &arguments, folder)
    }

    /// Starts a server, and waits until it listens.
    pub fn start(command: &mut Command, arguments: &[&str], folder: Folder) -> Server {
        command.args(arguments).stdout(Stdio::piped());
        let mut server = Server::starting(command, folder);
        server.await_addresses();
        server
    }

    /// Starts a server, without waiting until it listens.
    pub fn starting(command: &mut Command, folder: Folder) -> Server {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let errors = Arc::new((Mutex::new(String::new()), Condvar::new()));
        let (own, mut stderr) = (Arc::clone(&errors), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(n @ 1..) = stderr.read(&mut piece) {
                own.0.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..n]));
                own.1.notify_all();
            }
        });
        Server { child, addresses: Vec::new(), places: Vec::new(), folder, errors }
    }

    fn await_addresses(&mut self) {
        let mut stdout = BufReader::new(self.child.stdout.take().unwrap());
        // The lines come together, so with the first one the others are there, too.
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let mut text = line.clone();
        text.push_str(&String::from_utf8_lossy(stdout.buffer()));
        for line in text.lines() {
            let place = line.strip_prefix("listening on ").unwrap_or_else(|| {
                panic!("{line:?} {}", self.errors.0.lock().unwrap());
            });
            if let Some(address) = place.strip_prefix("http://") {
                self.addresses.push(address.parse().unwrap());
            }
            self.places.push(place.into());
        }
        assert!(!self.places.is_empty(), "{}", self.errors.0.lock().unwrap());
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn issuer(&self) -> String {
        format!("http://{}", self.addresses[0])
    }

    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits for the program's end.
    pub fn end(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the program does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for a line on standard error that satisfies this.
    pub fn log_line(&self, wanted: impl Fn(&str) -> bool) -> String {
        let (text, changed) = &*self.errors;
        let mut text = text.lock().unwrap();
        loop {
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            if let Some(line) = whole.lines().find(|line| wanted(line)) {
                return line.into();
            }
            let (next, timeout) = changed.wait_timeout(text, PATIENCE).unwrap();
            text = next;
            assert!(!timeout.timed_out(), "no such line in {text}");
        }
    }

    /// Waits for a notice that satisfies this; without its time.
    pub fn notice(&self, wanted: impl Fn(&str) -> bool) -> String {
        let line = self.log_line(|line| notice_of(line).is_some_and(&wanted));
        notice_of(&line).unwrap().into()
    }

    pub fn log(&self) -> String {
        self.errors.0.lock().unwrap().clone()
    }

    pub fn connect(&self) -> Connection {
        Connection::to(self.addresses[0])
    }

    /// Sends one request on its own connection. `fields` are whole lines.
    pub fn request(&self, method: &str, target: &str, fields: &[&str], body: &str) -> Answer {
        let mut connection = self.connect();
        connection.send(message(method, target, fields, body));
        connection.answer_to(method)
    }

    pub fn get(&self, target: &str, fields: &[&str]) -> Answer {
        self.request("GET", target, fields, "")
    }

    /// Posts a form.
    pub fn post(&self, target: &str, fields: &[&str], form: &str) -> Answer {
        let mut all = vec!["Content-Type: application/x-www-form-urlencoded"];
        all.extend(fields);
        self.request("POST", target, &all, form)
    }

    pub fn token(&self, client: &str, form: &str) -> Answer {
        self.post("/oauth/token", &[client], form)
    }

    /// An access token for `ann` through `app`, with this scope.
    pub fn access_token(&self, scope: &str) -> String {
        let form = format!("grant_type=password&username=ann&password=password&scope={scope}");
        self.token(APP, &form).member("access_token")
    }

    pub fn bearer(&self, token: &str) -> Answer {
        self.get("/", &[&format!("Authorization: Bearer {token}")])
    }

    pub fn is_live(&self, token: &str) -> bool {
        self.bearer(token).status == 200
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until this holds.
pub fn eventually(mut holds: impl FnMut() -> bool, what: &str) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs the program with these arguments to its end: exit code, standard output, standard error.
pub fn run(arguments: &[&str]) -> (i32, String, String) {
    run_with_input(arguments, "")
}

pub fn run_with_input(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(PROGRAM)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have ended without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}
