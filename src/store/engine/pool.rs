//! The connections to the engine: one for each step that is being made. The last one used is used
//! first, so that those which were opened for a rush become idle.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::broken::{Broken, Kind};
use super::connection::{Connection, Door};
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
    /// How many there are, including those in use.
    open: usize,
    /// How many threads wait for one.
    waiting: usize,
}

impl Pool {
    pub fn new(config: EngineConfig) -> Pool {
        Pool { door: Door::new(config), connections: Mutex::default(), freed: Condvar::new() }
    }

    /// Sends commands and reads as many answers, none of which may be an error. What fails because
    /// of the connection, or because this engine is not the right one, is tried again on a new
    /// connection, with `commands(true)`, since the first attempt may have taken effect.
    pub fn ask(
        &self,
        commands: impl Fn(bool) -> Vec<u8>,
        answers: usize,
        until: Instant,
    ) -> Answers {
        let first =
            self.connection(until).and_then(|it| self.ask_on(it, &commands(false), answers, until));
        match first {
            Err(broken) if broken.is_worth_another_try() => {
                let fresh = self.new_connection(until)?;
                self.ask_on(fresh, &commands(true), answers, until)
            }
            done => done,
        }
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.lock().open
    }

    fn ask_on(
        &self,
        connection: Connection,
        commands: &[u8],
        answers: usize,
        until: Instant,
    ) -> Answers {
        let mut connection = InUse { pool: self, connection: Some(connection) };
        let own = connection.connection.as_mut().expect("it is in use");
        let result = own.ask(commands, answers, until).and_then(without_error);
        match &result {
            Err(broken) if broken.is_worth_another_try() => self.forget_idle(),
            _ => connection.give_back(),
        }
        result
    }

    /// One that is idle, or a new one if there is room; otherwise waits.
    fn connection(&self, until: Instant) -> Result<Connection, Broken> {
        let mut connections = self.lock();
        loop {
            if let Some(connection) = connections.idle.pop() {
                return Ok(connection);
            }
            if connections.open < EngineConfig::CONNECTIONS {
                break;
            }
            connections = self.wait(connections, until)?;
        }
        self.open_one(connections, until)
    }

    /// A new one, once there is room.
    fn new_connection(&self, until: Instant) -> Result<Connection, Broken> {
        let mut connections = self.lock();
        while connections.open >= EngineConfig::CONNECTIONS {
            connections = self.wait(connections, until)?;
        }
        self.open_one(connections, until)
    }

    fn open_one(
        &self,
        mut connections: MutexGuard<Connections>,
        until: Instant,
    ) -> Result<Connection, Broken> {
        connections.open += 1;
        drop(connections);
        let opened = self.door.open(until);
        if opened.is_err() {
            self.left();
        }
        opened
    }

    fn wait<'a>(
        &self,
        mut connections: MutexGuard<'a, Connections>,
        until: Instant,
    ) -> Result<MutexGuard<'a, Connections>, Broken> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Broken::NoTurn);
        }
        connections.waiting += 1;
        let waited = self.freed.wait_timeout(connections, left);
        let mut connections = waited.unwrap_or_else(PoisonError::into_inner).0;
        connections.waiting -= 1;
        Ok(connections)
    }

    /// Closes the idle ones, which lead to the same engine that is gone.
    fn forget_idle(&self) {
        let mut connections = self.lock();
        let gone = std::mem::take(&mut connections.idle);
        connections.open -= gone.len();
        drop(connections);
        self.freed.notify_all();
        drop(gone);
    }

    /// A connection has been closed.
    fn left(&self) {
        self.lock().open -= 1;
        self.freed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use. It goes back, or is no longer counted, whatever happens.
struct InUse<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
}

impl InUse<'_> {
    fn give_back(&mut self) {
        let mut connections = self.pool.lock();
        connections.idle.extend(self.connection.take());
        let is_awaited = connections.waiting > 0;
        drop(connections);
        // Mostly it is not, and a signal is a call of the system.
        if is_awaited {
            self.pool.freed.notify_one();
        }
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        if self.connection.take().is_some() {
            self.pool.left();
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
