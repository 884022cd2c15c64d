//! The connections to the engine: one for each message that is under way, and one for each request
//! that is tried again. The last one used is used first, so that those which were opened for a rush
//! become idle.

use std::borrow::Cow;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::answers::Answers;
use super::broken::{Broken, Kind};
use super::connection::{Connection, Door, LONGEST_WAIT, time_left};
use super::place::EngineConfig;
use super::together::{Asked, Together};

pub struct Pool {
    door: Door,
    together: Together,
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
        Pool {
            door: Door::new(config),
            together: Together::new(),
            connections: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// Sends commands and reads as many answers, none of which may be an error. The first attempt
    /// is made together with others' ([`together`](super::together)). What fails because of the
    /// connection, or because this engine is not the right one, is tried again on a connection of
    /// its own: a new one, or one of the others if no new one can be opened. It is tried again with
    /// `commands(true)`, since the first attempt may have taken effect.
    pub fn ask<'a>(
        &self,
        commands: impl Fn(bool) -> Cow<'a, [u8]>,
        answers: usize,
        until: Instant,
    ) -> Asked {
        // From when it is sent: a crowd that has waited for room is worth a whole attempt.
        let send = |commands: &[u8], answers, until| {
            let first = Instant::now() + time_left(until)?;
            self.once(commands, answers, first)
        };
        let mut result = match time_left(until)? < LONGEST_WAIT {
            // So little time is left that others would lose their first attempt with it.
            true => send(&commands(false), answers, until),
            false => self.together.ask(&commands(false), answers, until, send),
        }
        .and_then(without_error);
        if result.as_ref().is_err_and(Broken::is_worth_another_try) {
            result = self.anew(&commands(true), answers, until).and_then(without_error);
        }
        if result.as_ref().is_err_and(Broken::ends_the_connection)
            && let Some(mut place) = self.one_of_the_others(until)
        {
            result = place.ask(&commands(true), answers, until).and_then(without_error);
        }
        result
    }

    /// Asks on an idle connection, or on a new one if none is idle.
    fn once(&self, commands: &[u8], answers: usize, until: Instant) -> Asked {
        let mut place = self.place(until)?;
        let was_idle = place.connection.is_some();
        let result = place.ask(commands, answers, until);
        if was_idle && place.connection.is_none() {
            self.forget_idle();
        }
        result
    }

    /// Asks on a new connection, since an idle one may lead to the same engine that is gone.
    fn anew(&self, commands: &[u8], answers: usize, until: Instant) -> Asked {
        // Without time it would only close a good one.
        time_left(until)?;
        let mut place = self.place(until)?;
        place.close();
        place.ask(commands, answers, until)
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
    fn ask(&mut self, commands: &[u8], answers: usize, until: Instant) -> Asked {
        let mut own = match self.connection.take() {
            Some(own) => own,
            None => self.pool.door.open(until)?,
        };
        let result = own.ask(commands, answers, until);
        let ends = match &result {
            Ok(answers) => {
                answers.errors().any(|error| Broken::Error(Kind::of(error)).ends_the_connection())
            }
            Err(broken) => broken.ends_the_connection(),
        };
        self.prove(!ends);
        self.connection = (!ends).then_some(own);
        result
    }

    /// Without its connection, if it has one.
    fn close(&mut self) {
        self.connection = None;
        self.prove(false);
    }

    fn prove(&mut self, is_proven: bool) {
        if self.is_proven == is_proven {
            return;
        }
        self.is_proven = is_proven;
        let mut connections = self.pool.lock();
        match is_proven {
            true => connections.proven += 1,
            false => connections.proven -= 1,
        }
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
fn without_error(answers: Answers) -> Asked {
    let first = answers.errors().next().map(Kind::of);
    first.map_or(Ok(answers), |kind| Err(Broken::Error(kind)))
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

    const PATIENCE: Duration = Duration::from_secs(20);

    fn pool(engine: &TcpListener) -> Pool {
        let place = Where::parse(&format!("redis://{}", engine.local_addr().unwrap())).unwrap();
        Pool::new(EngineConfig { place, user: None, password: None, prefix: "p".into() })
    }

    fn ping(pool: &Pool) -> Asked {
        pool.ask(|_| command(&[b"PING"]).into(), 1, Instant::now() + PATIENCE)
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

    type Asking<'scope> = thread::ScopedJoinHandle<'scope, Asked>;

    /// Two requests that have asked, with the engine's ends, and three that have joined the next
    /// message.
    fn two_asked_and_three_wait<'scope>(
        scope: &'scope thread::Scope<'scope, '_>,
        pool: &'scope Pool,
        engine: &TcpListener,
    ) -> ([(Asking<'scope>, TcpStream); 2], [Asking<'scope>; 3]) {
        let two = [(); 2].map(|()| (scope.spawn(|| ping(pool)), asked(engine)));
        let three = [1, 2, 3].map(|joined| {
            let one = scope.spawn(|| ping(pool));
            pool.together.await_that(two.len(), joined);
            one
        });
        (two, three)
    }

    fn pong() -> Asked {
        Ok(Answers::from([&b"+PONG\r\n"[..]]))
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
            // The second has the connection, and the third hears that there is no room.
            let second = scope.spawn(|| ping(&pool));
            reads(&mut only);
            let third = scope.spawn(|| ping(&pool));
            asked(&engine).write_all(b"-ERR max number of clients reached\r\n").unwrap();
            answers(&mut only);
            reads(&mut only);
            answers(&mut only);
            assert_eq!([second, third].map(|it| it.join().unwrap()), [pong(), pong()]);
        });
        assert_eq!(pool.open(), 1);
    }

    #[test]
    fn each_request_of_a_message_that_is_lost_is_tried_again_by_itself() {
        let engine = TcpListener::bind("127.0.0.1:0").unwrap();
        let pool = pool(&engine);
        thread::scope(|scope| {
            let (two, three) = two_asked_and_three_wait(scope, &pool, &engine);
            let [(first, mut first_stream), (second, mut second_stream)] = two;
            answers(&mut first_stream);
            assert_eq!(first.join().unwrap(), pong());
            // All three at once.
            let ping = command(&[b"PING"]);
            let mut message = vec![0; 3 * ping.len()];
            first_stream.read_exact(&mut message).unwrap();
            assert_eq!(message, ping.repeat(3));
            drop(first_stream);
            let again = three.map(|one| (one, asked(&engine)));
            for (_, stream) in &again {
                answers(&mut stream.try_clone().unwrap());
            }
            assert!(again.into_iter().all(|(one, _)| one.join().unwrap() == pong()));
            answers(&mut second_stream);
            assert_eq!(second.join().unwrap(), pong());
        });
        assert_eq!(pool.open(), 4);
    }

    #[test]
    fn requests_that_have_waited_for_room_still_have_time_to_be_sent_together() {
        let engine = TcpListener::bind("127.0.0.1:0").unwrap();
        let pool = pool(&engine);
        thread::scope(|scope| {
            let (silent, crowd) = two_asked_and_three_wait(scope, &pool, &engine);
            // The first two by themselves, and the crowd.
            let mut streams = [(); 3].map(|()| engine.accept().unwrap().0);
            let size = command(&[b"PING"]).len();
            let pings = streams.each_mut().map(|it| it.read(&mut [0; 100]).unwrap() / size);
            for (stream, pings) in streams.iter_mut().zip(pings) {
                (0..pings).for_each(|_| answers(stream));
            }
            assert_eq!(pings.iter().sum::<usize>(), silent.len() + crowd.len());
            let all = silent.into_iter().map(|(one, _)| one).chain(crowd);
            assert!(all.into_iter().all(|one| one.join().unwrap() == pong()));
        });
        assert_eq!(pool.open(), 3);
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
        let late = pool.ask(|_| command(&[b"PING"]).into(), 1, Instant::now());
        assert_eq!((late, pool.open()), (Err(Broken::late()), 1));
    }
}
