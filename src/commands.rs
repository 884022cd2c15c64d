//! What the program does besides serving: `--check`, `--health`, `--hash`, `--new-secret` and
//! `--new-token`.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::cli::{Failure, Options};
use crate::listen::{HostPort, Place};
use crate::load::{self, Loaded};
use crate::oauth::Token;
use crate::oauth::secret::{ITERATIONS, StoredSecret};
use crate::oauth::token;
use crate::typed;

/// By far longer than a healthy server takes.
const HEALTH_PATIENCE: Duration = Duration::from_secs(3);

/// Writes to standard output.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::failed(format_args!("standard output: {error}")))
}

/// Prints every fault of the configuration, or every warning and what it contains.
pub fn check(options: &Options) -> Result<(), Failure> {
    let Loaded { config, warnings } = load::load(options).map_err(Failure::wrong)?;
    for warning in warnings {
        // Standard error may be closed; there is nobody else to tell.
        let _ = writeln!(io::stderr(), "oauth2d: {warning}");
    }
    print(&format!("{}: ok: {}\n", load::name(options), load::size(&config.registry)))
}

/// Makes the configuration's line for a password.
pub fn hash() -> Result<(), Failure> {
    let password = typed::password()?;
    let salt: [u8; 16] = token::random_bytes();
    let hash = StoredSecret::hash_password(&password, &salt, ITERATIONS);
    print(&format!("password_hash = {hash}\n"))
}

/// Makes a random secret or token, and the configuration's line for it, with this key.
pub fn new_random(key: &str) -> Result<(), Failure> {
    let secret = Token::random().reveal();
    let hash = StoredSecret::hash_random(&secret);
    print(&format!("{}\n{key} = {hash}\n", &*secret))
}

/// Asks the server of this configuration whether it is ready.
pub fn health(options: &Options) -> Result<(), Failure> {
    let places = load::listen(options)?;
    let place = places.iter().find(|place| !matches!(place, Place::Passed(_)));
    let asked = match place {
        Some(Place::Tcp(place)) => ask_host(place),
        Some(Place::Unix(path)) => {
            let path = load::beside(options).join(path);
            let stream = UnixStream::connect(&path).map(|it| OwnedFd::from(it).into());
            told(&format!("unix:{}", path.display()), stream.and_then(ask))
        }
        Some(Place::Passed(_)) | None => Err("listen has no address that can be asked; name one \
                                              with --listen HOST:PORT or --listen unix:PATH"
            .into()),
    };
    asked.map_err(Failure::failed)
}

/// Asks each address of a name, until one is ready.
fn ask_host(place: &HostPort) -> Result<(), String> {
    let mut asked = Err(format!("{place}: it has no address"));
    for mut address in place.resolve().map_err(|error| format!("{place}: {error}"))? {
        if place.is_wildcard() {
            address.set_ip(match address.is_ipv4() {
                true => Ipv4Addr::LOCALHOST.into(),
                false => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let stream = TcpStream::connect_timeout(&address, HEALTH_PATIENCE);
        asked = told(&address.to_string(), stream.and_then(ask));
        if asked.is_ok() {
            break;
        }
    }
    asked
}

fn told(place: &str, asked: io::Result<bool>) -> Result<(), String> {
    match asked {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("{place}: it does not answer ok")),
        Err(error) => Err(format!("{place}: {error}")),
    }
}

/// The stream may also be a Unix socket's.
fn ask(mut stream: TcpStream) -> io::Result<bool> {
    stream.set_read_timeout(Some(HEALTH_PATIENCE))?;
    stream.set_write_timeout(Some(HEALTH_PATIENCE))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    Ok(answer.starts_with(b"HTTP/1.1 200 "))
}
