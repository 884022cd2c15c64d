//! The plumbing: the real program on a free port, and requests to it as raw bytes.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Long enough for any machine; nothing that passes waits for it.
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

/// A folder of a test's own, removed at its end.
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
    pub folder: Folder,
    errors: Arc<(Mutex<String>, Condvar)>,
}

impl Server {
    /// With the demo data.
    pub fn demo() -> Server {
        Server::start(&mut Command::new(PROGRAM), &["--listen", "127.0.0.1:0"], Folder::new())
    }

    /// With [`CLIENTS`].
    pub fn clients() -> Server {
        Server::with("")
    }

    /// With these lines in `[server]`, and [`CLIENTS`].
    pub fn with(server: &str) -> Server {
        Server::configured(&format!("[server]\n{server}\n{CLIENTS}"))
    }

    /// With this configuration.
    pub fn configured(text: &str) -> Server {
        Server::configured_by(&mut Command::new(PROGRAM), text)
    }

    /// With this configuration, by a command that has been prepared.
    pub fn configured_by(command: &mut Command, text: &str) -> Server {
        let folder = Folder::new();
        let file = folder.write("oauth2d.conf", text);
        let mut arguments = vec!["--config", file.to_str().unwrap()];
        if !text.contains("\nlisten") {
            arguments.extend(["--listen", "127.0.0.1:0"]);
        }
        Server::start(command, &arguments, folder)
    }

    /// Started, and listening.
    pub fn start(command: &mut Command, arguments: &[&str], folder: Folder) -> Server {
        command.args(arguments).stdout(Stdio::piped());
        let mut server = Server::starting(command, folder);
        server.await_addresses();
        server
    }

    /// Started; nobody has waited until it listens.
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
        Server { child, addresses: Vec::new(), folder, errors }
    }

    fn await_addresses(&mut self) {
        let mut stdout = BufReader::new(self.child.stdout.take().unwrap());
        // The lines come together; those after the first are there once it is.
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let mut text = line.clone();
        text.push_str(&String::from_utf8_lossy(stdout.buffer()));
        for line in text.lines() {
            let address = line.strip_prefix("listening on http://").unwrap_or_else(|| {
                panic!("{line:?} {}", self.errors.0.lock().unwrap());
            });
            self.addresses.push(address.parse().unwrap());
        }
        assert!(!self.addresses.is_empty(), "{}", self.errors.0.lock().unwrap());
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

    pub fn log(&self) -> String {
        self.errors.0.lock().unwrap().clone()
    }

    pub fn connect(&self) -> Connection {
        Connection::to(self.addresses[0])
    }

    /// One request on a connection of its own. `fields` are whole lines.
    pub fn request(&self, method: &str, target: &str, fields: &[&str], body: &str) -> Answer {
        let mut connection = self.connect();
        connection.send(message(method, target, fields, body));
        connection.answer_to(method)
    }

    pub fn get(&self, target: &str, fields: &[&str]) -> Answer {
        self.request("GET", target, fields, "")
    }

    /// A form.
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

/// A request as bytes.
pub fn message(method: &str, target: &str, fields: &[&str], body: &str) -> String {
    let mut text = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n");
    for field in fields {
        write!(text, "{field}\r\n").unwrap();
    }
    if method != "GET" || !body.is_empty() {
        write!(text, "Content-Length: {}\r\n", body.len()).unwrap();
    }
    text + "\r\n" + body
}

/// A connection, on which requests are sent as they stand.
pub struct Connection {
    pub stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub fn to(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection { stream, read: Vec::new() }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    pub fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    /// The next answer, which has no body where the request was a HEAD.
    pub fn answer_to(&mut self, method: &str) -> Answer {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(self.more(), "the connection ends: {:?}", String::from_utf8_lossy(&self.read));
        };
        let head = String::from_utf8(self.read.drain(..end).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
        let fields: Vec<String> = lines.map(String::from).collect();
        let mut answer = Answer { status, fields, body: String::new() };
        let length = match (method, answer.field("Content-Length")) {
            ("HEAD", _) | (_, None) => 0,
            (_, Some(length)) => length.parse().unwrap(),
        };
        while self.read.len() < length {
            assert!(self.more(), "the connection ends within a body");
        }
        answer.body = String::from_utf8(self.read.drain(..length).collect()).unwrap();
        answer
    }

    /// Whether the server has ended the connection and said nothing more. A reset, which can
    /// destroy what was on its way, is a failure.
    pub fn is_over(&mut self) -> bool {
        self.read.is_empty() && !self.more()
    }

    /// Whether another request is answered on this connection.
    pub fn is_alive(&mut self) -> bool {
        self.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
        self.answer().body == "ok"
    }

    fn more(&mut self) -> bool {
        let mut piece = [0; 65536];
        match self.stream.read(&mut piece) {
            Ok(n) => {
                self.read.extend(&piece[..n]);
                n > 0
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => self.more(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    fields: Vec<String>,
    pub body: String,
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find_map(|field| {
            let (own, value) = field.split_once(": ")?;
            own.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// Everything but `Date`, with fresh tokens as `TOKEN`, one line each.
    pub fn whole(&self) -> String {
        let mut text = format!("{}\n", self.status);
        for field in self.fields.iter().filter(|field| !field.starts_with("Date: ")) {
            text.push_str(field);
            text.push('\n');
        }
        without_tokens(&format!("{text}\n{}", self.body))
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A member of a JSON object that is a string.
    pub fn member(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("{name}: {self:?}")).into()
    }

    /// The status and the `error`.
    pub fn error(&self) -> (u16, String) {
        (self.status, self.member("error"))
    }

    /// A parameter of the `Location`.
    pub fn location_parameter(&self, name: &str) -> Option<String> {
        let location = self.field("Location")?;
        let (_, query) = location.split_once('?')?;
        query.split('&').find_map(|pair| {
            let (own, value) = pair.split_once('=')?;
            (own == name).then(|| value.into())
        })
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

/// The text with every 40 or 64 digits as `TOKEN`.
pub fn without_tokens(text: &str) -> String {
    let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let mut out = String::new();
    for (i, piece) in text.split('"').enumerate() {
        if i > 0 {
            out.push('"');
        }
        let is_token = matches!(piece.len(), 40 | 64) && piece.chars().all(is_digit);
        out.push_str(if is_token { "TOKEN" } else { piece });
    }
    out
}

/// The program with these arguments, to its end: exit code, standard output, standard error.
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
