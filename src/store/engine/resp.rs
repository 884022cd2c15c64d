//! RESP, the protocol of Redis and Valkey, in its second version. A command is an array of byte
//! strings, and an answer is one of five kinds, which its first byte tells.
//!
//!     *2\r\n$3\r\nGET\r\n$5\r\n{o}a:\r\n        GET {o}a:
//!     +OK\r\n   -READONLY …\r\n   :1\r\n   $2\r\nab\r\n   $-1\r\n   *1\r\n:7\r\n
//!
//! Pure functions of bytes. An engine's answer is trusted no more than a stranger's request: every
//! length has a limit.

use crate::encode::decimal;

/// An answer, which lies in the bytes that it was read from.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer<'a> {
    /// Such as `OK`.
    Simple(&'a [u8]),
    /// Its first word says what kind of error it is.
    Error(&'a [u8]),
    Integer(i64),
    Bytes(&'a [u8]),
    /// There is no value.
    Nothing,
    Array(Vec<Answer<'a>>),
}

/// What some bytes begin with.
#[derive(Debug, PartialEq)]
pub enum Parsed<'a> {
    /// An answer, and its size in bytes.
    Whole(Answer<'a>, usize),
    /// The beginning of an answer; more bytes are needed.
    Partial,
    /// Nothing that the protocol knows, or more than is ever asked for.
    Nonsense,
}

/// The longest answer, in bytes.
pub const LONGEST: usize = 64 * 1024;
/// The most members of an array, as a scan may have.
const MOST: usize = 16 * 1024;
const DEEPEST: usize = 2;

/// The bytes of a command.
pub fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(words.iter().map(|word| word.len() + 16).sum());
    length(b'*', words.len(), &mut out);
    for word in words {
        length(b'$', word.len(), &mut out);
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn length(kind: u8, length: usize, out: &mut Vec<u8>) {
    out.push(kind);
    decimal::each_digit(length as u64, &mut |digit| out.push(digit));
    out.extend_from_slice(b"\r\n");
}

/// Reads the answer at the start of `bytes`.
pub fn parse(bytes: &[u8]) -> Parsed<'_> {
    let mut rest = bytes;
    match answer(&mut rest, DEEPEST) {
        Ok(answer) => Parsed::Whole(answer, bytes.len() - rest.len()),
        Err(Short) if bytes.len() < LONGEST => Parsed::Partial,
        Err(_) => Parsed::Nonsense,
    }
}

/// Why there is no answer.
enum Missing {
    /// More bytes may still arrive.
    Short,
    Wrong,
}
use Missing::{Short, Wrong};

/// Takes an answer from the front.
fn answer<'a>(rest: &mut &'a [u8], depth: usize) -> Result<Answer<'a>, Missing> {
    let (&kind, line) = line(rest)?.split_first().ok_or(Wrong)?;
    match kind {
        b'+' => Ok(Answer::Simple(line)),
        b'-' => Ok(Answer::Error(line)),
        b':' => number(line).map(Answer::Integer).ok_or(Wrong),
        b'$' => match number(line).ok_or(Wrong)? {
            -1 => Ok(Answer::Nothing),
            size => bytes(rest, usize::try_from(size).map_err(|_| Wrong)?),
        },
        b'*' => match number(line).ok_or(Wrong)? {
            -1 => Ok(Answer::Nothing),
            size if depth > 0 && (0..=MOST as i64).contains(&size) => (0..size)
                .map(|_| answer(rest, depth - 1))
                .collect::<Result<_, _>>()
                .map(Answer::Array),
            _ => Err(Wrong),
        },
        _ => Err(Wrong),
    }
}

/// Takes a line, without its end.
fn line<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Missing> {
    let end = rest.iter().position(|&b| b == b'\r' || b == b'\n').ok_or(Short)?;
    let (line, behind) = rest.split_at(end);
    match behind {
        [b'\r', b'\n', behind @ ..] => {
            *rest = behind;
            Ok(line)
        }
        [b'\r'] => Err(Short),
        _ => Err(Wrong),
    }
}

/// Takes so many bytes, and the line end after them.
fn bytes<'a>(rest: &mut &'a [u8], size: usize) -> Result<Answer<'a>, Missing> {
    if size > LONGEST {
        return Err(Wrong);
    }
    let (bytes, behind) = rest.split_at_checked(size).ok_or(Short)?;
    match behind {
        [b'\r', b'\n', behind @ ..] => {
            *rest = behind;
            Ok(Answer::Bytes(bytes))
        }
        [] | [b'\r'] => Err(Short),
        _ => Err(Wrong),
    }
}

/// A decimal number as the protocol writes it: digits, perhaps after a minus.
fn number(digits: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(digits).ok()?;
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(bytes: &[u8]) -> Answer<'_> {
        match parse(bytes) {
            Parsed::Whole(answer, size) if size == bytes.len() => answer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_command_is_an_array_of_byte_strings() {
        assert_eq!(
            command(&[b"GET", b"a\r\nb", b""]),
            b"*3\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n$0\r\n\r\n"
        );
    }

    #[test]
    fn an_answer_is_one_of_five_kinds() {
        assert_eq!(whole(b"+OK\r\n"), Answer::Simple(b"OK"));
        assert_eq!(whole(b"-OOM no\r\n"), Answer::Error(b"OOM no"));
        assert_eq!(whole(b":-1\r\n"), Answer::Integer(-1));
        assert_eq!(whole(b"$4\r\na\r\nb\r\n"), Answer::Bytes(b"a\r\nb"));
        assert_eq!(whole(b"$0\r\n\r\n"), Answer::Bytes(b""));
        assert_eq!(whole(b"$-1\r\n"), Answer::Nothing);
        assert_eq!(whole(b"*-1\r\n"), Answer::Nothing);
        let keys = Answer::Array(vec![Answer::Bytes(b"k"), Answer::Nothing]);
        let scan = Answer::Array(vec![Answer::Bytes(b"17"), keys]);
        assert_eq!(whole(b"*2\r\n$2\r\n17\r\n*2\r\n$1\r\nk\r\n$-1\r\n"), scan);
    }

    #[test]
    fn what_stands_behind_an_answer_is_left_alone() {
        assert_eq!(parse(b":1\r\n:2\r\n"), Parsed::Whole(Answer::Integer(1), 4));
    }

    #[test]
    fn every_beginning_of_an_answer_is_partial() {
        for answer in [&b"+OK\r\n"[..], b":-12\r\n", b"$3\r\nabc\r\n", b"*2\r\n:1\r\n$1\r\na\r\n"] {
            for end in 0..answer.len() {
                assert_eq!(parse(&answer[..end]), Parsed::Partial, "{end} of {answer:?}");
            }
        }
    }

    #[test]
    fn what_the_protocol_does_not_know_is_nonsense() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"\r\n",
            b"+OK\n",
            b"+O\rK\r\n",
            b":\r\n",
            b":+1\r\n",
            b":1 \r\n",
            b":99999999999999999999\r\n",
            b"$-2\r\n",
            b"$65537\r\n",
            b"$1\r\nab\r\n",
            b"*-2\r\n",
            b"*16385\r\n",
            b"*1\r\n*1\r\n*1\r\n:1\r\n",
            b"_\r\n",
        ] {
            assert_eq!(parse(bytes), Parsed::Nonsense, "{bytes:?}");
        }
        assert_eq!(parse(&vec![b'+'; LONGEST - 1]), Parsed::Partial);
        assert_eq!(parse(&vec![b'+'; LONGEST]), Parsed::Nonsense);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Parsed::Whole(_, size) = parse(&bytes) {
                prop_assert!(size <= bytes.len());
                // More bytes never change a complete answer.
                prop_assert_eq!(parse(&bytes[..size]), parse(&bytes));
            }
        }

        #[test]
        fn a_command_is_read_back_as_an_array(words: Vec<Vec<u8>>) {
            let out = command(&words.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let words = words.iter().map(|word| Answer::Bytes(word)).collect();
            prop_assert_eq!(whole(&out), Answer::Array(words));
        }
    }
}
