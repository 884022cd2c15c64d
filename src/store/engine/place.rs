//! Where the engine is, and how we authenticate to it.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::listen::HostPort;
use crate::oauth::secret::Secret;

/// The engines' default port.
const PORT: u16 = 6379;

/// What the configuration says about the engine.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    pub place: Place,
    pub user: Option<String>,
    pub password: Option<Secret>,
    /// What all keys begin with.
    pub prefix: String,
}

impl EngineConfig {
    /// The most connections to it at once. A few are enough, since requests are sent together, but
    /// what is tried again is sent by itself.
    pub const CONNECTIONS: usize = 32;

    /// The same, with a relative path taken from this folder.
    pub fn beside(&self, folder: &Path) -> EngineConfig {
        let mut config = self.clone();
        if let At::Unix(path) = &mut config.place.at {
            *path = folder.join(&path);
        }
        config
    }
}

impl PartialEq for EngineConfig {
    /// An ordinary comparison will do, since nobody can guess the password here.
    fn eq(&self, other: &EngineConfig) -> bool {
        let password = |it: &EngineConfig| it.password.as_ref().map(|it| it.reveal().to_owned());
        (&self.place, &self.user, &self.prefix) == (&other.place, &other.user, &other.prefix)
            && password(self) == password(other)
    }
}

/// `redis://HOST[:PORT][/DATABASE]`, with `valkey` as well, or `unix:PATH`.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub at: At,
    pub database: u32,
    written: String,
}

/// What to connect to.
#[derive(Clone, Debug, PartialEq)]
pub enum At {
    Tcp(HostPort),
    Unix(PathBuf),
}

impl Place {
    /// Reads the value of `store`; an error is the end of a sentence that begins with the key.
    /// A value that may hold a password is not repeated.
    pub fn parse(text: &str) -> Result<Place, String> {
        let place = |at, database| Ok(Place { at, database, written: text.into() });
        match text.split_once(':') {
            Some(("unix", "")) => Err("must be unix:PATH; the path is missing".into()),
            Some(("unix", path)) => place(At::Unix(path.into()), 0),
            Some(("redis" | "valkey", rest)) => {
                let rest = rest.strip_prefix("//").ok_or(FORM)?;
                if rest.contains('@') {
                    return Err("must name no user or password; write them as store_user and \
                                store_password"
                        .into());
                }
                let (host, database) = rest.split_once('/').unwrap_or((rest, ""));
                let host = host_port(host).ok_or(FORM)?;
                place(At::Tcp(host), number(database).ok_or(DATABASE)?)
            }
            Some(("rediss" | "valkeys", _)) => Err("speaks no TLS; let a tunnel such as stunnel \
                                                    do it, and write redis:// and its own end"
                .into()),
            _ => Err(match host_port(text) {
                Some(meant) => format!("must be a URL; did you mean redis://{meant}?"),
                None => FORM.into(),
            }),
        }
    }
}

const FORM: &str =
    "must be redis://HOST:PORT, with /NUMBER at the end for another database, or unix:PATH";
const DATABASE: &str =
    "must end with the number of a database, or with nothing, such as redis://localhost:6379/1";

fn host_port(text: &str) -> Option<HostPort> {
    let with_port = || HostPort::parse(&format!("{text}:{PORT}"));
    HostPort::parse(text).or_else(|_| with_port()).ok()
}

fn number(digits: &str) -> Option<u32> {
    match digits.bytes().all(|b| b.is_ascii_digit()) {
        true if digits.is_empty() => Some(0),
        true => digits.parse().ok(),
        false => None,
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_url_or_a_path() {
        for (text, host, database) in [
            ("redis://localhost:6379", "localhost:6379", 0),
            ("valkey://engine", "engine:6379", 0),
            ("redis://engine/", "engine:6379", 0),
            ("redis://[::1]:7/15", "[::1]:7", 15),
            ("redis://[::1]", "[::1]:6379", 0),
        ] {
            let place = Place::parse(text).unwrap();
            let At::Tcp(at) = &place.at else { panic!("{place:?}") };
            assert_eq!((at.to_string().as_str(), place.database), (host, database));
            assert_eq!(place.to_string(), text);
        }
        assert_eq!(Place::parse("unix:/run/a b").unwrap().at, At::Unix("/run/a b".into()));
    }

    #[test]
    fn what_is_no_place_is_told_without_a_password() {
        for (text, told) in [
            ("redis://user:hunter2@engine", "must name no user or password"),
            ("rediss://engine", "speaks no TLS"),
            ("valkeys://user:hunter2@engine", "speaks no TLS"),
            ("unix:", "the path is missing"),
            ("localhost:6379", "did you mean redis://localhost:6379?"),
            ("engine", "did you mean redis://engine:6379?"),
            ("redis:engine", "must be redis://HOST:PORT"),
            ("redis://", "must be redis://HOST:PORT"),
            ("redis://a b", "must be redis://HOST:PORT"),
            ("redis://engine?db=1", "must be redis://HOST:PORT"),
            ("redis://engine/x", "the number of a database"),
            ("redis://engine/1/2", "the number of a database"),
            ("redis://engine/99999999999", "the number of a database"),
            ("user:hunter2@engine", "must be redis://HOST:PORT"),
            ("", "must be redis://HOST:PORT"),
        ] {
            let what = Place::parse(text).unwrap_err();
            assert!(what.contains(told) && !what.contains("hunter2"), "{text}: {what}");
        }
    }
}
