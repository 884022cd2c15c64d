//! Contract section 6: something in place of the engine that is not an engine, or no longer one.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::asks::*;
use super::away::{assert_both_told_once, with_tokens};
use super::redis::{Engine, Place};
use crate::support::*;

/// What an impostor does with a connection.
#[derive(Clone, Copy)]
enum Manner {
    /// Answers everything that arrives with these bytes.
    Says(&'static [u8]),
    /// The same, and then closes the connection.
    SaysAndCloses(&'static [u8]),
    /// Sends this endlessly, asked or not.
    Floods(&'static [u8]),
    /// Sends a byte of this now and then, so that something always arrives.
    Trickles(&'static [u8]),
}

/// A listener that behaves like this.
struct Impostor {
    place: SocketAddr,
    is_over: Arc<AtomicBool>,
    listening: Option<std::thread::JoinHandle<()>>,
}

impl Impostor {
    fn at(place: SocketAddr, manner: Manner) -> Impostor {
        let listener = TcpListener::bind(place).unwrap();
        let place = listener.local_addr().unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&is_over);
        let listening = std::thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming().map_while(Result::ok) {
                if end.load(Ordering::SeqCst) {
                    break;
                }
                let own = stream.try_clone().unwrap();
                std::thread::spawn(move || manner.serve(own));
                open.push(stream);
            }
            for stream in open {
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
        Impostor { place, is_over, listening: Some(listening) }
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.place);
        let _ = self.listening.take().unwrap().join();
    }
}

impl Manner {
    fn serve(self, mut stream: TcpStream) {
        let mut piece = [0; 65536];
        match self {
            Manner::Says(bytes) => {
                while matches!(stream.read(&mut piece), Ok(1..)) {
                    let _ = stream.write_all(bytes);
                }
            }
            Manner::SaysAndCloses(bytes) => {
                let _ = stream.read(&mut piece);
                let _ = stream.write_all(bytes);
                let _ = stream.shutdown(Shutdown::Both);
            }
            Manner::Floods(bytes) => while stream.write_all(bytes).is_ok() {},
            Manner::Trickles(bytes) => {
                for byte in bytes.iter().cycle() {
                    if stream.write_all(&[*byte]).is_err() {
                        return;
                    }
                    std::thread::sleep(std::time::Duration::from_millis(50));
                }
            }
        }
    }
}

const MANNERS: [(&str, Manner); 12] = [
    ("nothing", Manner::Says(b"")),
    ("an end", Manner::SaysAndCloses(b"")),
    ("garbage", Manner::Says(b"\x00\xff garbage \r\n")),
    ("HTTP", Manner::SaysAndCloses(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")),
    ("half an answer", Manner::Says(b"$100\r\nabc")),
    ("half an answer, and an end", Manner::SaysAndCloses(b"$100\r\nabc")),
    ("a long length", Manner::Says(b"$999999999999\r\n")),
    ("a long array", Manner::Says(b"*999999999\r\n")),
    ("arrays within arrays", Manner::Floods(b"*1\r\n")),
    ("a line without end", Manner::Floods(b"+aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")),
    ("a line that trickles", Manner::Trickles(b"+")),
    ("a newer protocol", Manner::Says(b"_\r\n")),
];

/// Answers that make no sense are 503 in time, whatever they are.
#[track_caller]
fn assert_503_by(at: usize) {
    let (name, manner) = MANNERS[at];
    let impostor = Impostor::at("127.0.0.1:0".parse().unwrap(), manner);
    let (fixed, section) = fixed_token();
    let server = Server::with(&format!("store = redis://{}\n{section}", impostor.place));
    println!("{name}");
    assert_unavailable_everywhere(&server, &Held::made_up(&fixed));
    server.notice(|notice| notice.starts_with(&format!("redis://{}: ", impostor.place)));
}

/// Each of them takes its time, so some run in parallel.
fn assert_503_by_every_fourth(first: usize) {
    if super::redis::is_there() {
        std::thread::scope(|scope| {
            for at in (first..MANNERS.len()).step_by(4) {
                scope.spawn(move || assert_503_by(at));
            }
        });
    }
}

#[test]
fn silence_and_floods_are_503() {
    assert_503_by_every_fourth(0);
}

#[test]
fn ends_and_long_lengths_are_503() {
    assert_503_by_every_fourth(1);
}

#[test]
fn garbage_and_other_answers_are_503() {
    assert_503_by_every_fourth(2);
}

#[test]
fn other_protocols_are_503() {
    assert_503_by_every_fourth(3);
}

/// Nothing is believed of one that speaks the protocol but gives the same answer to everything.
#[test]
fn the_same_answer_to_everything_is_503() {
    if !super::redis::is_there() {
        return;
    }
    for (answer, manner) in [
        ("OK", Manner::Says(b"+OK\r\n")),
        ("OK without end", Manner::Floods(b"+OK\r\n")),
        ("a number", Manner::Says(b":7\r\n")),
        ("a number below none", Manner::Says(b":-7\r\n")),
        ("an empty array", Manner::Says(b"*0\r\n")),
        ("bytes", Manner::Says(b"$2\r\nOK\r\n")),
        ("an error", Manner::Says(b"-ERR no\r\n")),
    ] {
        let impostor = Impostor::at("127.0.0.1:0".parse().unwrap(), manner);
        let (fixed, section) = fixed_token();
        let server = Server::with(&format!("store = redis://{}\n{section}", impostor.place));
        let held = Held::made_up(&fixed);
        for (name, ask) in looking() {
            assert_eq!(ask(&server, &held).status, 503, "{answer:?} {name}");
        }
        assert_eq!(server.get("/readyz", &[]).whole(), whole());
        server.notice(|notice| notice.starts_with(&format!("redis://{}: ", impostor.place)));
    }
}

#[test]
fn an_impostor_in_the_engines_place_denies_no_token_and_the_engine_heals_it() {
    let Some(mut engine) = Engine::with(&["--appendonly", "yes"]) else { return };
    let (server, held) = with_tokens(&engine);
    let Place::Tcp(place) = engine.place.clone() else { unreachable!() };
    engine.kill();
    for (name, manner) in MANNERS {
        let _impostor = Impostor::at(place, manner);
        assert_eq!(in_time(name, || server.bearer(&held.access)).whole(), whole(), "{name}");
    }
    engine.restart();
    await_ready(&server);
    assert_spendable(&server, &held);
    assert_both_told_once(&server);
}
