//! The program and what people would pick instead, in one run: each server in turn, with the same
//! client and answers of the same size.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::client::{self, Load, Pace, median};
use crate::picture::{Line, picture};
use crate::server::Running;
use crate::{CONFIG, TOKEN_REQUEST, get_request};

const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(500);
const CONNECTIONS: [usize; 5] = [1, 2, 8, 64, 512];

/// A server being measured; the first is the program.
struct Rival {
    name: &'static str,
    running: Running,
    request: String,
    size: usize,
    rates: Vec<f64>,
    slowest: Vec<f64>,
}

pub fn beside() {
    let mut pictures = Vec::new();
    for name in ["POST /oauth/token", "GET /"] {
        let mut rivals = rivals(name == "GET /");
        println!();
        head(&rivals);
        let mut lines: Vec<Line> = rivals.iter().map(|rival| Line::new(rival.name)).collect();
        for connections in CONNECTIONS {
            measure(&mut rivals, connections, |_| Pace::Closed);
            table_row(&format!("{name}, {connections}"), &rivals);
            for (line, rival) in lines.iter_mut().zip(&rivals) {
                line.add(connections, median(&rival.rates), median(&rival.slowest));
            }
        }
        paced(name, &mut rivals);
        pictures.push((name, lines));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/picture.svg");
    std::fs::write(&file, picture(&pictures)).unwrap();
    eprintln!("the picture is in tests/bench/picture.svg");
}

/// All at half of the program's peak rate, with requests that do not wait for answers.
fn paced(name: &str, rivals: &mut [Rival]) {
    measure(rivals, 64, |_| Pace::Closed);
    let half = median(&rivals[0].rates) / 2.0;
    measure(rivals, 64, |_| Pace::Even(half));
    table_row(&format!("{name}, 64, paced at {half:.0}/s"), rivals);
}

fn measure(rivals: &mut [Rival], connections: usize, pace: impl Fn(&Rival) -> Pace) {
    for rival in &mut *rivals {
        (rival.rates, rival.slowest) = (Vec::new(), Vec::new());
    }
    for _ in 0..ROUNDS {
        for rival in &mut *rivals {
            let load = Load { request: &rival.request, batch: 1, connections, size: rival.size };
            let round = load.run_at(pace(rival), rival.running.address, ROUND);
            rival.rates.push(round.rate);
            rival.slowest.push(round.slowest.as_secs_f64() * 1000.0);
        }
    }
}

fn head(rivals: &[Rival]) {
    let others: String = rivals[1..].iter().map(|rival| format!(" of {} |", rival.name)).collect();
    let slowest: String = rivals[1..].iter().map(|rival| format!(" {} |", rival.name)).collect();
    println!("| request, connections | ours |{others} slowest of a hundred: ours |{slowest}");
    println!("|{}", " --- |".repeat(1 + 2 * rivals.len()));
}

fn table_row(figure: &str, rivals: &[Rival]) {
    let ours = &rivals[0];
    let ratio = |other: &Rival| format!(" {} |", client::ratios(&ours.rates, &other.rates));
    let ratios: String = rivals[1..].iter().map(ratio).collect();
    let slowest = |rival: &Rival| format!(" {:.2} ms |", median(&rival.slowest));
    let slowest: String = rivals.iter().map(slowest).collect();
    println!("| {figure} | {:.0}/s |{ratios}{slowest}", median(&ours.rates));
}

fn rivals(asks_for_resource: bool) -> Vec<Rival> {
    let rival = |name, running: Running| {
        let request = match asks_for_resource {
            true => get_request(&running),
            false => TOKEN_REQUEST.into(),
        };
        let size = client::answer_size(running.address, &request);
        Rival { name, running, request, size, rates: Vec::new(), slowest: Vec::new() }
    };
    let ours = rival("oauth2d", Running::program(CONFIG));
    let (size, request) = (ours.size, ours.request.clone());
    // These check nothing, so any token will do.
    let fixed = |name, running| Rival {
        name,
        running,
        request: request.clone(),
        size,
        rates: Vec::new(),
        slowest: Vec::new(),
    };
    let mut all = vec![ours];
    all.push(fixed("floor", Running::floor(size, 1)));
    all.push(fixed("stepping floor", Running::stepping_floor(size)));
    match axum() {
        Some(running) => all.push(rival("axum 0.8", running)),
        None => eprintln!("axum could not be built: left out"),
    }
    match nginx(size) {
        Some(running) => {
            let mut nginx = fixed("nginx", running);
            nginx.size = client::answer_size(nginx.running.address, &request);
            all.push(nginx);
        }
        None => eprintln!("nginx is not installed: left out"),
    }
    all
}

/// The same handlers on axum, in their own crate beside this file.
fn axum() -> Option<Running> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/axum/Cargo.toml");
    // Below our own target folder, which `cargo clean` empties.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("axum");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--locked", "--manifest-path"]).arg(manifest);
    let built = cargo.arg("--target-dir").arg(&target).status().ok()?;
    let program = target.join("release/oauth2d-beside-axum");
    built.success().then(|| Running::start(&mut Command::new(program)))
}

/// `return 200` with as many bytes, from one process for each processor.
fn nginx(size: usize) -> Option<Running> {
    let folder = tempfile::tempdir().unwrap();
    // Its own fields take some 140 bytes.
    let body = "x".repeat(size.saturating_sub(145));
    // A port that is free now, since nginx cannot find one by itself.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let path = folder.path().display();
    let config = format!(
        "daemon off; worker_processes auto; pid {path}/pid; error_log stderr crit;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; keepalive_requests 1000000000; server_tokens off;\n\
         client_body_temp_path {path}; proxy_temp_path {path}; fastcgi_temp_path {path};\n\
         uwsgi_temp_path {path}; scgi_temp_path {path};\n\
         server {{ listen 127.0.0.1:{port} backlog=4096; default_type text/plain;\n\
         return 200 \"{body}\"; }} }}\n"
    );
    let file = folder.path().join("nginx.conf");
    std::fs::File::create(&file).unwrap().write_all(config.as_bytes()).unwrap();
    let mut command = Command::new("nginx");
    command.arg("-c").arg(file).arg("-p").arg(folder.path());
    Running::on_port(&mut command, port, folder)
}
