//! `make bench`: the program and a floor, in one run, as a table.
//!
//! The floor is a thread per connection that reads once and writes a fixed answer of the same size
//! without looking at anything: only a server that sleeps less often can be faster. The same client
//! drives both in turn, with the same bytes over as many connections. It has two threads and shares
//! the processors with the server; the floor's own figure shows how much it takes.

mod beside;
mod client;
mod engine;
mod floor;
mod picture;
mod server;
mod state;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use client::{Load, median, ratios};
use server::Running;
use state::CLIENT;

/// A configuration with nothing that slows a bench down, and one client for everything.
const CONFIG: &str = "[server]\nlog = off\nmax_connections = 12000\n\
    [client bench]\nsecret = secret\ngrants = client_credentials\n";
const TOKEN_REQUEST: &str = "POST /oauth/token HTTP/1.1\r\nHost: localhost:3000\r\n\
    User-Agent: bench/1.0\r\nAccept: */*\r\nAuthorization: Basic YmVuY2g6c2VjcmV0\r\n\
    Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 29\r\n\r\n\
    grant_type=client_credentials";
/// A sign-in page for a client with that name.
const AUTHORIZATION_REQUEST: &str = "GET /oauth/authorize?response_type=code&client_id=page\
    &redirect_uri=http%3A%2F%2Flocalhost%2F&code_challenge_method=S256\
    &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM HTTP/1.1\r\n\
    Host: localhost:3000\r\n\r\n";
/// Many short rounds, since a shared machine's speed changes within seconds.
const ROUNDS: usize = 11;
const ROUND: Duration = Duration::from_millis(500);
const MILLION: usize = 1_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, answer, batch] = &arguments[..]
        && let Some(steps) = floor::by_its_name(word)
    {
        return floor::serve(answer.parse().unwrap(), batch.parse().unwrap(), steps);
    }
    // Cargo passes --bench; a further word chooses one part.
    let only = arguments.iter().find(|argument| !argument.starts_with("--"));
    let parts: [(&str, fn()); 10] = [
        ("throughput", throughput),
        ("log", log_on_and_off),
        ("growth", growth),
        ("expiry", expiry),
        ("memory", idle_memory),
        ("sign-in", sign_in),
        ("start", start),
        ("state", state::state),
        ("engine", engine::engine),
        ("beside", beside::beside),
    ];
    let names = parts.map(|(name, _)| name).join(", ");
    if let Some(unknown) = only.filter(|only| parts.iter().all(|(name, _)| name != only)) {
        eprintln!("bench: there is no part {unknown}; there are {names}");
        std::process::exit(2);
    }
    eprintln!("bench: {}", only.unwrap_or(&names));
    if only.is_none_or(|only| only != "beside") {
        println!("| figure | ours | floor | ratio (spread) | target |");
        println!("| --- | --- | --- | --- | --- |");
    }
    for (name, part) in parts {
        if only.is_none_or(|only| only == name) {
            part();
        }
    }
}

fn row(figure: &str, ours: &str, floor: &str, ratio: &str, target: &str) {
    println!("| {figure} | {ours} | {floor} | {ratio} | {target} |");
}

fn per_second(rates: &[f64]) -> String {
    format!("{:.0}/s", median(rates))
}

/// The two requests at four numbers of connections, and pipelined.
fn throughput() {
    for name in ["POST /oauth/token", "GET /"] {
        // Its own server, so that no other part has ended its token to make room.
        let server = Running::program(CONFIG);
        let get = get_request(&server);
        let request = if name == "GET /" { get.as_str() } else { TOKEN_REQUEST };
        let size = client::answer_size(server.address, request);
        let floor = Running::floor(size, 1);
        for connections in [1, 2, 64, 512] {
            let target = if connections == 2 { "1.20" } else { "0.95" };
            let s = if connections == 1 { "" } else { "s" };
            let figure = format!("{name}, {connections} connection{s}");
            compare(
                &figure,
                &server,
                &floor,
                &Load { request, batch: 1, connections, size },
                target,
            );
        }
        let batch = 50;
        let floor = Running::floor(size, batch);
        let load = Load { request, batch, connections: 1, size };
        let target = if name == "GET /" { "0.85" } else { "0.70" };
        let figure = format!("{name}, {batch} pipelined");
        compare_loads(&figure, (&server, &load), (&floor, &load), target);
    }
}

/// One load on two servers in turn.
fn compare(figure: &str, server: &Running, floor: &Running, load: &Load, target: &str) {
    compare_loads(figure, (server, load), (floor, load), target);
}

fn compare_loads(figure: &str, ours: (&Running, &Load), other: (&Running, &Load), target: &str) {
    let (mut own, mut others) = (Measured::default(), Measured::default());
    for _ in 0..ROUNDS {
        own.round(ours);
        others.round(other);
    }
    let rates = ratios(&own.rates, &others.rates);
    row(figure, &per_second(&own.rates), &per_second(&others.rates), &rates, target);
    if ours.1.connections == 64 && ours.1.batch == 1 {
        let figure = format!("{figure}: processor time of the server, an answer");
        let micros = |costs: &[f64]| format!("{:.1} us", median(costs));
        let costs = ratios(&own.costs, &others.costs);
        row(&figure, &micros(&own.costs), &micros(&others.costs), &costs, "");
    }
}

/// A server's rounds: answers per second, and microseconds of processor time per answer.
#[derive(Default)]
struct Measured {
    rates: Vec<f64>,
    costs: Vec<f64>,
}

impl Measured {
    fn round(&mut self, (server, load): (&Running, &Load)) {
        let before = server.processor_time();
        let rate = load.run(server.address, ROUND).rate;
        let spent = (server.processor_time() - before).as_secs_f64() * 1e6;
        self.rates.push(rate);
        self.costs.push(spent / (rate * ROUND.as_secs_f64()));
    }
}

fn log_on_and_off() {
    let quiet = Running::program(CONFIG);
    let loud = Running::program(&CONFIG.replace("log = off", "log = text"));
    let size = client::answer_size(quiet.address, TOKEN_REQUEST);
    let load = Load { request: TOKEN_REQUEST, batch: 1, connections: 64, size };
    compare("POST /oauth/token, log on, compared with log off", &loud, &quiet, &load, "");
}

/// The same requests with a million live tokens, and while they are being issued.
fn growth() {
    let fresh = Running::program(CONFIG);
    let full = Running::program(CONFIG);
    let empty = full.memory();
    let slowest = full.slowest_answer_while(|| issue_a_million(&full));
    let floor = Running::floor(client::answer_size(full.address, TOKEN_REQUEST), 1);
    let of_floor = floor.slowest_answer_while(|| issue_a_million(&floor));
    row(
        "slowest answer while a million tokens are issued",
        &milliseconds(slowest),
        &milliseconds(of_floor),
        "",
        "50 ms",
    );
    let each = (full.memory() - empty) as f64 / MILLION as f64;
    row("memory per live token", &format!("{each:.0} B"), "", "", "200 B");
    let get = get_request(&full);
    let fresh_get = get_request(&fresh);
    let size = client::answer_size(full.address, &get);
    let load = |request| Load { request, batch: 1, connections: 64, size };
    let (load, fresh_load) = (load(get.as_str()), load(fresh_get.as_str()));
    let figure = "GET /, 64 connections, a million live tokens, compared with none";
    compare_loads(figure, (&full, &load), (&fresh, &fresh_load), "0.95");
}

/// A million tokens that expire in the same minute.
fn expiry() {
    let lifetime = Duration::from_secs(40);
    let text = format!("{CONFIG}access_token_lifetime = {}\n", lifetime.as_secs());
    let server = Running::program(&text);
    let empty = server.memory();
    let began = Instant::now();
    issue_a_million(&server);
    let issued = began.elapsed();
    let full = server.memory();
    // The last of them expires by then, and is gone within 18 seconds.
    let end = began + issued + lifetime + Duration::from_secs(20);
    let slowest = server.slowest_answer_while(|| {
        std::thread::sleep(end.saturating_duration_since(Instant::now()));
    });
    row("slowest answer while a million tokens expire", &milliseconds(slowest), "", "", "50 ms");
    let left = server.memory() as f64 - empty as f64;
    let given_back = 100.0 - 100.0 * left / (full - empty) as f64;
    row("memory given back after that", &format!("{given_back:.0} %"), "", "", "");
}

fn idle_memory() {
    let text = format!("{CONFIG}{CLIENT}[client page]\nredirect_uris = http://localhost/\n");
    type Ask = fn(&Running) -> String;
    let asks: [(&str, Ask); 3] = [
        ("GET /", get_request),
        ("a sign-in", |_| state::request(state::SIGN_IN)),
        ("a page", |_| AUTHORIZATION_REQUEST.into()),
    ];
    asks.into_iter().for_each(|(what, ask)| idle_memory_after(what, &text, ask));
}

/// How much memory each of many connections keeps that has had an answer to this.
fn idle_memory_after(what: &str, text: &str, ask: fn(&Running) -> String) {
    const CONNECTIONS: usize = 9000;
    let server = Running::program(text);
    let request = &ask(&server);
    let size = client::answer_size(server.address, request);
    let floor = Running::floor(size, 1);
    let of = |server: &Running| {
        let before = server.memory();
        let open = client::open_and_ask_once(server.address, request, size, CONNECTIONS);
        // After half a second a connection frees what only its next request needs.
        std::thread::sleep(Duration::from_secs(1));
        let each = (server.memory() - before) as f64 / CONNECTIONS as f64 / 1024.0;
        drop(open);
        each
    };
    let (ours, theirs) = (of(&server), of(&floor));
    row(
        &format!("memory per idle connection, 9,000 open, each after {what}"),
        &format!("{ours:.1} KiB"),
        &format!("{theirs:.1} KiB"),
        &format!("{:.2}", ours / theirs),
        "12 KiB",
    );
}

/// Hashing a password, as each sign-in does, beside OpenSSL with as many iterations.
fn sign_in() {
    let own = || {
        let mut command = Command::new(server::program());
        let mut child = command
            .arg("--hash")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
        child.stdin.take().unwrap().write_all(b"password\n").unwrap();
        assert!(child.wait().unwrap().success());
    };
    let openssl = |iterations: &str| {
        let mut command = Command::new("openssl");
        command.args(["kdf", "-keylen", "32", "-kdfopt", "digest:SHA256", "-kdfopt"]);
        command.args(["pass:password", "-kdfopt", "salt:0123456789abcdef", "-kdfopt"]);
        command.arg(format!("iter:{iterations}")).arg("PBKDF2").stdout(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !openssl("1") {
        eprintln!("openssl 3 is not installed: left out");
        return;
    }
    let took = |work: &dyn Fn()| {
        let began = Instant::now();
        work();
        began.elapsed().as_secs_f64() * 1000.0
    };
    let [mut ours, mut others] = [const { Vec::new() }; 2];
    for _ in 0..ROUNDS {
        ours.push(took(&own));
        let starts = took(&|| assert!(openssl("1")));
        others.push(took(&|| assert!(openssl("600000"))) - starts);
    }
    let ratios = ratios(&ours, &others);
    let [ours, others] = [ours, others].map(|times| format!("{:.0} ms", median(&times)));
    row("PBKDF2, 600,000 iterations, beside OpenSSL", &ours, &others, &ratios, "0.40");
}

fn start() {
    let times: Vec<f64> = (0..21)
        .map(|_| {
            let began = Instant::now();
            let server = Running::program(CONFIG);
            let taken = began.elapsed();
            drop(server);
            taken.as_secs_f64() * 1000.0
        })
        .collect();
    row("start to listening on", &format!("{:.1} ms", median(&times)), "", "", "5 ms");
    let size = std::fs::metadata(server::program()).unwrap().len() as f64 / 1e6;
    row("executable", &format!("{size:.2} MB"), "", "", "2.3 MB (static)");
}

/// A million tokens, over 64 connections.
fn issue_a_million(server: &Running) {
    let size = client::answer_size(server.address, TOKEN_REQUEST);
    let load = Load { request: TOKEN_REQUEST, batch: 1, connections: 64, size };
    load.ask_for(server.address, MILLION);
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}

/// A request for the protected resource, with a token of this server.
fn get_request(server: &Running) -> String {
    let answer = client::ask(server.address, TOKEN_REQUEST);
    let token = answer.split("\"access_token\":\"").nth(1).unwrap().split('"').next().unwrap();
    format!(
        "GET / HTTP/1.1\r\nHost: localhost:3000\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    )
}
