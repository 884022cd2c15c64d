//! The program with a state file and without one, which takes the place of the floor.

use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::client::{self, Load, median};
use crate::server::Running;
use crate::{CONFIG, MILLION, ROUND, ROUNDS, TOKEN_REQUEST};
use crate::{compare_loads, get_request, issue_a_million, milliseconds, row};

/// A client and a user for refreshes.
pub const CLIENT: &str = "[client fresh]\nsecret = secret\ngrants = password refresh_token\n\
    [user ann]\npassword = password\n";

/// The form of its password grant.
pub const SIGN_IN: &str = "grant_type=password&username=ann&password=password";

pub fn state() {
    let folder = tempfile::tempdir().unwrap();
    let with = CONFIG.replace("[server]", "[server]\nstate_file = state") + CLIENT;
    let without = format!("{CONFIG}{CLIENT}");
    beside_itself(folder.path(), &with, &without);
    a_million_rows(folder.path(), &with);
}

fn beside_itself(folder: &Path, with: &str, without: &str) {
    let (kept, plain) = (Running::program_in(folder, with), Running::program(without));
    for (connections, target) in [(2, "0.90"), (64, "0.90")] {
        let size = client::answer_size(plain.address, TOKEN_REQUEST);
        let load = Load { request: TOKEN_REQUEST, batch: 1, connections, size };
        let figure = format!("POST /oauth/token, {connections} connections, with a state file");
        compare_loads(&figure, (&kept, &load), (&plain, &load), target);
    }
    let [own, other] = [&kept, &plain].map(get_request);
    let size = client::answer_size(plain.address, &other);
    let load = |request| Load { request, batch: 1, connections: 64, size };
    let figure = "GET /, 64 connections, with a state file";
    compare_loads(figure, (&kept, &load(&own)), (&plain, &load(&other)), "0.97");
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        rates[0].push(refreshes(&kept));
        rates[1].push(refreshes(&plain));
    }
    let ratios = client::ratios(&rates[0], &rates[1]);
    let [own, other] = rates.map(|rates| format!("{:.0}/s", median(&rates)));
    let figure = "refreshes, 64 connections, with a state file";
    row(figure, &own, &other, &ratios, "0.30");
}

/// Refreshes per second over 64 connections, each with its own family.
pub fn refreshes(server: &Running) -> f64 {
    let threads = 64;
    let ready = Barrier::new(threads);
    std::thread::scope(|scope| {
        let all: Vec<_> =
            (0..threads).map(|_| scope.spawn(|| refresh_in_turn(server, &ready))).collect();
        all.into_iter().map(|one| one.join().unwrap()).sum()
    })
}

fn refresh_in_turn(server: &Running, ready: &Barrier) -> f64 {
    let mut stream = client::connect(server.address);
    let mut ask = |form: &str| {
        let answer = client::ask_on(&mut stream, &request(form));
        let (_, rest) = answer.split_once("\"refresh_token\":\"").unwrap();
        rest[..64].to_string()
    };
    let mut token = ask(SIGN_IN);
    ready.wait();
    let began = Instant::now();
    let mut answers = 0;
    while began.elapsed() < ROUND {
        token = ask(&format!("grant_type=refresh_token&refresh_token={token}"));
        answers += 1;
    }
    f64::from(answers) / began.elapsed().as_secs_f64()
}

/// A token request of [`CLIENT`] with this form.
pub fn request(form: &str) -> String {
    format!(
        "POST /oauth/token HTTP/1.1\r\nHost: h\r\nAuthorization: Basic ZnJlc2g6c2VjcmV0\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
}

/// How long it takes to read a million tokens, how much memory they take, and how long clients wait
/// while the file is rewritten. Instead of a floor, the same probe while nothing is going on.
fn a_million_rows(folder: &Path, with: &str) {
    let file = folder.join("state");
    let server = Running::program_in(folder, with);
    issue_a_million(&server);
    // The client is at its limit now: each further token ends another, and the file grows.
    let probe = || std::thread::sleep(Duration::from_secs(5));
    let idle = server.slowest_answer_while(probe);
    let slowest = server.slowest_answer_while(|| grow_until_rewritten(&server, &file));
    row(
        "slowest answer while a million rows are rewritten, compared with none",
        &milliseconds(slowest),
        &milliseconds(idle),
        "",
        "50 ms",
    );
    drop(server);
    let empty = Running::program_in(tempfile::tempdir().unwrap().path(), with).memory();
    let began = Instant::now();
    let server = Running::program_in(folder, with);
    let taken = began.elapsed();
    row("start with a million tokens in the file", &milliseconds(taken), "", "", "2000 ms");
    let each = server.memory().saturating_sub(empty) as f64 / MILLION as f64;
    row("memory for each of them", &format!("{each:.0} B"), "", "", "200 B");
}

/// Until another file has the name.
fn grow_until_rewritten(server: &Running, file: &Path) {
    let inode = || std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(file).unwrap());
    let size = client::answer_size(server.address, TOKEN_REQUEST);
    let load = Load { request: TOKEN_REQUEST, batch: 1, connections: 64, size };
    let before = inode();
    for _ in 0..60 {
        if inode() != before {
            return;
        }
        load.ask_for(server.address, MILLION / 10);
    }
    println!("the file was not rewritten");
}
