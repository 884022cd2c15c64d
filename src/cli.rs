//! The command line: its arguments, and the messages and exit codes with which the program fails.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::config::nearest;
use crate::control::Filter;
use crate::listen::Place;

pub const VERSION: &str = concat!("oauth2d ", env!("CARGO_PKG_VERSION"), "\n");

pub const HELP: &str = "\
oauth2d, a small OAuth 2.0 server

usage: oauth2d [--config FILE] [--listen HOST:PORT]... [--demo] [--check]
       oauth2d --health [--config FILE] [--listen HOST:PORT]
       oauth2d --tokens [--client ID] [--user NAME] [--resource URL] [--json] [--config FILE]
       oauth2d --end [--client ID] [--user NAME] [--resource URL] [--token] [--config FILE]
       oauth2d --hash | --new-secret | --new-token | --help | --version

  --config FILE       serve what FILE says; without it, the demo data
  --listen HOST:PORT  listen here instead (may repeat; port 0 takes a free one);
                      also unix:PATH, systemd or systemd:NAME
  --demo              serve the demo data even on an address that is not loopback
  --check             print every fault of the configuration, and exit
  --health            exit 0 if the server of this configuration answers, 1 if not
  --tokens            list live tokens: all, or those of a client, a user or a resource
  --json              list one JSON object a line instead of a table
  --end               end all tokens of a client, a user or a resource (of several: what fits all)
  --token             end the token on standard input
  --hash              ask for a password, or read it from a pipe; print its line for FILE
  --new-secret        print a new random secret, and its line for FILE
  --new-token         print a new access token, and its line for a [token] in FILE
  --help, --version   print this, or the version, and exit
";

/// What to do.
#[derive(Debug, PartialEq)]
pub enum Command {
    Serve(Options),
    Check(Options),
    Health(Options),
    Tokens(Options),
    End(Options),
    Hash,
    NewSecret,
    NewToken,
    Help,
    Version,
}

impl Command {
    /// Whether the options go together.
    fn check(&self) -> Result<(), String> {
        let (options, may_end) = match self {
            Command::Tokens(options) => (options, false),
            Command::End(options) => (options, true),
            Command::Serve(options) | Command::Check(options) | Command::Health(options) => {
                return options.without_filter();
            }
            Command::Hash
            | Command::NewSecret
            | Command::NewToken
            | Command::Help
            | Command::Version => return Ok(()),
        };
        let is_filtered = options.filter.named().next().is_some();
        match (may_end, options.token_on_input) {
            (false, true) => Err("--token goes with --end".into()),
            (true, _) if options.as_json => Err("--json goes with --tokens".into()),
            (true, true) if is_filtered => {
                Err("--token names a single token; leave out either it or the others".into())
            }
            (true, false) if !is_filtered => {
                Err("--end needs --client, --user, --resource or --token".into())
            }
            _ => Ok(()),
        }
    }
}

#[derive(Debug, Default, PartialEq)]
pub struct Options {
    /// `None` for the demo data.
    pub config: Option<PathBuf>,
    pub listen: Vec<Place>,
    /// Whether `--demo` was given.
    pub demo: bool,
    /// Whose tokens to list or to end.
    pub filter: Filter,
    pub as_json: bool,
    /// Whether the token to end is on standard input.
    pub token_on_input: bool,
}

impl Options {
    fn without_filter(&self) -> Result<(), String> {
        let named = self.filter.named().next();
        match (named, self.as_json || self.token_on_input) {
            (None, false) => Ok(()),
            (Some((name, _)), _) => Err(format!("--{name} goes with --tokens or --end")),
            (None, true) => Err("--json and --token go with --tokens and --end".into()),
        }
    }
}

/// Why the program fails.
#[derive(Debug, PartialEq)]
pub struct Failure {
    code: u8,
    lines: Vec<String>,
}

impl Failure {
    /// Wrong arguments or a wrong configuration: a line for each fault.
    pub fn wrong(lines: impl IntoIterator<Item = impl Into<String>>) -> Failure {
        Failure { code: 2, lines: lines.into_iter().map(Into::into).collect() }
    }

    /// The same, but only the first fault.
    pub fn first_wrong(lines: Vec<String>) -> Failure {
        Failure::wrong(lines.into_iter().take(1))
    }

    /// Any other failure.
    pub fn failed(what: impl Display) -> Failure {
        Failure { code: 1, lines: vec![what.to_string()] }
    }

    /// Writes it to standard error, and returns the exit code.
    pub fn tell(&self) -> u8 {
        for line in &self.lines {
            // Standard error may be closed; there is nobody else to tell.
            let _ = writeln!(io::stderr(), "oauth2d: {line}");
        }
        self.code
    }
}

/// All arguments.
const ARGUMENTS: [&str; 17] = [
    "--config",
    "--listen",
    "--demo",
    "--check",
    "--health",
    "--tokens",
    "--end",
    "--client",
    "--user",
    "--resource",
    "--json",
    "--token",
    "--hash",
    "--new-secret",
    "--new-token",
    "--help",
    "--version",
];

/// An argument that names a command, and that command.
type Chosen = (String, fn(Options) -> Command);

/// Reads the arguments one after the other.
struct Reader<I> {
    rest: I,
    /// What follows the `=` of the argument that is being read.
    attached: Option<OsString>,
    options: Options,
    chosen: Option<Chosen>,
}

/// Reads the arguments after the program's name.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    let rest = arguments.into_iter();
    let reader = Reader { rest, attached: None, options: Options::default(), chosen: None };
    reader.command().map_err(|what| Failure::wrong([what]))
}

/// Errors are messages for the user.
impl<I: Iterator<Item = OsString>> Reader<I> {
    fn command(mut self) -> Result<Command, String> {
        while let Some(argument) = self.rest.next() {
            let text = argument.to_str().ok_or("an argument is not UTF-8")?;
            let (name, attached) = match text.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.into())),
                _ => (text, None),
            };
            self.attached = attached;
            match name {
                "--help" | "-h" => return Ok(Command::Help),
                "--version" | "-V" => return Ok(Command::Version),
                _ => self.option(name)?,
            }
            if self.attached.is_some() {
                return Err(format!("{name} takes no value"));
            }
        }
        if self.options.demo && self.options.config.is_some() {
            return Err("--demo and --config exclude each other; leave one out".into());
        }
        let make = self.chosen.map_or(Command::Serve as fn(Options) -> Command, |(_, make)| make);
        let command = make(self.options);
        command.check()?;
        Ok(command)
    }

    fn option(&mut self, name: &str) -> Result<(), String> {
        match name {
            "--config" => {
                let path = PathBuf::from(self.value(name, "a file")?);
                if self.options.config.replace(path).is_some() {
                    return Err("--config appears twice; leave one out".into());
                }
            }
            "--listen" => {
                let place = self.value(name, "HOST:PORT")?;
                let place = Place::parse(&place.to_string_lossy());
                self.options.listen.push(place.map_err(|what| format!("--listen {what}"))?);
            }
            "--demo" => self.options.demo = true,
            "--check" => self.choose(name, Command::Check)?,
            "--health" => self.choose(name, Command::Health)?,
            "--tokens" => self.choose(name, Command::Tokens)?,
            "--end" => self.choose(name, Command::End)?,
            "--client" => self.options.filter.client = Some(self.text(name, "an id")?),
            "--user" => self.options.filter.user = Some(self.text(name, "a name")?),
            "--resource" => self.options.filter.resource = Some(self.text(name, "a URL")?),
            "--json" => self.options.as_json = true,
            "--token" => self.options.token_on_input = true,
            "--hash" => self.choose(name, |_| Command::Hash)?,
            "--new-secret" => self.choose(name, |_| Command::NewSecret)?,
            "--new-token" => self.choose(name, |_| Command::NewToken)?,
            // It may be a secret in the wrong place, so it is not repeated.
            _ => {
                return Err(match nearest(name, ARGUMENTS) {
                    Some(meant) => format!("unknown argument; did you mean {meant}?"),
                    None => "unknown argument; oauth2d --help lists them all".into(),
                });
            }
        }
        Ok(())
    }

    /// The value of the argument: after its `=`, or the next argument.
    fn value(&mut self, name: &str, what: &str) -> Result<OsString, String> {
        let value = self.attached.take().or_else(|| self.rest.next());
        value.filter(|value| !value.is_empty()).ok_or_else(|| format!("{name} needs {what}"))
    }

    fn text(&mut self, name: &str, what: &str) -> Result<String, String> {
        let value = self.value(name, what)?;
        value.into_string().map_err(|_| "an argument is not UTF-8".into())
    }

    fn choose(&mut self, name: &str, make: fn(Options) -> Command) -> Result<(), String> {
        match self.chosen.replace((name.into(), make)) {
            Some((other, _)) if other != name => {
                Err(format!("{other} and {name} exclude each other; leave one out"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, Failure> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options_are_read_in_any_order() {
        let options = Options {
            config: Some("a b".split(' ').next().unwrap().into()),
            listen: vec![Place::parse("localhost:0").unwrap(), Place::parse("[::1]:1").unwrap()],
            ..Options::default()
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
        let filter = Filter { client: Some("c".into()), user: Some("u".into()), resource: None };
        let options = Options { filter, as_json: true, ..Options::default() };
        assert_eq!(read("--json --user u --tokens --client=c"), Ok(Command::Tokens(options)));
        let options = Options { token_on_input: true, ..Options::default() };
        assert_eq!(read("--end --token"), Ok(Command::End(options)));
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
            "--end",
            "--end --token --client c",
            "--end --client c --json",
            "--tokens --token",
            "--tokens --client",
            "--client c",
            "--check --json",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_mistyped_argument_is_told_with_the_right_one_and_no_other_is_repeated() {
        let told = |line| read(line).unwrap_err().lines;
        assert_eq!(told("--confg a"), ["unknown argument; did you mean --config?"]);
        assert_eq!(told("hunter2"), ["unknown argument; oauth2d --help lists them all"]);
    }
}
