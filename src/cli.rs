//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::config::HostPort;

pub const HELP: &str = "\
oauth2d, a small OAuth 2.0 server

usage: oauth2d [--config FILE] [--listen HOST:PORT]... [--demo] [--check]
       oauth2d --health [--config FILE] [--listen HOST:PORT]
       oauth2d --hash | --new-secret | --help | --version

  --config FILE       serve what FILE says; without it, the demo data
  --listen HOST:PORT  listen here instead (may repeat; port 0 takes a free one)
  --demo              the demo data on an address that is not loopback too
  --check             print every fault of the configuration, and exit
  --health            exit 0 if the server of this configuration answers, 1 if not
  --hash              read a password from standard input, print its line for FILE
  --new-secret        print a fresh random secret, and its line for FILE
  --help, --version   print this, or the version, and exit
";

/// What to do.
#[derive(Debug, PartialEq)]
pub enum Command {
    Serve(Options),
    Check(Options),
    Health(Options),
    Hash,
    NewSecret,
    Help,
    Version,
}

#[derive(Debug, Default, PartialEq)]
pub struct Options {
    /// `None` for the demo data.
    pub config: Option<PathBuf>,
    pub listen: Vec<HostPort>,
    /// `--demo` was said.
    pub demo: bool,
}

/// An argument that says what to do, and the command that it makes.
type Chosen = (&'static str, fn(Options) -> Command);

/// Reads the arguments behind the program's name; an error is a sentence for its user.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut arguments = arguments.into_iter();
    let mut options = Options::default();
    let mut command: Option<Chosen> = None;
    while let Some(argument) = arguments.next() {
        let Some(text) = argument.to_str() else {
            return Err("an argument is not UTF-8".into());
        };
        let (name, mut attached) = match text.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(OsString::from(value))),
            _ => (text, None),
        };
        let mut value = |what| {
            let value = attached.take().or_else(|| arguments.next());
            value.filter(|value| !value.is_empty()).ok_or_else(|| format!("{name} needs {what}"))
        };
        let mut chosen = |name, make: fn(Options) -> Command| match command.replace((name, make)) {
            Some((other, _)) if other != name => {
                Err(format!("{other} and {name} exclude each other"))
            }
            _ => Ok(()),
        };
        match name {
            "--config" => {
                let path = PathBuf::from(value("a file")?);
                if options.config.replace(path).is_some() {
                    return Err("--config is there twice; leave one out".into());
                }
            }
            "--listen" => {
                let place = value("HOST:PORT")?;
                let place = HostPort::parse(&place.to_string_lossy());
                options.listen.push(place.map_err(|what| format!("--listen {what}"))?);
            }
            "--demo" => options.demo = true,
            "--check" => chosen("--check", Command::Check)?,
            "--health" => chosen("--health", Command::Health)?,
            "--hash" => chosen("--hash", |_| Command::Hash)?,
            "--new-secret" => chosen("--new-secret", |_| Command::NewSecret)?,
            "--help" | "-h" => return Ok(Command::Help),
            "--version" | "-V" => return Ok(Command::Version),
            // It may be a secret in the wrong place, so it is not repeated.
            _ => return Err("unknown argument; oauth2d --help lists them all".into()),
        }
        if attached.is_some() {
            return Err(format!("{name} takes no value"));
        }
    }
    if options.demo && options.config.is_some() {
        return Err("--demo and --config exclude each other; leave one out".into());
    }
    Ok(match command {
        Some((_, make)) => make(options),
        None => Command::Serve(options),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options_are_read_in_any_order() {
        let options = Options {
            config: Some("a b".split(' ').next().unwrap().into()),
            listen: vec![
                HostPort::parse("localhost:0").unwrap(),
                HostPort::parse("[::1]:1").unwrap(),
            ],
            demo: false,
        };
        assert_eq!(
            read("--listen localhost:0 --config a --listen=[::1]:1"),
            Ok(Command::Serve(options))
        );
        assert_eq!(read("--check"), Ok(Command::Check(Options::default())));
        assert_eq!(read(""), Ok(Command::Serve(Options::default())));
        assert_eq!(read("--check --help"), Ok(Command::Help));
        assert_eq!(read("--version"), Ok(Command::Version));
        assert_eq!(read("--hash"), Ok(Command::Hash));
    }

    #[test]
    fn wrong_arguments_are_refused() {
        for line in [
            "--config",
            "--listen",
            "--listen x",
            "--config a --config b",
            "--config a --demo",
            "--nonsense",
            "file",
            "--check=yes",
            "--check --hash",
            "--config=",
            "-x",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
