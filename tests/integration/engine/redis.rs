//! A real engine: `redis-server` on its own port or socket, in its own folder. It ends with the
//! test, however that ends.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use super::resp::{Client, Value};
use crate::support::*;

/// Starts the engine, prints its process id, and kills it once this shell's input is closed.
const KEEPER: &str = r#""$@" </dev/null >/dev/null 2>&1 & echo $!; read -r end; kill -9 $!; wait"#;

/// Where an engine listens.
#[derive(Clone, Debug)]
pub enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

pub struct Engine {
    pub place: Place,
    folder: Folder,
    /// Those of the command line, besides place and folder.
    options: Vec<String>,
    running: Option<Running>,
}

struct Running {
    keeper: Child,
    pid: u32,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Whether this machine has one; says so if not.
pub fn is_there() -> bool {
    let version = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
    let is_there = version.is_ok();
    if !is_there {
        println!("skipped: redis-server is not installed");
    }
    is_there
}

impl Engine {
    /// Starts one on a port of this machine, of which nothing outlives it. `None` if none is
    /// installed.
    pub fn start() -> Option<Engine> {
        Engine::with(&[])
    }

    /// The same, with these options.
    pub fn with(options: &[&str]) -> Option<Engine> {
        Engine::at(IpAddr::V4(Ipv4Addr::LOCALHOST), options)
    }

    /// The same on a port of this address.
    pub fn at(address: IpAddr, options: &[&str]) -> Option<Engine> {
        is_there().then(|| {
            // Another program may take the port meanwhile.
            let tries = std::iter::repeat_with(|| Engine::new(free_port(address), options));
            tries.take(20).find_map(Result::ok).expect("an engine starts")
        })
    }

    /// The same at exactly this place.
    pub fn beside(place: Place, options: &[&str]) -> Engine {
        Engine::new(place, options).unwrap_or_else(|()| panic!("no engine starts"))
    }

    /// The same on a Unix socket alone.
    pub fn on_socket(folder: &Folder) -> Option<Engine> {
        let place = Place::Unix(folder.path().join("engine.sock"));
        is_there().then(|| Engine::beside(place, &[]))
    }

    fn new(place: Place, options: &[&str]) -> Result<Engine, ()> {
        let options = options.iter().map(|option| option.to_string()).collect();
        let mut engine = Engine { place, folder: Folder::new(), options, running: None };
        engine.launch();
        if engine.answers() { Ok(engine) } else { Err(()) }
    }

    /// Starts it where it was, with the data that it has stored, and waits until it answers.
    pub fn restart(&mut self) {
        self.launch();
        assert!(self.answers(), "the engine does not start again");
    }

    /// The same, without waiting.
    pub fn launch(&mut self) {
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "sh", "redis-server"]).args(self.arguments());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.running = Some(Running { keeper, pid: line.trim().parse().unwrap() });
    }

    fn arguments(&self) -> Vec<String> {
        let place = match &self.place {
            Place::Tcp(address) => format!("--bind {} --port {}", address.ip(), address.port()),
            Place::Unix(path) => format!("--port 0 --unixsocket {}", path.display()),
        };
        let folder = self.folder.path().display();
        // A user who may do everything, whatever a test does to the others.
        let user = "admin on >admin ~* &* +@all";
        let fixed = format!("{place} --dir {folder} --loglevel warning --databases 4096");
        let words = fixed.split(' ').chain(["--save", "", "--user"]).chain(user.split(' '));
        words.map(String::from).chain(self.options.clone()).collect()
    }

    /// For an engine that nobody will end: it leaves nothing behind.
    pub fn forget_folder(&self) {
        let _ = std::fs::remove_dir_all(self.folder.path());
    }

    /// For its next start.
    pub fn add_options(&mut self, options: &[&str]) {
        self.options.extend(options.iter().map(|option| option.to_string()));
    }

    /// Waits until it answers; false if it has ended.
    fn answers(&self) -> bool {
        let began = Instant::now();
        loop {
            match self.try_client().and_then(|mut client| client.try_ask(&["PING"])) {
                Ok(Value::Simple(_)) => return true,
                _ if self.has_ended() => return false,
                _ => assert!(began.elapsed() < PATIENCE, "the engine does not answer"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn has_ended(&self) -> bool {
        let pid = self.running.as_ref().unwrap().pid;
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        state.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with('Z'))
    }

    /// Kills it: nothing is left but what it has stored.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Suspends it: it is there, but does nothing.
    pub fn suspend(&self) {
        self.signal("STOP");
    }

    pub fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let pid = self.running.as_ref().unwrap().pid.to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// The value of `store`.
    pub fn url(&self) -> String {
        match &self.place {
            Place::Tcp(address) => format!("redis://{address}"),
            Place::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    pub fn port(&self) -> u16 {
        match &self.place {
            Place::Tcp(address) => address.port(),
            Place::Unix(_) => panic!("it has no port"),
        }
    }

    /// A connection of the user who may do everything.
    pub fn client(&self) -> Client {
        self.try_client().unwrap()
    }

    pub fn try_client(&self) -> std::io::Result<Client> {
        let mut client = Client::connect(&self.place)?;
        client.try_ask(&["AUTH", "admin", "admin"])?;
        Ok(client)
    }

    /// The answer to one command, which must not be an error.
    #[track_caller]
    pub fn ask<W: AsRef<[u8]>>(&self, words: &[W]) -> Value {
        self.client().ask(words)
    }

    /// Everything that it stores, by key; the type of what is not a string.
    pub fn rows(&self) -> BTreeMap<String, Vec<u8>> {
        let mut client = self.client();
        let keys = client.ask(&["KEYS", "*"]).array();
        let value = |key: Value| {
            let key = key.text();
            // It may have expired meanwhile.
            let value = client.try_ask(&["GET", &key]).unwrap();
            Some((key, value.into_bytes()?))
        };
        keys.into_iter().filter_map(value).collect()
    }

    /// The rows of this kind: `a:`, `f:`, `d:` or `u:`.
    pub fn rows_of(&self, kind: &str) -> BTreeMap<String, Vec<u8>> {
        let prefix = format!("{{oauth2d}}{kind}");
        self.rows().into_iter().filter(|(key, _)| key.starts_with(&prefix)).collect()
    }

    /// A server with [`CLIENTS`] that stores its state here, and these lines in `[server]`.
    pub fn server(&self, more: &str) -> Server {
        Server::with(&format!("store = {}\n{more}", self.url()))
    }
}

/// A port that is free now, and that the system does not assign by itself, since those are higher.
fn free_port(address: IpAddr) -> Place {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = std::process::id() as u16 % 100 * 100;
    for _ in 0..10_000 {
        let port = 20_000 + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        let place = SocketAddr::new(address, port);
        if TcpListener::bind(place).is_ok() {
            return Place::Tcp(place);
        }
    }
    panic!("no port is free");
}
