//! The load.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// Threads that drive the connections: as many as machines of this project have processors.
const THREADS: usize = 2;

/// Requests without end over connections that stay open.
pub struct Load<'a> {
    pub request: &'a str,
    /// Requests that are sent together on one connection.
    pub batch: usize,
    pub connections: usize,
    /// Bytes of one answer.
    pub size: usize,
}

impl Load<'_> {
    /// Answers per second.
    pub fn run(&self, address: SocketAddr, time: Duration) -> f64 {
        let threads = THREADS.min(self.connections);
        let ready = Barrier::new(threads);
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads)
                .map(|thread| {
                    let own = (self.connections + thread) / threads;
                    let ready = &ready;
                    scope.spawn(move || self.drive(address, own, time, ready))
                })
                .collect();
            running.into_iter().map(|thread| thread.join().unwrap()).sum()
        })
    }

    fn drive(&self, address: SocketAddr, own: usize, time: Duration, ready: &Barrier) -> f64 {
        let mut connections: Vec<_> = (0..own).map(|_| connect(address)).collect();
        let bytes = self.request.repeat(self.batch);
        let mut buffer = vec![0; self.size * self.batch];
        let mut turn = |connections: &mut [TcpStream]| {
            for connection in &mut *connections {
                connection.write_all(bytes.as_bytes()).unwrap();
            }
            for connection in connections {
                connection.read_exact(&mut buffer).unwrap();
            }
        };
        turn(&mut connections);
        ready.wait();
        let began = Instant::now();
        let mut answers = 0;
        while began.elapsed() < time {
            turn(&mut connections);
            answers += own * self.batch;
        }
        assert!(buffer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&buffer));
        answers as f64 / began.elapsed().as_secs_f64()
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// One request; the whole answer.
pub fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = vec![0; 65536];
    let mut filled = 0;
    loop {
        filled += stream.read(&mut answer[filled..]).unwrap();
        let text = String::from_utf8_lossy(&answer[..filled]).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.split("Content-Length: ").nth(1).unwrap().split("\r\n").next().unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return text;
            }
        }
    }
}

pub fn answer_size(address: SocketAddr, request: &str) -> usize {
    ask(address, request).len()
}

/// Asks for so many tokens over 64 connections.
pub fn issue(address: SocketAddr, request: &str, tokens: usize) {
    let size = answer_size(address, request);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(move || {
                let mut connections: Vec<_> = (0..32).map(|_| connect(address)).collect();
                let mut buffer = vec![0; size];
                for _ in 0..tokens / THREADS / 32 {
                    for connection in &mut connections {
                        connection.write_all(request.as_bytes()).unwrap();
                    }
                    for connection in &mut connections {
                        connection.read_exact(&mut buffer).unwrap();
                    }
                }
            });
        }
    });
}

/// So many connections, each of which has had an answer.
pub fn open_and_ask_once(
    address: SocketAddr,
    request: &str,
    size: usize,
    connections: usize,
) -> Vec<TcpStream> {
    let mut buffer = vec![0; size];
    (0..connections)
        .map(|_| {
            let mut stream = connect(address);
            stream.write_all(request.as_bytes()).unwrap();
            stream.read_exact(&mut buffer).unwrap();
            stream
        })
        .collect()
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The median, and between what the values lie.
pub fn spread(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::MAX, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    format!("{:.2} ({least:.2} to {most:.2})", median(values))
}
