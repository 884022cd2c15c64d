//! Where a body ends (RFC 9112, sections 6 and 7).

use super::buffer::Buffer;
use super::framing::Framing;
use super::{FIELDS, Limits, Refusal};

/// The longest size line of a chunk: hexadecimal digits, and extensions that nobody uses.
pub const SIZE_LINE: usize = 1024;

const LONGER: Refusal =
    Refusal::Malformed(&("a chunk is longer than its size", "RFC 9112, section 7.1"));

/// A body that arrives in pieces. It remembers how far it has got, so that a piece costs its own
/// length and not that of all before it.
pub struct Body {
    /// Where the decoded bytes begin: the length of the head.
    start: usize,
    /// Where the decoded bytes end.
    end: usize,
    /// Bytes of chunk lines and trailers so far.
    overhead: usize,
    state: State,
}

enum State {
    /// This many bytes are still to come, then the body ends.
    Length(usize),
    ChunkSize,
    /// This many bytes of the chunk are still to come.
    ChunkData(usize),
    ChunkEnd,
    /// This many bytes of the trailers have been looked at, and were incomplete.
    Trailers(usize),
    Done,
}

impl Body {
    /// The body that follows a head of `head` bytes.
    pub fn new(head: usize, framing: Framing, limits: &Limits) -> Result<Body, Refusal> {
        let state = match framing {
            Framing::Length(length) if length > limits.body => return Err(Refusal::BodyTooLarge),
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::ChunkSize,
        };
        Ok(Body { start: head, end: head, overhead: 0, state })
    }

    /// The decoded bytes: a range of the buffer.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.start..self.end
    }

    /// Decodes what has arrived. `buffer` holds the head, then what has been decoded, then what has
    /// not. Decoded bytes are moved so that the three stay next to each other, and `buffer` is
    /// shortened accordingly. True once the body is complete; then the next request begins after
    /// [`Body::range`].
    pub fn advance(&mut self, buffer: &mut Buffer, limits: &Limits) -> Result<bool, Refusal> {
        let mut at = self.end;
        let whole = self.decode(buffer.bytes_mut(), &mut at, limits)?;
        if at > self.end {
            self.overhead += at - self.end;
            if self.overhead > limits.body {
                return Err(Refusal::BodyTooLarge);
            }
            buffer.remove(self.end..at);
        }
        Ok(whole)
    }

    fn decode(
        &mut self,
        buffer: &mut [u8],
        at: &mut usize,
        limits: &Limits,
    ) -> Result<bool, Refusal> {
        while let Some(next) = self.step(buffer, at, limits)? {
            self.state = next;
        }
        Ok(matches!(self.state, State::Done))
    }

    /// The next state; `None` if there is none, or if more has to arrive first.
    fn step(
        &mut self,
        buffer: &mut [u8],
        at: &mut usize,
        limits: &Limits,
    ) -> Result<Option<State>, Refusal> {
        let rest = &buffer[*at..];
        Ok(match self.state {
            State::Length(0) => Some(State::Done),
            State::ChunkData(0) => Some(State::ChunkEnd),
            State::Length(_) | State::ChunkData(_) if rest.is_empty() => None,
            State::Length(missing) => Some(State::Length(self.take(missing, buffer, at))),
            State::ChunkData(missing) => Some(State::ChunkData(self.take(missing, buffer, at))),
            State::ChunkSize => {
                let Some(line) = line(rest)? else { return Ok(None) };
                let size = chunk_size(line)?;
                *at += line.len() + 2;
                if size > limits.body - (self.end - self.start) {
                    return Err(Refusal::BodyTooLarge);
                }
                Some(if size == 0 { State::Trailers(0) } else { State::ChunkData(size) })
            }
            State::ChunkEnd => match rest {
                [] | [b'\r'] => None,
                [b'\r', b'\n', ..] => {
                    *at += 2;
                    Some(State::ChunkSize)
                }
                _ => return Err(LONGER),
            },
            State::Trailers(seen) => self.end_of_trailers(rest, seen, limits)?.map(|length| {
                *at += length;
                State::Done
            }),
            State::Done => None,
        })
    }

    /// Moves what has arrived of `missing` bytes to the decoded ones; returns how many are still
    /// missing.
    fn take(&mut self, missing: usize, buffer: &mut [u8], at: &mut usize) -> usize {
        let taken = missing.min(buffer.len() - *at);
        if *at > self.end {
            buffer.copy_within(*at..*at + taken, self.end);
        }
        self.end += taken;
        *at += taken;
        missing - taken
    }

    /// The length of the trailers, once they are complete. Each look goes through all of them, so
    /// it waits for a line end, which alone can complete them.
    fn end_of_trailers(
        &mut self,
        rest: &[u8],
        seen: usize,
        limits: &Limits,
    ) -> Result<Option<usize>, Refusal> {
        self.state = State::Trailers(rest.len());
        match rest[seen..].contains(&b'\n') || rest.len() > limits.head {
            true => trailers(rest, limits),
            false => Ok(None),
        }
    }
}

/// The line at the start of `bytes` without its CRLF; `None` while it is incomplete.
fn line(bytes: &[u8]) -> Result<Option<&[u8]>, Refusal> {
    const BAD: Refusal =
        Refusal::Malformed(&("a chunk size is malformed", "RFC 9112, section 7.1"));
    let end = bytes.iter().take(SIZE_LINE).position(|b| b"\r\n".contains(b));
    match end.map(|end| (end, &bytes[end..])) {
        Some((end, [b'\r', b'\n', ..])) => Ok(Some(&bytes[..end])),
        None if bytes.len() < SIZE_LINE => Ok(None),
        Some((_, b"\r")) => Ok(None),
        _ => Err(BAD),
    }
}

/// `1*HEXDIG` and extensions, which are skipped (RFC 9112, section 7.1.1).
fn chunk_size(line: &[u8]) -> Result<usize, Refusal> {
    const BAD: Refusal =
        Refusal::Malformed(&("a chunk size is malformed", "RFC 9112, section 7.1"));
    let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let extension = &line[digits..];
    if digits == 0 || !(line.len() == digits || extension.trim_ascii_start().starts_with(b";")) {
        return Err(BAD);
    }
    // Control characters are refused among the blanks before it, too: not every reader takes a form
    // feed for a blank.
    if extension.iter().any(|&b| b.is_ascii_control() && b != b'\t') {
        return Err(BAD);
    }
    // Eight digits exceed any limit; more would overflow.
    let significant = line[..digits].trim_ascii_start().iter().skip_while(|&&b| b == b'0');
    significant
        .clone()
        .try_fold(0usize, |size, &digit| {
            let value = char::from(digit).to_digit(16)? as usize;
            size.checked_mul(16)?.checked_add(value)
        })
        .ok_or(Refusal::BodyTooLarge)
}

/// The length of the trailer section, which is read and ignored, since nothing here uses one (RFC
/// 9110, section 6.5.1). Cold, so that a connection at rest holds no stack for its fields.
#[cold]
fn trailers(bytes: &[u8], limits: &Limits) -> Result<Option<usize>, Refusal> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    match httparse::parse_headers(bytes, &mut fields) {
        Ok(httparse::Status::Complete((length, _))) => {
            let bare = bytes[..length]
                .split_inclusive(|&b| b == b'\n')
                .any(|line| !line.ends_with(b"\r\n"));
            match bare {
                true => {
                    Err(Refusal::Malformed(&("a line ends in a bare LF", "RFC 9112, section 2.2")))
                }
                false => Ok(Some(length)),
            }
        }
        Ok(httparse::Status::Partial) if bytes.len() > limits.head => Err(Refusal::HeadTooLarge),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) => Err(Refusal::HeadTooLarge),
        Err(_) => {
            Err(Refusal::Malformed(&("a trailer field is malformed", "RFC 9112, section 7.1.2")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A body, and what follows it.
    type Decoded = (Vec<u8>, Vec<u8>);

    /// Feeds `bytes` in pieces of `step`: the decoded body, and what follows it.
    fn decode(bytes: &[u8], step: usize) -> Result<Option<Decoded>, Refusal> {
        let mut buffer = Buffer::new();
        buffer.push(b"HEAD");
        let mut body = Body::new(4, Framing::Chunked, &Limits::DEFAULT)?;
        for piece in bytes.chunks(step) {
            buffer.push(piece);
            if body.advance(&mut buffer, &Limits::DEFAULT)? {
                let fed = piece.as_ptr() as usize - bytes.as_ptr() as usize + piece.len();
                let range = body.range();
                let mut behind = buffer.bytes()[range.end..].to_vec();
                behind.extend(&bytes[fed..]);
                return Ok(Some((buffer.bytes()[range].to_vec(), behind)));
            }
        }
        Ok(None)
    }

    #[test]
    fn chunks_are_joined_and_what_follows_is_left() {
        let text = b"5\r\nhello\r\n06;a=\"b\" ; c\r\n world\r\n0\r\nX: y\r\n\r\nGET /";
        for step in 1..=text.len() {
            let (body, behind) = decode(text, step).unwrap().unwrap();
            assert_eq!((&body[..], &behind[..]), (&b"hello world"[..], &b"GET /"[..]));
        }
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for text in [
            "\r\n",
            " 5\r\nhello\r\n",
            "+5\r\nhello\r\n",
            "0x5\r\nhello\r\n",
            "5 \r\nhello\r\n",
            "5\nhello\r\n",
            "5\r\nhello!\r\n",
            "5\r\nhello\n",
            "g\r\n",
            "5\rx",
            "0\r\nX : y\r\n\r\n",
            "0\r\n\n",
            "0\r\n X: y\r\n\r\n",
            "5;a\u{1}\r\nhello\r\n",
            "5\u{c};a\r\nhello\r\n",
        ] {
            assert!(matches!(decode(text.as_bytes(), 1), Err(Refusal::Malformed(..))), "{text:?}");
        }
        for text in ["10001\r\n", "ffffffffffffffffffff\r\n"] {
            assert_eq!(decode(text.as_bytes(), 1), Err(Refusal::BodyTooLarge));
        }
        let crumbs = "1\r\nx\r\n".repeat(20_000);
        assert_eq!(decode(crumbs.as_bytes(), 4096), Err(Refusal::BodyTooLarge));
        // Five bytes of overhead for each byte, and five at the end: as many as the body itself may
        // have.
        let crumbs = "1\r\nx\r\n".repeat(65_536 / 5 - 1) + "0\r\n\r\n";
        let whole = decode(crumbs.as_bytes(), 4096).unwrap().unwrap();
        assert_eq!((whole.0.len(), whole.1.len()), (65_536 / 5 - 1, 0));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_the_same_however_they_are_cut(bytes in "[0-9a-f;:X \r\n]{0,60}", step in 1usize..20) {
            let whole = decode(bytes.as_bytes(), bytes.len().max(1));
            prop_assert_eq!(decode(bytes.as_bytes(), step).ok(), whole.ok());
        }
    }
}
