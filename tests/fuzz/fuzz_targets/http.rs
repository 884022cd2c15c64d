//! Any bytes on a connection, cut in two ways, get the same answers, without a panic.
//!
//! The first byte is the length of the pieces in the second way.
#![no_main]
#![allow(dead_code, unused_imports)]

#[path = "../../../src/encode/mod.rs"]
mod encode;
#[path = "../../../src/http/mod.rs"]
mod http;
#[path = "../../../src/os.rs"]
mod os;
#[path = "../../../src/step_aside.rs"]
mod step_aside;

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use http::connection::Connection;
use http::phase::{Phase, Wait};
use http::transport::Transport;
use http::{Head, Limits, Request, Response, Service, Status};
use libfuzzer_sys::fuzz_target;

struct Client<'a> {
    bytes: &'a [u8],
    step: usize,
    written: &'a RefCell<Vec<u8>>,
}

impl Read for Client<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = self.bytes.len().min(self.step).min(buffer.len());
        buffer[..taken].copy_from_slice(&self.bytes[..taken]);
        self.bytes = &self.bytes[taken..];
        Ok(taken)
    }
}

impl Write for Client<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.borrow_mut().extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Client<'_> {
    fn set_read_timeout(&self, _: Duration) -> io::Result<()> {
        Ok(())
    }
    fn set_write_timeout(&self, _: Duration) -> io::Result<()> {
        Ok(())
    }
    fn read_waiting(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read(buffer)
    }
    fn end_writing(&self) -> io::Result<()> {
        Ok(())
    }
    fn is_gone(&self) -> bool {
        self.bytes.is_empty()
    }
}

struct Echo;

impl Service for Echo {
    fn wants_body(&self, _: &Head) -> bool {
        true
    }
    fn answer(&self, request: &Request) -> Response {
        let head = &request.head;
        let text = format!("{} {} {:?} {:?}", head.method, head.path, head.query, request.body);
        Response::new(Status::Ok).body(text)
    }
    fn refused(&self, _: IpAddr, refusal: http::Refusal) {
        assert!(refusal != http::Refusal::Panic);
    }
    fn notice(&self, _: &str) {}
}

struct Alone;

impl Phase for Alone {
    fn waits(&self, _: Wait, _: Instant) {}
    fn steps_aside(&self) {}
    fn sleeps(&self) {}
    fn busy(&self, _: Instant) -> bool {
        true
    }
    fn draining(&self) -> bool {
        false
    }
    fn deaf(&self) -> bool {
        false
    }
}

/// What is written, without dates and interim answers, which depend on the pieces.
fn answers(bytes: &[u8], step: usize) -> String {
    let written = RefCell::new(Vec::new());
    let client = Client { bytes, step, written: &written };
    Connection::new(client, IpAddr::from([127, 0, 0, 1]), &Echo, &Alone, &Limits::DEFAULT).run();
    let text = String::from_utf8_lossy(&written.borrow()).replace("HTTP/1.1 100 Continue\r\n\r\n", "");
    text.split("\r\n").filter(|line| !line.starts_with("Date: ")).collect::<Vec<_>>().join("\n")
}

fuzz_target!(|bytes: &[u8]| {
    let Some((step, bytes)) = bytes.split_first() else { return };
    let whole = answers(bytes, usize::MAX);
    let pieces = answers(bytes, usize::from(*step) + 1);
    // A refusal may come before or after the end of what is wrong has arrived, but the answers
    // before it are the same, and whether there is one.
    let head = |text: &str| text.split("HTTP/1.1 4").next().unwrap().to_string();
    assert_eq!(head(&whole), head(&pieces));
    assert_eq!(whole.contains("HTTP/1.1 4"), pieces.contains("HTTP/1.1 4"));
});
