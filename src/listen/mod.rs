//! Where the server listens: the places that `listen` and `--listen` name, and the sockets for
//! them.
//!
//! A place is a host and a port ([`host_port`]), a path ([`unix`]), or sockets that systemd holds
//! open for us ([`passed`]).

mod host_port;
mod passed;
pub mod unix;

use std::fmt::{self, Display};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use host_port::Bound;
pub use host_port::HostPort;
use passed::Passed;
pub use unix::SocketPath;

use crate::http::Listener;

/// One word of `listen`.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    Tcp(HostPort),
    /// `unix:PATH`, as written.
    Unix(PathBuf),
    /// `systemd`, or `systemd:NAME` for the sockets with this name.
    Passed(Option<String>),
}

/// A listening socket.
pub struct Open {
    pub listener: Listener,
    /// Where clients find it: `http://ADDRESS:PORT` or `unix:PATH`.
    pub shown: String,
    /// The path to remove at the end, if it has one.
    pub path: Option<SocketPath>,
}

impl Place {
    /// Reads a word; an error is the end of a sentence that begins with the key's name.
    pub fn parse(text: &str) -> Result<Place, String> {
        if text == "systemd" {
            return Ok(Place::Passed(None));
        }
        match text.split_once(':') {
            Some(("unix", "")) => Err("must be unix:PATH; the path is missing".into()),
            Some(("unix", path)) => Ok(Place::Unix(path.into())),
            // A number is a port, as in HOST:PORT.
            Some(("systemd", name)) if name.parse::<u16>().is_err() => match name {
                "" => Err("must be systemd:NAME or systemd; the name is missing".into()),
                _ => Ok(Place::Passed(Some(name.into()))),
            },
            _ => HostPort::parse(text).map(Place::Tcp),
        }
    }

    pub fn host_port(&self) -> Option<&HostPort> {
        match self {
            Place::Tcp(place) => Some(place),
            Place::Unix(_) | Place::Passed(_) => None,
        }
    }

    pub fn is_wildcard(&self) -> bool {
        self.host_port().is_some_and(HostPort::is_wildcard)
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Place::Tcp(place) => write!(f, "{place}"),
            Place::Unix(path) => write!(f, "unix:{}", path.display()),
            Place::Passed(None) => write!(f, "systemd"),
            Place::Passed(Some(name)) => write!(f, "systemd:{name}"),
        }
    }
}

/// Binds every place. Paths are relative to the folder, and get the permissions `mode`. Also
/// returns the URL of the first place, as written but with its real port, if it is a host and a
/// port. Errors are lines for the operator.
pub fn open(places: &[Place], folder: &Path, mode: u32) -> Result<(Vec<Open>, String), String> {
    let (mut all, mut url) = (Vec::new(), None);
    let is_passed = |place: &Place| matches!(place, Place::Passed(_));
    let mut passed = match places.iter().find(|place| is_passed(place)) {
        Some(place) => Passed::take().map_err(|what| format!("{place}: {what}"))?,
        None => Passed::default(),
    };
    for place in places {
        let opened = match place {
            Place::Tcp(place) => {
                let bound = bind_at(place, "choose another with --listen HOST:PORT")?;
                url.get_or_insert_with(|| place.url(bound[0].address.port()));
                bound.into_iter().map(Open::from).collect()
            }
            Place::Unix(path) => vec![unix::open(&folder.join(path), mode)?],
            Place::Passed(name) => {
                passed.named(name.as_deref()).map_err(|what| format!("{place}: {what}"))?
            }
        };
        url.get_or_insert_default();
        all.extend(opened);
    }
    Ok((all, url.unwrap_or_default()))
}

/// Binds a place. If another program has it, the error tells the operator to stop that one, or to
/// do `otherwise`.
pub fn bind(place: &HostPort, otherwise: &str) -> Result<Vec<Open>, String> {
    Ok(bind_at(place, otherwise)?.into_iter().map(Open::from).collect())
}

fn bind_at(place: &HostPort, otherwise: &str) -> Result<Vec<Bound>, String> {
    host_port::bind(place).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => {
            format!("{place}: the address is in use; stop the other program, or {otherwise}")
        }
        _ => format!("{place}: {error}"),
    })
}

impl From<Bound> for Open {
    fn from(bound: Bound) -> Open {
        let shown = format!("http://{}", bound.address);
        Open { listener: Listener::tcp(bound.listener), shown, path: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_host_and_a_port_or_a_path_or_what_systemd_passes() {
        for text in ["localhost:3000", "unix:/run/a b", "unix:a", "systemd", "systemd:web"] {
            assert_eq!(Place::parse(text).unwrap().to_string(), text);
        }
        let host = Place::parse("systemd:80").unwrap();
        assert_eq!(host.host_port().unwrap().port, 80);
        for (text, told) in [
            ("unix:", "must be unix:PATH; the path is missing"),
            ("systemd:", "must be systemd:NAME or systemd; the name is missing"),
            ("3000", "must be HOST:PORT; did you mean localhost:3000?"),
        ] {
            assert_eq!(Place::parse(text), Err(told.into()), "{text}");
        }
    }
}
