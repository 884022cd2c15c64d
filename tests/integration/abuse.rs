//! Contract section 5: what it withstands.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::*;

/// A value of `/proc/PID/status`.
fn status(server: &Server, name: &str) -> usize {
    let text = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// How many threads there are, without those that have ended but that a busy system has not cleared
/// away yet.
fn threads(server: &Server) -> usize {
    const EXITING: u32 = 4;
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let is_there = |task: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        let flags = stat.rsplit_once(')')?.1.split_whitespace().nth(6)?;
        Some(flags.parse::<u32>().ok()? & EXITING == 0)
    };
    tasks.flatten().filter_map(is_there).filter(|there| *there).count()
}

fn open_files(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count()
}

#[test]
fn the_connection_that_waited_longest_makes_room() {
    let server = Server::with("max_connections = 3");
    let mut open: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for connection in &mut open {
        assert!(connection.is_alive());
    }
    assert!(open[0].is_alive());
    let mut fourth = server.connect();
    assert!(fourth.is_alive());
    assert!(open[1].is_over());
    let mut fifth = server.connect();
    assert!(fifth.is_alive());
    assert!(open[2].is_over());
    assert!(open[0].is_alive());

    let server = Server::with("max_connections = 1");
    let mut in_head = server.connect();
    in_head.send("GET / HT");
    assert!(server.connect().is_alive());
    assert!(in_head.is_over());
}

#[test]
fn honest_clients_in_turn_all_get_in_where_there_is_room_for_one() {
    let server = Server::with("max_connections = 1");
    for _ in 0..800 {
        assert!(server.connect().is_alive());
    }
}

#[test]
fn where_nobody_can_make_room_there_is_a_503() {
    let server = Server::with("max_connections = 2");
    let mut busy: Vec<_> = (0..2).map(|_| server.connect()).collect();
    let head = "POST /oauth/token HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    for connection in &mut busy {
        connection.send(head);
        let mut word = [0; 25];
        connection.stream.read_exact(&mut word).unwrap();
    }
    let mut refused = server.connect();
    assert_eq!(
        refused.answer().whole(),
        "503\nContent-Type: application/json\nRetry-After: 1\nContent-Length: 89\nConnection: close\n\n\
         {\"error\":\"temporarily_unavailable\",\"error_description\":\"too many connections, try again\"}"
    );
    assert!(refused.is_over());
    for connection in &mut busy {
        connection.send("hello");
        assert_eq!(connection.answer().status, 400);
    }
    eventually(|| server.get("/healthz", &[]).status == 200, "it recovers");
}

#[test]
fn too_few_file_descriptors_are_told_and_lived_with() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 100; exec \"$0\" \"$@\"", PROGRAM]);
    let server = Server::configured_by(&mut shell, &format!("[server]\nlog = off\n{CLIENTS}"));
    server
        .log_line(|line| line.contains("max_connections is 4096, but the limit of 100 open files"));
    let crowd: Vec<_> = (0..300)
        .map(|_| {
            let mut connection = server.connect();
            connection.send("GET / HT");
            connection
        })
        .collect();
    for _ in 0..20 {
        assert!(server.connect().is_alive());
    }
    drop(crowd);
    eventually(|| open_files(&server) < 20, "the descriptors come back");
    assert!(server.connect().is_alive());
}

/// Clients that come and go for this time, silent, within a head, reading nothing or sending
/// nonsense. Returns the most threads and descriptors meanwhile.
fn flood(server: &Server, time: Duration) -> (usize, usize) {
    let end = Instant::now() + time;
    let pages = "GET /oauth/device HTTP/1.1\r\nHost: h\r\n\r\n".repeat(200);
    let sent = ["", "GET / HTTP/1.1\r\n", &pages, "\u{16}\u{3}\u{1}\r\n\r\n"];
    std::thread::scope(|scope| {
        for text in sent.repeat(2) {
            scope.spawn(move || {
                while Instant::now() < end {
                    let crowd: Vec<_> = (0..80).map(|_| server.connect().stream).collect();
                    for mut stream in &crowd {
                        let _ = stream.write_all(text.as_bytes());
                    }
                }
            });
        }
        let mut most = (0, 0);
        while Instant::now() < end {
            most.0 = most.0.max(threads(server));
            most.1 = most.1.max(open_files(server));
        }
        most
    })
}

#[test]
fn a_flood_gets_no_more_threads_and_descriptors_than_the_cap_and_64() {
    let server = Server::with("max_connections = 64\nlog = off");
    let (threads, files) = flood(&server, Duration::from_secs(2));
    assert!(threads <= 64 + 64 && files <= 64 + 64, "{threads} threads, {files} descriptors");
    eventually(|| open_files(&server) < 20, "the descriptors come back");
    assert!(server.connect().is_alive());
}

/// Requests that take the most memory if their answers are not read.
fn heaviest_requests() -> Vec<String> {
    let body = "x".repeat(64 * 1024);
    let quotes = "%22".repeat(5000);
    let target = format!("/oauth/authorize?response_type=code&client_id=app&state={quotes}");
    let form = "Content-Type: application/x-www-form-urlencoded";
    vec![
        message("POST", "/oauth/token", &[], &body).repeat(20),
        message("POST", "/oauth/token", &[form], &format!("a={}", &body[2..])).repeat(20),
        message("POST", "/oauth/device", &[form], &format!("user_code={quotes}")).repeat(40),
        message("GET", &target, &[], "").repeat(60),
        message("GET", "/oauth/device", &[], "").repeat(8000),
        message("GET", "/healthz", &[&format!("X: {}", &body[..16_000])], "").repeat(60),
        message("POST", "/oauth/token", &[], &body)[..60_000].into(),
        format!("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n{body}"),
    ]
}

#[test]
fn a_connection_takes_half_a_mebibyte_whatever_it_sends_and_leaves_unread() {
    const CROWD: usize = 60;
    for text in heaviest_requests() {
        let server = Server::with("log = off");
        assert!(server.connect().is_alive());
        let before = status(&server, "VmRSS:");
        let crowd: Vec<_> = (0..CROWD).map(|_| server.connect().stream).collect();
        for mut stream in &crowd {
            stream.set_nonblocking(true).unwrap();
            // As much as the server and the system accept.
            let mut rest = text.as_bytes();
            let began = Instant::now();
            while !rest.is_empty() && began.elapsed() < Duration::from_millis(20) {
                if let Ok(n) = stream.write(rest) {
                    rest = &rest[n..];
                }
            }
        }
        // The most memory that it has ever had.
        let most = (status(&server, "VmHWM:") - before) / CROWD;
        assert!(most <= 512, "{most} KiB for {text:.100}");
    }
}

#[test]
fn a_thousand_open_connections_do_not_hold_up_the_end() {
    let mut server = Server::with("log = off");
    let mut crowd: Vec<TcpStream> = Vec::new();
    for i in 0..1000 {
        let mut connection = server.connect();
        match i % 3 {
            0 => {}
            // Asks for a lot and reads nothing.
            1 => connection.send("GET /oauth/device HTTP/1.1\r\nHost: h\r\n\r\n".repeat(20)),
            _ => assert!(connection.is_alive()),
        }
        crowd.push(connection.stream);
    }
    let began = Instant::now();
    server.signal("TERM");
    assert_eq!(server.end().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn chaos_leaves_a_healthy_client_alone_and_nothing_behind() {
    let server = Server::with("log = off");
    assert!(server.connect().is_alive());
    eventually(|| open_files(&server) < 10, "the first connection ends");
    let (files, threads) = (open_files(&server), status(&server, "Threads:"));
    let end = Instant::now() + Duration::from_secs(8);
    std::thread::scope(|scope| {
        for kind in 0..4 {
            let server = &server;
            scope.spawn(move || {
                while Instant::now() < end {
                    let crowd: Vec<TcpStream> = (0..80)
                        .map(|i| {
                            let mut stream = server.connect().stream;
                            let _ = match kind {
                                // Half-open, trickling, garbage that resets, never reading.
                                0 => Ok(()),
                                1 => stream
                                    .write_all(&b"GET / HTTP/1.1\r\nHost: h\r\n"[..1 + i % 20]),
                                2 => stream.write_all(b"\x16\x03\x01\x02\x00garbage\r\n\r\n"),
                                _ => stream.write_all(
                                    "GET /oauth/device HTTP/1.1\r\nHost: h\r\n\r\n"
                                        .repeat(200)
                                        .as_bytes(),
                                ),
                            };
                            stream
                        })
                        .collect();
                    std::thread::sleep(Duration::from_millis(100));
                    drop(crowd);
                }
            });
        }
        let token = server.access_token("read");
        let mut healthy = 0;
        while Instant::now() < end {
            assert!(server.is_live(&token));
            healthy += 1;
        }
        assert!(healthy > 0);
    });
    eventually(|| open_files(&server) <= files, "the descriptors come back");
    eventually(|| status(&server, "Threads:") <= threads, "the threads end");
    // The allocator keeps some of it for the next connections.
    assert!(status(&server, "VmRSS:") < 64 * 1024, "{} KiB", status(&server, "VmRSS:"));
}
