//! `make soak`: the attacks that need volume, at full scale. `make test` has a small version of
//! each.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::*;
use crate::throttle::*;

/// The iterations that `oauth2d --hash` writes.
const USUAL: u32 = 600_000;

#[test]
#[ignore = "make soak"]
fn soak_five_thousand_guesses_from_one_ipv6_subnet() {
    let server = behind_proxy();
    let mut connection = server.connect();
    let mut evaluated = 0;
    for host in 0..5000 {
        connection.send(sign_in(&format!("2001:db8::{host:x}:1"), "ann", "wrong"));
        evaluated += usize::from(connection.answer().status == 400);
    }
    println!("5,000 guesses at one user from one /64: {evaluated} evaluated");
    assert!((5..=20).contains(&evaluated));
}

#[test]
#[ignore = "make soak"]
fn soak_made_up_names_do_not_push_out_the_counter_of_their_own_address() {
    let server = behind_proxy();
    let (is_over, flood) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut evaluated = 0;
    std::thread::scope(|scope| {
        for flooder in 0..4 {
            let (server, is_over, flood) = (&server, &is_over, &flood);
            scope.spawn(move || {
                let mut connection = server.connect();
                for batch in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    // Ten times each, so that their counters count more than that of the name being
                    // guessed at.
                    let name = |n| format!("{flooder}-{batch}-{}", n / 10);
                    let requests = (0..50).map(|n| sign_in("192.0.2.1", &name(n), "x"));
                    connection.send(requests.collect::<String>());
                    (0..50).for_each(|_| _ = connection.answer());
                    flood.fetch_add(50, Ordering::Relaxed);
                }
            });
        }
        eventually(|| flood.load(Ordering::Relaxed) > 1_000_000, "the flood fills the counters");
        let mut connection = server.connect();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(54) {
            connection.send(sign_in("192.0.2.1", "ann", "wrong"));
            evaluated += usize::from(connection.answer().status == 400);
            std::thread::sleep(Duration::from_millis(50));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let flood = flood.into_inner();
    println!(
        "{flood} failures with made-up names in 54 s: {evaluated} guesses at one user evaluated"
    );
    // Refused for its thousand failures, it does not even get its twenty.
    assert!(evaluated <= 20);
}

#[test]
#[ignore = "make soak"]
fn soak_right_passwords_among_strangers_that_fill_the_gate() {
    let one = |_| "192.0.2.1".to_string();
    let each = |n| format!("192.0.2.{n}");
    for (name, strangers, address, expected) in [
        ("150 connections of one address", 150, &one as &dyn Fn(usize) -> String, 30),
        ("64 connections of one address", 64, &one, 30),
        // The very first waits behind 64 that are as unknown as itself, which may take too long.
        ("64 connections of 64 addresses", 64, &each, 29),
    ] {
        let server = with_slow_hashes(USUAL);
        let (right, slowest) = right_sign_ins(&server, 30, (strangers, address));
        println!("{name}: {right} of 30 right sign-ins, the slowest after {slowest:.1?}");
        assert!(right >= expected, "{name}");
    }
}

#[test]
#[ignore = "make soak"]
fn soak_ninety_five_sign_ins_of_a_client_that_has_gone() {
    let server = with_slow_hashes(USUAL);
    let hashes = hashes_for_a_client_that_left(&server, 95);
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    // Hundredths of a second in user mode.
    let used: f64 = stat.split(' ').nth(13).unwrap().parse().unwrap();
    println!("95 sign-ins, client gone: {hashes} hashes, {:.1} s of processor", used / 100.0);
    assert!(hashes <= 3);
}
