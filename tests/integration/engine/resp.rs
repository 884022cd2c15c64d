//! Commands to an engine and their answers, for tests.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use super::redis::Place;
use crate::support::PATIENCE;

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Simple(String),
    Error(String),
    Integer(i64),
    Bytes(Vec<u8>),
    Nothing,
    Array(Vec<Value>),
}

impl Value {
    #[track_caller]
    pub fn array(self) -> Vec<Value> {
        match self {
            Value::Array(values) => values,
            other => panic!("{other:?} is no array"),
        }
    }

    #[track_caller]
    pub fn integer(self) -> i64 {
        match self {
            Value::Integer(number) => number,
            other => panic!("{other:?} is no number"),
        }
    }

    pub fn into_bytes(self) -> Option<Vec<u8>> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    #[track_caller]
    pub fn text(self) -> String {
        match self {
            Value::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
            Value::Simple(text) => text,
            other => panic!("{other:?} is no text"),
        }
    }
}

/// A connection to an engine.
pub struct Client(BufReader<TcpStream>);

impl Client {
    pub fn connect(place: &Place) -> io::Result<Client> {
        let stream: TcpStream = match place {
            Place::Tcp(address) => TcpStream::connect(address)?,
            // The system calls are the same for both kinds of stream.
            Place::Unix(path) => OwnedFd::from(UnixStream::connect(path)?).into(),
        };
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Client(BufReader::new(stream)))
    }

    /// The answer, which must not be an error.
    #[track_caller]
    pub fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Value {
        match self.try_ask(words).unwrap() {
            Value::Error(error) => panic!("{error}"),
            value => value,
        }
    }

    pub fn try_ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> io::Result<Value> {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words.iter().map(AsRef::as_ref) {
            bytes.extend(format!("${}\r\n", word.len()).bytes());
            bytes.extend(word);
            bytes.extend(b"\r\n");
        }
        self.0.get_mut().write_all(&bytes)?;
        self.answer()
    }

    fn answer(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = line[1..].trim_end().to_string();
        let number = || text.parse::<i64>().unwrap();
        Ok(match line.as_bytes()[0] {
            b'+' => Value::Simple(text),
            b'-' => Value::Error(text),
            b':' => Value::Integer(number()),
            b'$' if number() < 0 => Value::Nothing,
            b'$' => {
                let mut bytes = vec![0; number() as usize + 2];
                self.0.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Value::Bytes(bytes)
            }
            b'*' => Value::Array((0..number()).map(|_| self.answer()).collect::<io::Result<_>>()?),
            _ => panic!("{line:?}"),
        })
    }
}
