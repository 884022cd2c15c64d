//! Listeners, a thread for each connection, the cap on them, and the drain.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::connection::{Connection, Phase};
use super::response::{Response, write_at_once};
use super::{Limits, Refusal, Service};

/// Of a connection's thread. What it touches of it is a few pages; the rest is only an address
/// range, and generous.
const STACK: usize = 256 * 1024;
/// Connections past the cap that are told so and heard out; past these, they are only told.
const REFUSALS: usize = 64;
/// How long the accept loop rests where the system has nothing left to give.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(20);
/// An operator is told of exhaustion again when it comes back after this time.
const EXHAUSTED_SILENCE: Duration = Duration::from_secs(60);

pub struct Server<S> {
    service: S,
    limits: Limits,
    started: Instant,
    connections: Mutex<Connections>,
    /// Signalled when the last connection or an accept loop ends.
    ended: Condvar,
    draining: AtomicBool,
    /// How often a connection has come to wait for a request.
    waits: AtomicU64,
}

#[derive(Default)]
struct Connections {
    open: HashMap<u64, Arc<Slot>>,
    /// Connections that were ended to make room or refused, whose threads are still there.
    leaving: usize,
    /// Accept loops that have not ended.
    accepting: usize,
    next: u64,
    exhausted: Option<Instant>,
}

/// A connection as the server sees it.
struct Slot {
    stream: TcpStream,
    /// [`IDLE`], [`IN_HEAD`], [`IN_BODY`], [`BUSY`] or [`ENDED`] in the low bits, above them the
    /// microseconds from the server's start to the beginning of that state.
    state: AtomicU64,
}

const IDLE: u64 = 0;
const IN_HEAD: u64 = 1;
const IN_BODY: u64 = 2;
const BUSY: u64 = 3;
/// Set by the server alone: the connection made room for another.
const ENDED: u64 = 4;
const STATE: u64 = 7;

impl<S: Service> Server<S> {
    pub fn new(service: S, limits: Limits) -> Arc<Server<S>> {
        Arc::new(Server {
            service,
            limits,
            started: Instant::now(),
            connections: Mutex::default(),
            ended: Condvar::new(),
            draining: AtomicBool::new(false),
            waits: AtomicU64::new(0),
        })
    }

    pub fn service(&self) -> &S {
        &self.service
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        let connections = self.lock();
        connections.open.len() + connections.leaving
    }

    /// Accepts connections until [`Server::stop`]; no error of one of them ends it.
    pub fn accept(self: &Arc<Self>, listener: TcpListener) {
        self.lock().accepting += 1;
        self.accept_all(&listener);
        // Closed before it counts as ended: who waits for a drain finds nothing bound.
        drop(listener);
        self.lock().accepting -= 1;
        self.ended.notify_all();
    }

    fn accept_all(self: &Arc<Self>, listener: &TcpListener) {
        loop {
            match listener.accept() {
                Ok((stream, address)) => self.take(stream, address.ip().to_canonical()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // Only a drain makes the listener non-blocking, and then the queue is empty.
                    return;
                }
                Err(error) if is_exhaustion(&error) => {
                    self.exhausted(&error);
                    let mut connections = self.lock();
                    self.make_room(&mut connections);
                    drop(connections);
                    thread::sleep(EXHAUSTED_PAUSE);
                }
                // The connection was gone before we took it, or the like.
                Err(_) => {}
            }
            if self.draining.load(Ordering::SeqCst) && listener.set_nonblocking(true).is_err() {
                return;
            }
        }
    }

    /// Stops accepting at these addresses, lets requests in hand finish, and returns when all have
    /// or when `patience` is over.
    pub fn stop(&self, addresses: &[SocketAddr], patience: Duration) {
        let deadline = Instant::now() + patience;
        self.draining.store(true, Ordering::SeqCst);
        for &address in addresses {
            // Wakes the accept loop, which then sees that it has to end.
            let _ = TcpStream::connect_timeout(&reachable(address), Duration::from_millis(200));
        }
        for slot in self.lock().open.values() {
            if slot.state.load(Ordering::SeqCst) & STATE == IDLE {
                // What has arrived can still be read, so no request is lost; then comes the end.
                let _ = slot.stream.shutdown(Shutdown::Read);
            }
        }
        let mut connections = self.lock();
        while !connections.open.is_empty() || connections.accepting > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let (guard, _) =
                self.ended.wait_timeout(connections, left).unwrap_or_else(PoisonError::into_inner);
            connections = guard;
        }
    }

    /// Gives the connection a thread, where there is room.
    fn take(self: &Arc<Self>, stream: TcpStream, address: IpAddr) {
        let slot =
            Arc::new(Slot { stream, state: AtomicU64::new(self.stamp(IDLE, Instant::now())) });
        let mut connections = self.lock();
        let room =
            connections.open.len() < self.limits.connections || self.make_room(&mut connections);
        if !room && connections.leaving >= REFUSALS {
            drop(connections);
            self.refuse(&slot, address);
            return;
        }
        let id = connections.next;
        connections.next += 1;
        match room {
            true => drop(connections.open.insert(id, Arc::clone(&slot))),
            false => connections.leaving += 1,
        }
        drop(connections);

        let server = Arc::clone(self);
        let served = Arc::clone(&slot);
        let thread = thread::Builder::new().stack_size(STACK).spawn(move || {
            match room {
                true => server.serve(&served, address),
                false => server.refuse_and_linger(&served, address),
            }
            server.leave(id, room);
        });
        if let Err(error) = thread {
            self.exhausted(&error);
            self.refuse(&slot, address);
            self.leave(id, room);
            self.make_room(&mut self.lock());
            thread::sleep(EXHAUSTED_PAUSE);
        }
    }

    fn serve(&self, slot: &Slot, address: IpAddr) {
        let stream = &slot.stream;
        let ready = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(self.limits.idle_time)))
            .and_then(|()| stream.set_write_timeout(Some(self.limits.write_time)));
        if ready.is_ok() {
            let phase = InServer { server: self, slot };
            Connection::new(stream, address, &self.service, &phase, &self.limits).run();
        }
    }

    fn leave(&self, id: u64, had_room: bool) {
        let mut connections = self.lock();
        let was_open = connections.open.remove(&id).is_some();
        if !was_open || !had_room {
            connections.leaving -= 1;
        }
        if connections.open.is_empty() {
            self.ended.notify_all();
        }
    }

    /// Says that there is no room, without waiting for anything.
    fn refuse(&self, slot: &Slot, address: IpAddr) {
        self.service.refused(address, Refusal::Full);
        if slot.stream.set_nonblocking(true).is_ok() {
            let _ = write_at_once(&slot.stream, &Response::refusal(Refusal::Full));
            let _ = slot.stream.shutdown(Shutdown::Write);
        }
    }

    /// The same, and waits for the client to have read it: what it has sent would else reset the
    /// connection first.
    #[cold]
    fn refuse_and_linger(&self, slot: &Slot, address: IpAddr) {
        self.refuse(slot, address);
        let _ = slot.stream.set_nonblocking(false);
        let _ = slot.stream.set_read_timeout(Some(Duration::from_secs(1)));
        let mut scrap = [0; 2048];
        for _ in 0..8 {
            if !matches!(io::Read::read(&mut &slot.stream, &mut scrap), Ok(1..)) {
                return;
            }
        }
    }

    /// Ends the connection that has waited longest between requests or within a head; false where
    /// all have a request in hand.
    fn make_room(&self, connections: &mut Connections) -> bool {
        loop {
            let longest = connections
                .open
                .iter()
                .map(|(&id, slot)| (slot.state.load(Ordering::SeqCst), id))
                .filter(|(state, _)| matches!(state & STATE, IDLE | IN_HEAD))
                .min();
            let Some((state, id)) = longest else { return false };
            let slot = &connections.open[&id];
            let ended = slot.state.compare_exchange(
                state,
                state & !STATE | ENDED,
                Ordering::SeqCst,
                Ordering::SeqCst,
            );
            // It may have got a request since; then another one goes.
            if ended.is_ok() {
                let _ = slot.stream.shutdown(Shutdown::Both);
                connections.open.remove(&id);
                connections.leaving += 1;
                return true;
            }
        }
    }

    fn exhausted(&self, error: &io::Error) {
        let now = Instant::now();
        let mut connections = self.lock();
        let said = connections.exhausted.replace(now);
        drop(connections);
        if said.is_none_or(|said| now.duration_since(said) > EXHAUSTED_SILENCE) {
            self.service.notice(&format!(
                "the system has no room for another connection ({error}); idle ones make room"
            ));
        }
    }

    fn stamp(&self, state: u64, since: Instant) -> u64 {
        ((since.duration_since(self.started).as_micros() as u64) << 3) | state
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct InServer<'a, S> {
    server: &'a Server<S>,
    slot: &'a Slot,
}

impl<S: Service> Phase for InServer<'_, S> {
    fn idle(&self, since: Instant) {
        self.slot.state.store(self.server.stamp(IDLE, since), Ordering::SeqCst);
        self.server.waits.fetch_add(1, Ordering::Relaxed);
    }

    fn waits(&self) -> u64 {
        self.server.waits.load(Ordering::Relaxed)
    }

    fn in_head(&self, since: Instant) {
        self.slot.state.store(self.server.stamp(IN_HEAD, since), Ordering::SeqCst);
    }

    fn in_body(&self, since: Instant) {
        self.slot.state.store(self.server.stamp(IN_BODY, since), Ordering::SeqCst);
    }

    fn busy(&self, since: Instant) -> bool {
        let busy = self.server.stamp(BUSY, since);
        self.slot.state.swap(busy, Ordering::SeqCst) & STATE != ENDED
    }

    fn draining(&self) -> bool {
        self.server.draining.load(Ordering::SeqCst)
    }
}

/// Out of file descriptors (EMFILE, ENFILE) or memory (ENOMEM, ENOBUFS).
fn is_exhaustion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(12 | 23 | 24 | 55 | 105))
}

/// Where a listener at `address` can be reached from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_reached_on_loopback() {
        for (address, expected) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.0.0.1:1", "10.0.0.1:1")]
        {
            let address = address.parse().unwrap();
            assert_eq!(reachable(address).to_string(), expected);
        }
    }
}
