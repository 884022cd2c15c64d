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

fn open_files(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count()
}

#[test]
fn a_head_has_ten_seconds_however_it_trickles() {
    let server = Server::demo();
    let mut silent = server.connect();
    silent.send("GET / HT");
    let mut trickling = server.connect();
    let began = Instant::now();
    trickling.send("GET / HTTP/1.1\r\nX: ");
    let mut writer = trickling.stream.try_clone().unwrap();
    let trickle = std::thread::spawn(move || {
        while writer.write_all(b"x").is_ok() && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    for connection in [&mut silent, &mut trickling] {
        let answer = connection.answer();
        assert_eq!((answer.status, answer.field("Connection")), (408, Some("close")));
        assert!(began.elapsed() >= Duration::from_secs(9), "{:?}", began.elapsed());
    }
    trickle.join().unwrap();
}

#[test]
fn a_request_behind_a_slow_one_has_its_own_time() {
    let server = Server::demo();
    let mut connection = server.connect();
    connection.send("POST /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhell");
    // Longer than a head may take, within what a body may.
    std::thread::sleep(Duration::from_secs(11));
    connection.send("oGET /heal");
    assert_eq!(connection.answer().status, 405);
    connection.send("thz HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(connection.answer().status, 200);
}

#[test]
fn a_body_has_thirty_seconds_and_an_idle_connection_too() {
    let server = Server::demo();
    let began = Instant::now();
    let mut idle = server.connect();
    let mut body = server.connect();
    body.send("POST /oauth/token HTTP/1.1\r\nHost: h\r\nContent-Length: 500\r\n\r\n");
    let mut writer = body.stream.try_clone().unwrap();
    let trickle = std::thread::spawn(move || {
        while writer.write_all(b"x").is_ok() && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(500));
        }
    });
    assert!(idle.is_over());
    assert_eq!(body.answer().status, 408);
    assert!(began.elapsed() >= Duration::from_secs(29), "{:?}", began.elapsed());
    trickle.join().unwrap();
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
        "503\nContent-Type: application/json\nRetry-After: 1\nContent-Length: 94\nConnection: close\n\n\
         {\"error\":\"temporarily_unavailable\",\"error_description\":\"too many connections, try again\"}"
            .replace("94", "89")
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

#[test]
fn a_thousand_open_connections_do_not_hold_up_the_end() {
    let mut server = Server::with("log = off");
    let mut crowd: Vec<TcpStream> = Vec::new();
    for i in 0..1000 {
        let mut connection = server.connect();
        match i % 3 {
            0 => {}
            // Asks for much and reads nothing.
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
    // Some of it stays with the allocator for the next connections.
    assert!(status(&server, "VmRSS:") < 64 * 1024, "{} KiB", status(&server, "VmRSS:"));
}
