//! The connections to the engine: one for each step that is being made. The last one used is used
//! first, so that those which were opened for a rush become idle.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::broken::{Broken, Kind};
use super::connection::{Connection, Door, time_left};
use super::place::EngineConfig;
use super::resp::Answer;

/// The answers to our commands.
type Answers = Result<Vec<Answer>, Broken>;

pub struct Pool {
    door: Door,
    connections: Mutex<Connections>,
    /// Signalled when one has come back, or there is room for another.
    freed: Condvar,
}

#[derive(Default)]
struct Connections {
    idle: Vec<Connection>,
    /// How many there are, including those in use and those being opened.
    open: usize,
    /// How many of these have answered.
    proven: usize,
    /// How many threads wait for one.
    waiting: usize,
}

impl Pool {
    pub fn new(config: EngineConfig) -> Pool {
        Pool { door: Door::new(config), connections: Mutex::default(), freed: Condvar::new() }
    }

    /// Sends commands and reads as many answers, none of which may be an error. What fails because
    /// of the connection, or because this engine is not the right one, is tried again on a new
    /// connection, or on one of the others if no new one can be opened. It is tried again with
    /// `commands(true)`, since the first attempt may have taken effect.
    pub fn ask(
        &self,
        commands: impl Fn(bool) -> Vec<u8>,
        answers: usize,
        until: Instant,
    ) -> Answers {
        // If not, a good connection would be closed because of a request that has no time left.
        time_left(until)?;
        let mut place = self.place(until)?;
        let was_idle = place.connection.is_some();
        let mut result = place.ask(&commands(false), answers, until);
        if result.as_ref().is_err_and(Broken::is_worth_another_try) {
            if was_idle {
                self.forget_idle();
            }
            result = place.ask(&commands(true), answers, until);
        }
        if place.connection.is_none() {
            drop(place);
            if let Some(mut place) = self.one_of_the_others(until) {
                result = place.ask(&commands(true), answers, until);
            }
        }
        result
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.lock().open
    }

    /// A place with an idle connection, or an empty one if there is room; otherwise waits.
    fn place(&self, until: Instant) -> Result<Place<'_>, Broken> {
        let mut connections = self.lock();
        while connections.idle.is_empty() && connections.open >= EngineConfig::CONNECTIONS {
            connections = self.wait(connections, until).ok_or(Broken::NoTurn)?;
        }
        let connection = connections.idle.pop();
        connections.open += usize::from(connection.is_none());
        Ok(Place { pool: self, is_proven: connection.is_some(), connection })
    }

    /// Waits for a connection that another request gives back, as long as there are any that have
    /// answered. The engine may accept no more, or the look-up of its name may hang.
    fn one_of_the_others(&self, until: Instant) -> Option<Place<'_>> {
        let mut connections = self.lock();
        while connections.idle.is_empty() && connections.proven > 0 {
            connections = self.wait(connections, until)?;
        }
        time_left(until).ok()?;
        let connection = connections.idle.pop()?;
        Some(Place { pool: self, is_proven: true, connection: Some(connection) })
    }

    /// Waits until something has changed; `None` if the time is over.
    fn wait<'a>(
        &self,
        mut connections: MutexGuard<'a, Connections>,
        until: Instant,
    ) -> Option<MutexGuard<'a, Connections>> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        connections.waiting += 1;
        let waited = self.freed.wait_timeout(connections, left);
        let mut connections = waited.unwrap_or_else(PoisonError::into_inner).0;
        connections.waiting -= 1;
        Some(connections)
    }

    /// Closes the idle ones, which lead to the same engine that is gone.
    fn forget_idle(&self) {
        let mut connections = self.lock();
        let gone = std::mem::take(&mut connections.idle);
        connections.open -= gone.len();
        connections.proven -= gone.len();
        drop(connections);
        self.freed.notify_all();
        drop(gone);
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to one of the connections. If it fails, another can be opened in its place, without
/// waiting a second time. In the end the connection goes back, or the place is free, whatever
/// happens.
struct Place<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
    /// It has answered.
    is_proven: bool,
}

impl Place<'_> {
    fn ask(&mut self, commands: &[u8], answers: usize, until: Instant) -> Answers {
        let mut own = match self.connection.take() {
            Some(own) => own,
            None => self.pool.door.open(until)?,
        };
        let result = own.ask(commands, answers, until).and_then(without_error);
        let ends = result.as_ref().is_err_and(Broken::ends_the_connection);
        if self.is_proven == ends {
            self.is_proven = !ends;
            let mut connections = self.pool.lock();
            match ends {
                true => connections.proven -= 1,
                false => connections.proven += 1,
            }
        }
        self.connection = (!ends).then_some(own);
        result
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut connections = self.pool.lock();
        if let Some(connection) = self.connection.take() {
            connections.idle.push(connection);
            let is_awaited = connections.waiting > 0;
            drop(connections);
            // Mostly it is not, and a signal is a call of the system.
            if is_awaited {
                self.pool.freed.notify_one();
            }
        } else {
            connections.open -= 1;
            connections.proven -= usize::from(self.is_proven);
            drop(connections);
            // Some of those that wait have no use for an empty place.
            self.pool.freed.notify_all();
        }
    }
}

/// The answers, if none is an error.
fn without_error(answers: Vec<Answer>) -> Answers {
    let error = answers.iter().find_map(|answer| match answer {
        Answer::Error(error) => Some(Kind::of(error)),
        _ => None,
    });
    error.map_or(Ok(answers), |kind| Err(Broken::Error(kind)))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;
    use std::time::Duration;

    use super::super::Place as Where;
    use super::super::resp::command;
    use super::*;

    const MOST: usize = EngineConfig::CONNECTIONS;
    const PATIENCE: Duration = Duration::from_secs(20);

    fn pool(engine: &TcpListener) -> Pool {
        let place = Where::parse(&format!("redis://{}", engine.local_addr().unwrap())).unwrap();
        Pool::new(EngineConfig { place, user: None, password: None, prefix: "p".into() })
    }

    fn ping(pool: &Pool) -> Answers {
        pool.ask(|_| command(&[b"PING"]), 1, Instant::now() + PATIENCE)
    }

    /// The next connection, once it has asked something.
    fn asked(engine: &TcpListener) -> TcpStream {
        let (mut stream, _) = engine.accept().unwrap();
        reads(&mut stream);
        stream
    }

    fn reads(stream: &mut TcpStream) {
        assert!(stream.read(&mut [0; 100]).unwrap() > 0);
    }

    fn answers(stream: &mut TcpStream) {
        stream.write_all(b"+PONG\r\n").unwrap();
    }

    fn pong() -> Answers {
        Ok(vec![Answer::Simple(b"PONG".into())])
    }

    #[test]
    fn where_an_engine_takes_no_more_connections_those_that_it_has_taken_do_for_all() {
        let engine = TcpListener::bind("127.0.0.1:0").unwrap();
        let pool = pool(&engine);
        thread::scope(|scope| {
            let first = scope.spawn(|| ping(&pool));
            let mut only = asked(&engine);
            answers(&mut only);
            assert_eq!(first.join().unwrap(), pong());
            let [second, third] = [(); 2].map(|()| scope.spawn(|| ping(&pool)));
            // One of the two has the connection, and the other hears that there is no room.
            reads(&mut only);
            asked(&engine).write_all(b"-ERR max number of clients reached\r\n").unwrap();
            answers(&mut only);
            reads(&mut only);
            answers(&mut only);
            assert_eq!([second, third].map(|it| it.join().unwrap()), [pong(), pong()]);
        });
        assert_eq!(pool.open(), 1);
    }

    #[test]
    fn whoever_has_lost_a_connection_needs_no_other_turn_for_the_next() {
        let engine = TcpListener::bind("127.0.0.1:0").unwrap();
        let pool = pool(&engine);
        thread::scope(|scope| {
            let all = [(); MOST + 1].map(|()| scope.spawn(|| ping(&pool)));
            let mut taken: Vec<TcpStream> = (0..MOST).map(|_| asked(&engine)).collect();
            // All places are taken, one waits, and a connection breaks.
            drop(taken.pop());
            taken.push(asked(&engine));
            let mut last = taken.pop().unwrap();
            answers(&mut last);
            reads(&mut last);
            answers(&mut last);
            taken.iter_mut().for_each(answers);
            assert!(all.into_iter().all(|it| it.join().unwrap() == pong()));
        });
        assert_eq!(pool.open(), MOST);
    }

    #[test]
    fn a_request_without_time_costs_no_connection() {
        let engine = TcpListener::bind("127.0.0.1:0").unwrap();
        let pool = pool(&engine);
        thread::scope(|scope| {
            let first = scope.spawn(|| ping(&pool));
            answers(&mut asked(&engine));
            assert_eq!(first.join().unwrap(), pong());
        });
        let late = pool.ask(|_| command(&[b"PING"]), 1, Instant::now());
        assert_eq!((late, pool.open()), (Err(Broken::late()), 1));
    }
}
