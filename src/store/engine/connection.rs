//! One connection to the engine. It is closed as soon as anything goes wrong: after a wait that was
//! too long, the next command would get the answer to this one.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::answers::Answers;
use super::broken::{Broken, Kind};
use super::place::{At, EngineConfig};
use super::resp::{self, Answer, Parsed};
use crate::listen::HostPort;

/// The longest single wait. Two of these, for a first attempt and a second, are less than the two
/// seconds that a request may take.
pub const LONGEST_WAIT: Duration = Duration::from_millis(900);
/// How much longer a wait may be than it should, which spares a system call for each.
const ABOUT: Duration = Duration::from_millis(50);
/// How many bytes are read at once: enough for the usual answers to many requests.
const PIECE: usize = 16 * 1024;
/// How many bytes are sent at once: with more, a Unix socket would begin its timeout again within.
const SENT: usize = 32 * 1024;
/// The most threads that look for the engine at once, including those that nobody waits for any
/// more.
const SEEKERS: usize = 64;

pub struct Connection {
    wire: Wire,
    /// What has arrived, and room for more.
    input: Vec<u8>,
    arrived: usize,
    /// The timeout that the system has been told.
    wait: Duration,
}

enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Opens connections.
pub struct Door {
    config: EngineConfig,
    /// One for each seeker.
    seekers: Arc<()>,
}

impl Door {
    pub fn new(config: EngineConfig) -> Door {
        Door { config, seekers: Arc::new(()) }
    }

    /// Opens a connection that is ready for commands. The name is looked up each time, since after
    /// a failover it has another address.
    pub fn open(&self, until: Instant) -> Result<Connection, Broken> {
        let wire = match &self.config.place.at {
            At::Tcp(place) if place.needs_no_look_up() => connect(&place.resolve()?, until)?,
            At::Tcp(place) => {
                let place: HostPort = place.clone();
                connect(&self.seek(until, move || place.resolve())?, until)?
            }
            // The system has no timeout for this.
            At::Unix(path) => {
                let path = path.clone();
                Wire::Unix(self.seek(until, move || UnixStream::connect(path))?)
            }
        };
        let mut connection =
            Connection { wire, input: Vec::new(), arrived: 0, wait: Duration::ZERO };
        self.greet(&mut connection, until)?;
        Ok(connection)
    }

    /// Does on another thread what may take any time, and waits for it no longer than until
    /// `until`.
    fn seek<T: Send + 'static>(
        &self,
        until: Instant,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, Broken> {
        let own = Arc::clone(&self.seekers);
        if Arc::strong_count(&own) > SEEKERS {
            return Err(Broken::Lost("earlier attempts to reach it are still waiting".into()));
        }
        let (tell, told) = sync_channel(1);
        thread::Builder::new().spawn(move || {
            // Perhaps nobody waits for it any more.
            let _ = tell.send(work());
            drop(own);
        })?;
        match told.recv_timeout(time_left(until)?) {
            Ok(result) => Ok(result?),
            Err(RecvTimeoutError::Timeout) => Err(Broken::late()),
            Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("no answer").into()),
        }
    }

    /// Authenticates us, and selects the database.
    fn greet(&self, connection: &mut Connection, until: Instant) -> Result<(), Broken> {
        let EngineConfig { place, user, password, .. } = &self.config;
        let mut commands = Vec::new();
        let mut refusals = Vec::new();
        if user.is_some() || password.is_some() {
            let password = password.as_ref().map_or("", |it| it.reveal()).as_bytes();
            match user {
                Some(user) => commands.extend(resp::command(&[b"AUTH", user.as_bytes(), password])),
                None => commands.extend(resp::command(&[b"AUTH", password])),
            }
            refusals.push("it refuses user or password");
        }
        if place.database != 0 {
            let number = place.database.to_string();
            commands.extend(resp::command(&[b"SELECT", number.as_bytes()]));
            refusals.push("there is no such database, or the user's rights are too narrow for it");
        }
        let answers = connection.ask(&commands, refusals.len(), until)?;
        for (answer, refusal) in answers.iter().zip(refusals) {
            match answer {
                Answer::Simple(_) => {}
                Answer::Error(error) => {
                    return Err(Broken::Error(match Kind::of(error) {
                        Kind::Other => Kind::Refused(refusal),
                        known => known,
                    }));
                }
                _ => return Err(Broken::nonsense()),
            }
        }
        Ok(())
    }
}

/// Connects to the first of these addresses that accepts us.
fn connect(addresses: &[SocketAddr], until: Instant) -> Result<Wire, Broken> {
    let mut last = Broken::Lost("its name has no address".into());
    for address in addresses {
        match TcpStream::connect_timeout(address, time_left(until)?) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(Wire::Tcp(stream));
            }
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

/// How long to wait now; an error if the time is over.
pub fn time_left(until: Instant) -> Result<Duration, Broken> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Broken::late());
    }
    Ok(left.min(LONGEST_WAIT))
}

impl Connection {
    /// Sends commands and reads as many answers, which may be errors.
    pub fn ask(
        &mut self,
        commands: &[u8],
        answers: usize,
        until: Instant,
    ) -> Result<Answers, Broken> {
        let mut all = Answers::default();
        let mut used = 0;
        self.arrived = 0;
        self.send(commands, until)?;
        while all.count() < answers {
            match resp::parse(&self.input[used..self.arrived]) {
                Parsed::Whole(_, size) => {
                    all.push(&self.input[used..used + size]);
                    used += size;
                }
                Parsed::Partial => {
                    // What has been read makes room, however many answers a crowd gets.
                    self.input.copy_within(used..self.arrived, 0);
                    self.arrived -= std::mem::take(&mut used);
                    self.read(until)?;
                }
                Parsed::Nonsense => return Err(Broken::nonsense()),
            }
        }
        // More was not asked for.
        if used < self.arrived { Err(Broken::nonsense()) } else { Ok(all) }
    }

    /// Sends all of it. Each piece could take the whole time, so what is left is seen to before.
    fn send(&mut self, mut commands: &[u8], until: Instant) -> Result<(), Broken> {
        while !commands.is_empty() {
            self.wait_until(until)?;
            let size = match self.wire.write(&commands[..commands.len().min(SENT)]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                sent => sent?,
            };
            commands = &commands[size..];
        }
        Ok(())
    }

    fn read(&mut self, until: Instant) -> Result<(), Broken> {
        self.wait_until(until)?;
        if self.input.len() < self.arrived + PIECE {
            self.input.resize(self.arrived + PIECE, 0);
        }
        self.arrived += match self.wire.read(&mut self.input[self.arrived..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            read => read?,
        };
        Ok(())
    }

    /// Tells the system how long to wait, unless what it has been told is about right.
    fn wait_until(&mut self, until: Instant) -> Result<(), Broken> {
        let wait = time_left(until)?;
        if !(wait..wait + ABOUT).contains(&self.wait) {
            self.wire.set_timeouts(wait)?;
            self.wait = wait;
        }
        Ok(())
    }
}

impl Wire {
    fn set_timeouts(&self, wait: Duration) -> io::Result<()> {
        match self {
            Wire::Tcp(stream) => {
                stream.set_read_timeout(Some(wait))?;
                stream.set_write_timeout(Some(wait))
            }
            Wire::Unix(stream) => {
                stream.set_read_timeout(Some(wait))?;
                stream.set_write_timeout(Some(wait))
            }
        }
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Tcp(stream) => stream.read(into),
            Wire::Unix(stream) => stream.read(into),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Tcp(stream) => stream.write(bytes),
            Wire::Unix(stream) => stream.write(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection, and the engine's end of it.
    fn pair() -> (Connection, UnixStream) {
        let (own, engine) = UnixStream::pair().unwrap();
        let (input, arrived, wait) = (Vec::new(), 0, Duration::ZERO);
        (Connection { wire: Wire::Unix(own), input, arrived, wait }, engine)
    }

    #[test]
    fn an_engine_that_reads_slowly_takes_no_longer_than_one_that_does_not() {
        let (mut connection, mut engine) = pair();
        // Read as slowly as this, it would take minutes.
        let long = vec![0; 32 * 1024 * 1024];
        let reading = thread::spawn(move || {
            while matches!(engine.read(&mut [0; 16 * 1024]), Ok(1..)) {
                thread::sleep(Duration::from_millis(50));
            }
        });
        let (began, wait) = (Instant::now(), Duration::from_millis(200));
        assert_eq!(connection.ask(&long, 1, began + wait), Err(Broken::late()));
        assert!(began.elapsed() < 20 * wait, "{:?}", began.elapsed());
        drop(connection);
        reading.join().unwrap();
    }

    #[test]
    fn the_answers_to_a_crowd_need_no_more_room_than_the_longest() {
        let (mut connection, mut engine) = pair();
        let answer = [&b"$60000\r\n"[..], &[b'a'; 60_000], b"\r\n"].concat();
        let all = answer.repeat(100);
        let writing = thread::spawn(move || engine.write_all(&all).map(|()| engine));
        let until = Instant::now() + Duration::from_secs(20);
        let answers = connection.ask(b"", 100, until).unwrap();
        let _engine = writing.join().unwrap().unwrap();
        assert_eq!(answers.count(), 100);
        assert!(answers.iter().all(|it| it == Answer::Bytes(&[b'a'; 60_000])));
        assert!(connection.input.capacity() <= 2 * (resp::LONGEST + PIECE));
    }
}
