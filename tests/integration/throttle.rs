//! Contract section 4: too many failed attempts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::support::*;

const WRONG: &str = "grant_type=password&username=ann&password=wrong";
const RIGHT: &str = "grant_type=password&username=ann&password=password";

/// A server that trusts this machine's `X-Forwarded-For`, so that a test can use many addresses.
pub fn behind_proxy() -> Server {
    Server::with("trusted_proxies = 127.0.0.1\nlog = off")
}

/// The same, with a hash of so many iterations for the password of `ann`.
pub fn with_slow_hashes(iterations: u32) -> Server {
    let key = pbkdf2::pbkdf2_hmac_array::<sha2::Sha256, 32>(b"password", b"salt", iterations);
    let [salt, key] = [&b"salt"[..], &key].map(|bytes| STANDARD.encode(bytes));
    let line = format!("password_hash = pbkdf2-sha256${iterations}${salt}${key}\n");
    let hashed = CLIENTS.replacen("password = password\n", &line, 1);
    Server::configured(&format!("[server]\ntrusted_proxies = 127.0.0.1\n{hashed}"))
}

fn forwarded(address: &str) -> String {
    format!("X-Forwarded-For: {address}")
}

/// A sign-in as bytes, so that many can be sent on one connection.
pub fn sign_in(address: &str, user: &str, password: &str) -> String {
    let form = format!("grant_type=password&username={user}&password={password}");
    let fields = [APP, "Content-Type: application/x-www-form-urlencoded", &forwarded(address)];
    message("POST", "/oauth/token", &fields, &form)
}

/// How many descriptors the server has open, connections included.
fn open_files(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count()
}

/// Fails until it is refused. Returns how many failures that took.
fn exhaust(mut attempt: impl FnMut() -> Answer) -> usize {
    for failures in 0..=20 {
        if attempt().status == 429 {
            return failures;
        }
    }
    panic!("twenty failures are not too many");
}

#[test]
fn a_user_under_attack_is_refused_to_the_attacker_and_nobody_else() {
    let server = Server::with("trusted_proxies = 127.0.0.1");
    let from = |address: &str, form: &str| {
        server.post("/oauth/token", &[APP, &format!("X-Forwarded-For: {address}")], form)
    };
    let failures = exhaust(|| from("192.0.2.1", WRONG));
    assert!((5..=20).contains(&failures), "{failures}");
    let refused = from("192.0.2.1", RIGHT);
    assert_eq!(refused.error(), (429, "temporarily_unavailable".into()));
    let seconds: u64 = refused.field("Retry-After").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    assert_eq!(from("192.0.2.2", RIGHT).status, 200);
    assert_eq!(from("192.0.2.1", &RIGHT.replace("ann", "bob")).status, 200);
    assert_eq!(from("192.0.2.1", "grant_type=client_credentials").status, 200);
    // The pages share the counters.
    let fields = ["Content-Type: application/x-www-form-urlencoded", "X-Forwarded-For: 192.0.2.1"];
    let form = "response_type=code&client_id=app&decision=allow&username=ann&password=password";
    let page = server.request("POST", "/oauth/authorize", &fields, form);
    assert_eq!((page.status, page.field("Retry-After").is_some()), (429, true));
    assert!(page.body.contains("name=\"decision\""));
}

#[test]
fn a_client_under_attack_too() {
    let server = Server::clients();
    let wrong = "Authorization: Basic YXBwOndyb25n";
    exhaust(|| server.token(wrong, "grant_type=client_credentials"));
    assert_eq!(server.token(APP, "grant_type=client_credentials").status, 429);
    for (path, form) in [
        ("/oauth/introspect", "token=x"),
        ("/oauth/revoke", "token=x"),
        ("/oauth/device_authorization", ""),
    ] {
        assert_eq!(server.post(path, &[APP], form).status, 429, "{path}");
    }
    assert_eq!(server.token(OTHER, RIGHT).status, 200);
}

#[test]
fn wrong_user_codes_count_and_polls_do_not() {
    let server = Server::clients();
    let started = server.post("/oauth/device_authorization", &[APP], "");
    let poll = format!(
        "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code={}",
        started.member("device_code")
    );
    for _ in 0..30 {
        assert_eq!(server.token(APP, &poll).status, 400);
    }
    let failures = exhaust(|| server.get("/oauth/device?user_code=BBBB-BBBB", &[]));
    assert!((5..=20).contains(&failures), "{failures}");
    let complete = format!("/oauth/device?user_code={}", started.member("user_code"));
    assert_eq!(server.get(&complete, &[]).status, 429);
}

#[test]
fn x_forwarded_for_is_read_from_the_right_and_from_trusted_proxies_only() {
    let wrong_from =
        |server: &Server, field: &str| server.post("/oauth/token", &[APP, field], WRONG).status;
    // Without a trusted proxy the connection's address counts.
    let server = Server::clients();
    let mut made_up = 0..;
    exhaust(|| {
        let field = format!("X-Forwarded-For: 192.0.2.{}", made_up.next().unwrap());
        server.post("/oauth/token", &[APP, &field], WRONG)
    });
    let server = Server::with("trusted_proxies = 127.0.0.1 10.0.0.0/8");
    for (first, second) in [
        // Everything to the left of the last address that is not a proxy may be made up.
        ("X-Forwarded-For: 1.1.1.1, 192.0.2.1, 10.0.0.1", "X-Forwarded-For: 2.2.2.2, 192.0.2.1"),
        // What is not an address ends the reading.
        (
            "X-Forwarded-For: 192.0.2.7, unknown, 10.0.0.9",
            "X-Forwarded-For: 192.0.2.8, \"x\", 10.0.0.9",
        ),
        ("X-Forwarded-For: ::ffff:192.0.2.3", "X-Forwarded-For: 192.0.2.3"),
    ] {
        exhaust(|| server.post("/oauth/token", &[APP, first], WRONG));
        assert_eq!(wrong_from(&server, second), 429, "{first} {second}");
    }
    assert_eq!(wrong_from(&server, "X-Forwarded-For: 192.0.2.4"), 400);
}

#[test]
fn an_ipv6_subnet_is_one_attacker() {
    let server = behind_proxy();
    let mut host = 0;
    let failures = exhaust(|| {
        host += 1;
        server.post("/oauth/token", &[APP, &forwarded(&format!("2001:db8::{host:x}:1"))], WRONG)
    });
    assert!((5..=20).contains(&failures), "{failures}");
    let right = |address| server.post("/oauth/token", &[APP, &forwarded(address)], RIGHT).status;
    assert_eq!(right("2001:db8::ffff:0:0:1"), 429);
    assert_eq!(right("2001:db8:0:1::1"), 200);
    // Wrong user codes, too.
    exhaust(|| {
        host += 1;
        let field = forwarded(&format!("2001:db8::{host:x}:1"));
        server.get("/oauth/device?user_code=BBBB-BBBB", &[&field])
    });
}

#[test]
fn an_address_that_fails_a_thousand_times_is_refused_whatever_it_names() {
    let server = behind_proxy();
    let mut connection = server.connect();
    for n in 0..=1000 {
        connection.send(sign_in("192.0.2.1", &format!("made-up-{n}"), "x"));
        assert_eq!(connection.answer().status, 400, "{n}");
    }
    let fields = [APP, &forwarded("192.0.2.1")];
    let refused = server.post("/oauth/token", &fields, RIGHT);
    assert_eq!(refused.error(), (429, "temporarily_unavailable".into()));
    let seconds: u64 = refused.field("Retry-After").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    assert_eq!(server.post("/oauth/introspect", &fields, "token=x").status, 429);
    let code = "/oauth/device?user_code=BBBB-BBBB";
    assert_eq!(server.get(code, &[&forwarded("192.0.2.1")]).status, 429);
    assert_eq!(server.post("/oauth/token", &[APP, &forwarded("192.0.2.2")], RIGHT).status, 200);
}

#[test]
fn a_public_client_starts_sixty_devices_a_minute_from_one_address() {
    let server = behind_proxy();
    let start = |form: &str, address: &str| {
        server.post("/oauth/device_authorization", &[&forwarded(address)], form)
    };
    for _ in 0..60 {
        assert_eq!(start("client_id=public", "192.0.2.1").status, 200);
    }
    let refused = start("client_id=public", "192.0.2.1");
    assert_eq!(refused.error(), (429, "temporarily_unavailable".into()));
    assert!(refused.field("Retry-After").is_some());
    assert_eq!(start("client_id=public", "192.0.2.2").status, 200);
    let app = "client_id=app&client_secret=secret";
    assert_eq!(start(app, "192.0.2.1").status, 200);
}

#[test]
fn a_proxy_that_nobody_has_named_is_told_of_once() {
    let server = Server::with("log = off");
    let mut connection = server.connect();
    for n in 0..300 {
        connection.send(sign_in("192.0.2.1", &format!("made-up-{n}"), "x"));
        assert_eq!(connection.answer().status, 400);
    }
    let is_told = |line: &str| line.contains("trusted_proxies");
    assert_eq!(
        server.notice(is_told),
        "more than 100 users or clients failed from 127.0.0.1, which sends \
         X-Forwarded-For; if it is your proxy, put it into trusted_proxies, or its users are \
         refused together"
    );
    assert_eq!(server.log().lines().filter(|line| is_told(line)).count(), 1);
}

#[test]
fn a_right_password_gets_its_turn_among_strangers_with_made_up_names() {
    let server = with_slow_hashes(20_000);
    assert_eq!(right_sign_ins(&server, 3, (64, &|_| "192.0.2.1".into())).0, 3);
    assert_eq!(right_sign_ins(&server, 3, (64, &|n| format!("192.0.2.{n}"))).0, 3);
}

/// How many of so many sign-ins by `ann` succeed while so many strangers keep trying made-up names,
/// each from its own address, and how long the slowest took.
pub fn right_sign_ins(
    server: &Server,
    sign_ins: usize,
    (strangers, address): (usize, &dyn Fn(usize) -> String),
) -> (usize, Duration) {
    let is_over = AtomicBool::new(false);
    let (mut right, mut slowest) = (0, Duration::ZERO);
    std::thread::scope(|scope| {
        for stranger in 0..strangers {
            let (is_over, address) = (&is_over, address(stranger));
            scope.spawn(move || {
                let mut connection = server.connect();
                for n in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    connection.send(sign_in(&address, &format!("made-up-{stranger}-{n}"), "x"));
                    if connection.answer().status == 429 {
                        // Attackers and server share the processors of this machine.
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
            });
        }
        for _ in 0..sign_ins {
            let began = Instant::now();
            let mut connection = server.connect();
            connection.send(sign_in("198.51.100.1", "ann", "password"));
            right += usize::from(connection.answer().status == 200);
            slowest = slowest.max(began.elapsed());
        }
        is_over.store(true, Ordering::Relaxed);
    });
    (right, slowest)
}

#[test]
fn an_unknown_name_takes_as_long_as_the_slowest_hash() {
    let server = with_slow_hashes(600_000);
    let mut cost = |user: &str| {
        let before = processor_time(&server);
        let mut connection = server.connect();
        connection.send(sign_in("192.0.2.1", user, "wrong"));
        assert_eq!(connection.answer().status, 400);
        processor_time(&server) - before
    };
    let [ann, bob, nobody] = ["ann", "bob", "nobody"].map(&mut cost);
    assert!(2 * nobody > ann, "{nobody} and {ann}");
    // With a plain-text password his existence shows, which the start warns of.
    assert!(2 * bob < ann, "{bob} and {ann}");
}

/// The processor time that the server has used, in hundredths of a second.
fn processor_time(server: &Server) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    stat.split(' ').skip(13).take(2).map(|time| time.parse::<u64>().unwrap()).sum()
}

#[test]
fn a_batch_of_sign_ins_ends_when_its_client_has_gone() {
    let server = with_slow_hashes(600_000);
    let hashes = hashes_for_a_client_that_left(&server, 12);
    assert!(hashes <= 3, "{hashes}");
}

/// How many hashes are computed for a client that sends so many sign-ins at once and leaves; it is
/// the first to connect to this server.
pub fn hashes_for_a_client_that_left(server: &Server, sign_ins: usize) -> usize {
    let files = open_files(server);
    let mut connection = server.connect();
    let batch = (0..sign_ins).map(|n| sign_in("192.0.2.1", &format!("made-up-{n}"), "x"));
    connection.send(batch.collect::<String>());
    drop(connection);
    server.log_line(|line| line.contains("no such user"));
    eventually(|| open_files(server) <= files, "the connection ends");
    server.log().lines().filter(|line| line.contains("no such user")).count()
}
