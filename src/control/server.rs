//! The server's side of the control socket: few connections, each with one request.

use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use super::{Filter, PARAMETERS, REQUEST, Which};
use crate::encode::form::Form;
use crate::endpoints::App;
use crate::http::server::Server;
use crate::listen::unix::{SocketPath, bind_unix};
use crate::oauth::{Token, revoke};

/// How many connections may be open at once.
const CONNECTIONS: usize = 8;
/// How long a request may take to arrive.
const READING: Duration = Duration::from_secs(5);
/// How long a write may wait for a client that does not read.
const WRITING: Duration = Duration::from_secs(30);
/// The pause between two attempts if the system cannot take a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// The socket, bound to its path.
pub struct ControlSocket {
    listener: UnixListener,
    path: SocketPath,
}

impl ControlSocket {
    /// Binds the socket, for its owner alone. An error is a line for the operator.
    pub fn bind(path: &Path) -> Result<ControlSocket, String> {
        let (listener, path) = bind_unix(path)?;
        Ok(ControlSocket { listener, path })
    }

    /// Answers on its own thread until the process ends. What it returns removes the path.
    pub fn serve(self, server: &Arc<Server<App>>) -> io::Result<SocketPath> {
        let ControlSocket { listener, path } = self;
        let server = Arc::clone(server);
        let open = Arc::new(AtomicUsize::new(0));
        thread::Builder::new().spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else {
                    thread::sleep(PAUSE);
                    continue;
                };
                let place = Place::take(&open);
                if place.0.load(SeqCst) > CONNECTIONS {
                    continue;
                }
                let server = Arc::clone(&server);
                // If no thread can be started, the connection ends, and its client says so.
                let _ = thread::Builder::new().spawn(move || {
                    // A client that has gone needs no answer.
                    let _ = answer(&stream, server.service());
                    drop(place);
                });
            }
        })?;
        Ok(path)
    }
}

/// A connection's place, given back when this is dropped, even by a panic.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Place {
        open.fetch_add(1, SeqCst);
        Place(Arc::clone(open))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Reads one request and answers it. The last line begins with `done` or `error`.
fn answer(stream: &UnixStream, app: &App) -> io::Result<()> {
    stream.set_write_timeout(Some(WRITING))?;
    let mut out = BufWriter::new(stream);
    let last = match read(stream) {
        Ok(line) => match done(app, &line, &mut out)? {
            Ok(count) => format!("done {count}\n"),
            Err(what) => format!("error {what}\n"),
        },
        Err(error) => format!("error the request cannot be read: {error}\n"),
    };
    out.write_all(last.as_bytes())?;
    out.flush()
}

/// Does what the request asks for: how many tokens were listed or ended, or why none.
fn done(app: &App, line: &str, out: &mut impl Write) -> io::Result<Result<usize, &'static str>> {
    let Ok(form) = Form::parse(line, &PARAMETERS) else {
        return Ok(Err("the request is malformed"));
    };
    let own = |name: &str| form.get(name).map(String::from);
    let filter = Filter { client: own("client"), user: own("user"), resource: own("resource") };
    let (settings, store, now) = app.state();
    let which = Which::new(&settings.registry, &filter);
    let count = match (form.get("list"), form.get("end"), form.get("token")) {
        (Some(_), None, None) => {
            let mut listed = Ok(0);
            let seen = which.list(store, now, &mut |line| {
                if let Ok(count) = listed {
                    listed = writeln!(out, "{line}").map(|()| count + 1);
                }
            });
            let count = listed?;
            seen.map(|()| count)
        }
        (None, Some(_), Some(token)) => {
            let key = Token::key_of(token);
            if key.is_some_and(|key| settings.registry.fixed_tokens.get(&key).is_some()) {
                return Ok(Err("this token is in the configuration; remove it there"));
            }
            revoke::end(store, token)
        }
        (None, Some(_), None) if filter.named().next().is_some() => which.end(store),
        _ => return Ok(Err("the request is unknown")),
    };
    Ok(count.map_err(|_| "the state cannot be read or written now; try again"))
}

/// The request's line, without its line end.
fn read(mut stream: &UnixStream) -> io::Result<String> {
    let began = Instant::now();
    let mut bytes = Vec::new();
    let mut room = [0; REQUEST];
    while bytes.last() != Some(&b'\n') {
        let left = READING.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        if bytes.len() == REQUEST {
            return Err(io::Error::other("it is too long"));
        }
        let free = REQUEST - bytes.len();
        match stream.read(&mut room[..free]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => bytes.extend(&room[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Err(ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
    }
    bytes.pop();
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))
}
