//! The load.
//!
//! Each thread waits for many connections at once, by mio, and sends the next request on one as
//! soon as its answer is whole. That is how wrk works too, and costs as little: two system calls
//! an answer, and none of the answer's text is looked at but its beginning.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

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
        self.on_threads(address, |_, began| began.elapsed() < time)
    }

    /// Asks for at least so many answers.
    pub fn ask_for(&self, address: SocketAddr, answers: usize) {
        self.on_threads(address, |had, _| had < answers.div_ceil(THREADS));
    }

    /// Answers per second while `go_on` says so, which is told a thread's answers and its start.
    fn on_threads(
        &self,
        address: SocketAddr,
        go_on: impl Fn(usize, Instant) -> bool + Sync,
    ) -> f64 {
        let threads = THREADS.min(self.connections);
        let ready = Barrier::new(threads);
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads)
                .map(|thread| {
                    let own = (self.connections + thread) / threads;
                    let (ready, go_on) = (&ready, &go_on);
                    scope.spawn(move || self.drive(address, own, ready, go_on))
                })
                .collect();
            running.into_iter().map(|thread| thread.join().unwrap()).sum()
        })
    }

    fn drive(
        &self,
        address: SocketAddr,
        own: usize,
        ready: &Barrier,
        go_on: impl Fn(usize, Instant) -> bool,
    ) -> f64 {
        let bytes = self.request.repeat(self.batch);
        let whole = self.size * self.batch;
        let mut buffer = vec![0; whole];
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(own);
        // A stream, and how much of its answers is missing.
        let mut connections: Vec<_> = (0..own)
            .map(|at| {
                let stream = connect(address);
                stream.set_nonblocking(true).unwrap();
                let mut stream = mio::net::TcpStream::from_std(stream);
                poll.registry().register(&mut stream, Token(at), Interest::READABLE).unwrap();
                (stream, whole)
            })
            .collect();
        ready.wait();
        let began = Instant::now();
        let mut answers = 0;
        for (stream, _) in &mut connections {
            stream.write_all(bytes.as_bytes()).unwrap();
        }
        while go_on(answers, began) {
            poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
            assert!(!events.is_empty(), "no answer for ten seconds");
            for event in &events {
                let (stream, missing) = &mut connections[event.token().0];
                // To the answer's last byte, or until nothing is there: mio tells only of news.
                while *missing > 0 {
                    match stream.read(&mut buffer[..*missing]) {
                        Ok(0) => panic!("the server has ended a connection"),
                        Ok(read) => {
                            let is_first = *missing == whole;
                            assert!(!is_first || buffer.starts_with(b"HTTP/1.1 200 "));
                            *missing -= read;
                        }
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(error) => panic!("{error}"),
                    }
                }
                if *missing == 0 {
                    answers += self.batch;
                    *missing = whole;
                    stream.write_all(bytes.as_bytes()).unwrap();
                }
            }
        }
        answers as f64 / began.elapsed().as_secs_f64()
    }
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// One request; the whole answer.
pub fn ask(address: SocketAddr, request: &str) -> String {
    ask_on(&mut connect(address), request)
}

/// The same on a connection that stays open.
pub fn ask_on(stream: &mut TcpStream, request: &str) -> String {
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
