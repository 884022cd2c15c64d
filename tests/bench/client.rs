//! The load.
//!
//! Each thread waits for many connections at once, with mio, and sends the next request on a
//! connection as soon as its answer is complete. This is how wrk works, and it costs as little: two
//! system calls an answer, of which only the beginning is looked at.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};

/// How many threads drive the connections: as many as this project's machines have processors.
const THREADS: usize = 2;
/// How long a thread with a pace sleeps before it sends what is due. A wait for answers would end
/// by the millisecond, and the requests of a whole one would come at once.
const NAP: Duration = Duration::from_micros(50);

/// Endless requests over connections that stay open.
pub struct Load<'a> {
    pub request: &'a str,
    /// How many requests are sent together on a connection.
    pub batch: usize,
    pub connections: usize,
    /// The bytes of one answer.
    pub size: usize,
}

/// The result of a load.
pub struct Round {
    /// Answers per second.
    pub rate: f64,
    /// One answer in a hundred took this long or longer.
    pub slowest: Duration,
}

/// When the next requests are sent.
#[derive(Clone, Copy)]
pub enum Pace {
    /// As soon as the connection's answer has arrived.
    Closed,
    /// So many a second over all threads, without waiting for answers.
    Even(f64),
}

impl Load<'_> {
    pub fn run(&self, address: SocketAddr, time: Duration) -> Round {
        self.run_at(Pace::Closed, address, time)
    }

    pub fn run_at(&self, pace: Pace, address: SocketAddr, time: Duration) -> Round {
        self.on_threads(pace, address, |_, began| began.elapsed() < time)
    }

    /// Asks for at least so many answers.
    pub fn ask_for(&self, address: SocketAddr, answers: usize) {
        let enough = answers.div_ceil(self.threads());
        self.on_threads(Pace::Closed, address, |had, _| had < enough);
    }

    fn threads(&self) -> usize {
        THREADS.min(self.connections)
    }

    /// Goes on as long as `go_on` says so, which gets a thread's answers and its start.
    fn on_threads(
        &self,
        pace: Pace,
        address: SocketAddr,
        go_on: impl Fn(usize, Instant) -> bool + Sync,
    ) -> Round {
        let threads = self.threads();
        let ready = Barrier::new(threads);
        let work = |thread: usize| {
            let own = (self.connections + thread) / threads;
            let mut driver = Driver::new(self, address, own);
            ready.wait();
            driver.drive(pace, &go_on)
        };
        let all: Vec<_> = std::thread::scope(|scope| {
            let work = &work;
            let running: Vec<_> =
                (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
            running.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let mut times = histogram();
        all.iter().for_each(|(_, own)| times.add(own).unwrap());
        let slowest = Duration::from_micros(times.value_at_quantile(0.99));
        Round { rate: all.iter().map(|(rate, _)| rate).sum(), slowest }
    }
}

/// Microseconds up to a minute, to three digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(60_000_000, 3).unwrap()
}

/// One thread's connections.
struct Driver<'a> {
    load: &'a Load<'a>,
    bytes: String,
    /// The bytes of the answers to one write.
    whole: usize,
    buffer: Vec<u8>,
    poll: Poll,
    open: Vec<Open>,
    /// The connections that wait for no answer.
    idle: Vec<usize>,
    answers: usize,
    times: Histogram<u64>,
}

struct Open {
    stream: mio::net::TcpStream,
    missing: usize,
    asked: Instant,
}

impl<'a> Driver<'a> {
    fn new(load: &'a Load, address: SocketAddr, own: usize) -> Driver<'a> {
        let poll = Poll::new().unwrap();
        let open = |at| {
            let stream = connect(address);
            stream.set_nonblocking(true).unwrap();
            let mut stream = mio::net::TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(at), Interest::READABLE).unwrap();
            Open { stream, missing: 0, asked: Instant::now() }
        };
        let open = (0..own).map(open).collect();
        let whole = load.size * load.batch;
        Driver {
            load,
            bytes: load.request.repeat(load.batch),
            whole,
            buffer: vec![0; whole],
            poll,
            open,
            idle: (0..own).collect(),
            answers: 0,
            times: histogram(),
        }
    }

    /// Answers per second, and how long each took.
    fn drive(
        &mut self,
        pace: Pace,
        go_on: impl Fn(usize, Instant) -> bool,
    ) -> (f64, Histogram<u64>) {
        let began = Instant::now();
        let mut events = Events::with_capacity(self.open.len());
        let (mut due, mut was_due) = (VecDeque::new(), 0);
        while go_on(self.answers, began) {
            let patience = match pace {
                Pace::Closed => {
                    // The first requests; later ones follow the answers.
                    std::mem::take(&mut self.idle).into_iter().for_each(|at| self.ask(at, began));
                    Duration::from_secs(10)
                }
                Pace::Even(rate) => {
                    let share = rate / self.load.threads() as f64;
                    let by_now = (began.elapsed().as_secs_f64() * share) as usize;
                    due.extend((was_due..by_now).map(|_| Instant::now()));
                    was_due = by_now;
                    // A request that finds no free connection waits, and the wait counts.
                    while !due.is_empty()
                        && let Some(at) = self.idle.pop()
                    {
                        due.pop_front().into_iter().for_each(|asked| self.ask(at, asked));
                    }
                    std::thread::sleep(NAP);
                    Duration::ZERO
                }
            };
            self.poll.poll(&mut events, Some(patience)).unwrap();
            let is_closed = matches!(pace, Pace::Closed);
            assert!(!is_closed || !events.is_empty(), "no answer for ten seconds");
            for event in &events {
                let at = event.token().0;
                match self.read(at) {
                    true if is_closed => self.ask(at, Instant::now()),
                    true => self.idle.push(at),
                    false => {}
                }
            }
        }
        (self.answers as f64 / began.elapsed().as_secs_f64(), self.times.clone())
    }

    fn ask(&mut self, at: usize, asked: Instant) {
        let open = &mut self.open[at];
        (open.missing, open.asked) = (self.whole, asked);
        open.stream.write_all(self.bytes.as_bytes()).unwrap();
    }

    /// Reads until the answer's last byte (then true), or until nothing is there: mio reports only
    /// what is new.
    fn read(&mut self, at: usize) -> bool {
        let open = &mut self.open[at];
        while open.missing > 0 {
            match open.stream.read(&mut self.buffer[..open.missing]) {
                Ok(0) => panic!("the server has ended a connection"),
                Ok(read) => {
                    let is_first = open.missing == self.whole;
                    let answer = &self.buffer[..read];
                    let is_good = !is_first || answer.starts_with(b"HTTP/1.1 200 ");
                    assert!(is_good, "{}", String::from_utf8_lossy(answer));
                    open.missing -= read;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => panic!("{error}"),
            }
        }
        self.answers += self.load.batch;
        self.times.saturating_record(open.asked.elapsed().as_micros() as u64);
        true
    }
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends one request, and returns the complete answer.
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
            let head = head.to_ascii_lowercase();
            let length =
                head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return text;
            }
        }
    }
}

pub fn answer_size(address: SocketAddr, request: &str) -> usize {
    ask(address, request).len()
}

/// Opens so many connections, each of which has had an answer.
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

/// The median, and the range of the values.
fn spread(values: &[f64]) -> String {
    let (least, most) = bounds(values);
    format!("{:.2} ({least:.2} to {most:.2})", median(values))
}

/// The ratios of these to those beside them, as [`spread`] shows them.
pub fn ratios(ours: &[f64], others: &[f64]) -> String {
    spread(&ours.iter().zip(others).map(|(own, other)| own / other).collect::<Vec<_>>())
}

/// The least and the most of them.
pub fn bounds(values: &[f64]) -> (f64, f64) {
    let least = values.iter().copied().fold(f64::MAX, f64::min);
    (least, values.iter().copied().fold(f64::MIN, f64::max))
}
