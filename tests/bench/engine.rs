//! The program with an engine that holds its tokens, the program without one, and a bare client of
//! that engine, all on the same processors.
//!
//! The bare client has a thread and a connection for each of the clients, and each of them sends
//! the program's command and reads the answer, over and over: a SET of a new row for a token
//! request, a GET of one row for `GET /`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::{self, Load, Pace, median};
use crate::server::Running;
use crate::state::{CLIENT, refreshes};
use crate::{CONFIG, ROUND, ROUNDS, TOKEN_REQUEST, get_request, per_second, row};

/// Connections of the bare client, as many as there are clients.
const CLIENTS: usize = 64;
/// How long a row is stored, in milliseconds.
const LIFETIME: &str = "3600000";

/// Our own redis-server, in its own folder, which stores nothing on disk.
struct Engine {
    child: Child,
    folder: TempDir,
    port: u16,
}

/// One of the two ways to reach it.
#[derive(Clone)]
enum At {
    Path(PathBuf),
    Port(u16),
}

trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

pub fn engine() {
    let Some(engine) = Engine::start() else {
        eprintln!("redis-server is not installed: left out");
        return;
    };
    let plain = Running::program(&format!("{CONFIG}{CLIENT}"));
    let ways = [("unix socket", engine.by_path()), ("loopback", engine.by_port())];
    let shared = ways.map(|(name, at)| {
        let store = format!("[server]\nstore = {}", at.url());
        let config = CONFIG.replace("[server]", &store) + CLIENT;
        (name, at, Running::program_in(engine.folder.path(), &config))
    });
    for (name, at, running) in &shared {
        let side = Side { name, at, running, plain: &plain };
        side.token_requests();
        side.checks();
        side.refreshes();
        side.alone();
    }
}

/// The program with one way to the engine, and what it is compared with.
struct Side<'a> {
    name: &'a str,
    at: &'a At,
    running: &'a Running,
    plain: &'a Running,
}

impl Side<'_> {
    fn token_requests(&self) {
        self.at.ask(&[b"FLUSHALL"]);
        client::ask(self.running.address, TOKEN_REQUEST);
        let (key, length) = self.a_row();
        let value = vec![b'v'; length];
        let load = |server: &Running| {
            let size = client::answer_size(server.address, TOKEN_REQUEST);
            Load { request: TOKEN_REQUEST, batch: 1, connections: 64, size }
        };
        let set = |thread: u64, turn: u64| {
            // As long as the program's, and different each time.
            let number = format!("{thread:02}{turn:08}");
            let key = [&key[..key.len() - number.len()], number.as_bytes()].concat();
            command(&[b"SET", &key, &value, b"PX", LIFETIME.as_bytes()])
        };
        let size = "+OK\r\n".len();
        self.beside("POST /oauth/token", load(self.running), load(self.plain), || {
            let rate = self.at.bare(set, size);
            // What a round has left must not affect the next.
            self.at.ask(&[b"FLUSHALL"]);
            rate
        });
    }

    fn checks(&self) {
        self.at.ask(&[b"FLUSHALL"]);
        let [own, other] = [self.running, self.plain].map(get_request);
        let size = client::answer_size(self.running.address, &own);
        let load = |request| Load { request, batch: 1, connections: 64, size };
        let (key, length) = self.a_row();
        let get = command(&[b"GET", &key]);
        let size = format!("${length}\r\n").len() + length + 2;
        let bare = || self.at.bare(|_, _| get.clone(), size);
        self.beside("GET /", load(&own), load(&other), bare);
    }

    /// A load on both servers and the bare client, in turn.
    fn beside(&self, what: &str, own: Load, other: Load, bare: impl Fn() -> f64) {
        let [mut ours, mut memory, mut bares] = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            ours.push(own.run(self.running.address, ROUND).rate);
            memory.push(other.run(self.plain.address, ROUND).rate);
            bares.push(bare());
        }
        // The limit of these processors: to answer from memory, and then to ask the engine.
        let both =
            memory.iter().zip(&bares).map(|(memory, bare)| 1.0 / (1.0 / memory + 1.0 / bare));
        let both = both.collect();
        for (others, beside, target) in [
            (memory, "memory", "0.35"),
            (bares, "a bare client", "0.85"),
            (both, "the two one after the other", ""),
        ] {
            let figure =
                format!("{what}, 64 connections, engine by {}, beside {beside}", self.name);
            compare(&figure, &ours, &others, target);
        }
    }

    fn refreshes(&self) {
        let [mut ours, mut memory] = [const { Vec::new() }; 2];
        for _ in 0..ROUNDS {
            ours.push(refreshes(self.running));
            memory.push(refreshes(self.plain));
        }
        let figure = format!("refreshes, 64 connections, engine by {}, beside memory", self.name);
        compare(&figure, &ours, &memory, "");
    }

    /// What the engine adds to a request that has the machine to itself.
    fn alone(&self) {
        let requests = [self.running, self.plain].map(get_request);
        for (what, [own, other]) in
            [("POST /oauth/token", [TOKEN_REQUEST; 2]), ("GET /", [&requests[0], &requests[1]])]
        {
            let took = |server: &Running, request| {
                let size = client::answer_size(server.address, request);
                let load = Load { request, batch: 1, connections: 1, size };
                1e6 / load.run_at(Pace::Closed, server.address, ROUND).rate
            };
            let (mut ours, mut memory) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                ours.push(took(self.running, own));
                memory.push(took(self.plain, other));
            }
            let added: Vec<f64> =
                ours.iter().zip(&memory).map(|(own, other)| own - other).collect();
            let figure = format!("one {what} alone, engine by {}, beside memory; added", self.name);
            let micros = |times: &[f64]| format!("{:.0} us", median(times));
            let (least, most) = client::bounds(&added);
            let added = format!("{} ({least:.0} to {most:.0})", micros(&added));
            row(&figure, &micros(&ours), &micros(&memory), &added, "");
        }
    }

    /// The key of a row that the program has put, and the length of its value.
    fn a_row(&self) -> (Vec<u8>, usize) {
        let key = self.at.ask(&[b"RANDOMKEY"]);
        let start = key.iter().position(|&b| b == b'\n').unwrap() + 1;
        let key = key[start..key.len() - 2].to_vec();
        let length = String::from_utf8(self.at.ask(&[b"STRLEN", &key])).unwrap();
        (key, length[1..].trim_end().parse().unwrap())
    }
}

fn compare(figure: &str, ours: &[f64], others: &[f64], target: &str) {
    row(figure, &per_second(ours), &per_second(others), &client::ratios(ours, others), target);
}

impl Engine {
    fn start() -> Option<Engine> {
        let folder = tempfile::tempdir().unwrap();
        // A port that is free now, since the engine cannot find one by itself.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]);
        command.arg(port.to_string()).arg("--dir").arg(folder.path());
        command.arg("--unixsocket").arg(folder.path().join("engine"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().ok()?;
        let engine = Engine { child, folder, port };
        let until = Instant::now() + Duration::from_secs(10);
        while !engine.folder.path().join("engine").exists() {
            assert!(Instant::now() < until, "{command:?} does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(engine)
    }

    fn by_path(&self) -> At {
        At::Path(self.folder.path().join("engine"))
    }

    fn by_port(&self) -> At {
        At::Port(self.port)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl At {
    fn url(&self) -> String {
        match self {
            At::Path(path) => format!("unix:{}", path.display()),
            At::Port(port) => format!("redis://127.0.0.1:{port}"),
        }
    }

    fn connect(&self) -> Box<dyn Wire> {
        match self {
            At::Path(path) => Box::new(UnixStream::connect(path).unwrap()),
            At::Port(port) => {
                let stream = TcpStream::connect(("127.0.0.1", *port)).unwrap();
                stream.set_nodelay(true).unwrap();
                Box::new(stream)
            }
        }
    }

    /// One command, with a short answer.
    fn ask(&self, words: &[&[u8]]) -> Vec<u8> {
        let mut wire = self.connect();
        wire.write_all(&command(words)).unwrap();
        let mut answer = vec![0; 4096];
        let read = wire.read(&mut answer).unwrap();
        answer.truncate(read);
        answer
    }

    /// Commands per second of the bare client. Each is made from its thread and how many that has
    /// sent before, and has an answer of `size` bytes.
    fn bare(&self, each: impl Fn(u64, u64) -> Vec<u8> + Sync, size: usize) -> f64 {
        let ready = Barrier::new(CLIENTS);
        let work = |thread| {
            let mut wire = self.connect();
            let mut answer = vec![0; size];
            ready.wait();
            let began = Instant::now();
            let mut turn = 0;
            while began.elapsed() < ROUND {
                wire.write_all(&each(thread, turn)).unwrap();
                wire.read_exact(&mut answer).unwrap();
                assert_ne!(answer[0], b'-', "{}", String::from_utf8_lossy(&answer));
                turn += 1;
            }
            turn as f64 / began.elapsed().as_secs_f64()
        };
        std::thread::scope(|scope| {
            let work = &work;
            let all: Vec<_> =
                (0..CLIENTS as u64).map(|thread| scope.spawn(move || work(thread))).collect();
            all.into_iter().map(|one| one.join().unwrap()).sum()
        })
    }
}

fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        out.extend(format!("${}\r\n", word.len()).bytes());
        out.extend_from_slice(word);
        out.extend(b"\r\n");
    }
    out
}
