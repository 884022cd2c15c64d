//! What has arrived on a connection and has not been answered yet.

use std::io;
use std::ops::Range;

use super::body::{Body, SIZE_LINE};
use super::buffer::Buffer;
use super::framing::Framing;
use super::phase::Wait;
use super::request::Head;
use super::{Limits, Refusal};

pub struct Input {
    buffer: Buffer,
    /// Where the next request begins; everything before it has been answered.
    start: usize,
    /// The next request's body, from the end of its head until it is complete. `start` is then 0.
    body: Option<Body>,
    /// Whether what has arrived since the last look may complete a head.
    news: bool,
}

impl Input {
    pub fn new() -> Input {
        Input { buffer: Buffer::new(), start: 0, body: None, news: false }
    }

    /// What the next request lacks, as far as that can be told without parsing its head; `None` if
    /// the head has to be parsed.
    pub fn lacks(&mut self, limits: &Limits) -> Result<Option<Wait>, Refusal> {
        if let Some(body) = &mut self.body {
            let is_whole = body.advance(&mut self.buffer, limits)?;
            return Ok((!is_whole).then_some(Wait::Body));
        }
        Ok(match std::mem::take(&mut self.news) {
            _ if !self.has_more() => Some(Wait::Request),
            true => None,
            false => Some(Wait::Head),
        })
    }

    /// The bytes from the beginning of the next request on.
    pub fn unanswered(&self) -> &[u8] {
        &self.buffer.bytes()[self.start..]
    }

    pub fn has_more(&self) -> bool {
        self.start < self.buffer.len()
    }

    /// The range of the body that follows `head`, which is `length` bytes long; `None` while it is
    /// incomplete. The next request begins after it.
    pub fn body(&self, head: &Head, length: usize) -> Option<Range<usize>> {
        if let Some(body) = &self.body {
            return Some(body.range());
        }
        let start = self.start + length;
        match head.framing {
            Framing::Length(length) if length <= self.buffer.len() - start => {
                Some(start..start + length)
            }
            _ => None,
        }
    }

    /// An empty body, after which there is nothing.
    pub fn nothing(&self) -> Range<usize> {
        self.buffer.len()..self.buffer.len()
    }

    /// Prepares to read the rest of a body, which follows a head of `length` bytes.
    pub fn await_body(
        &mut self,
        length: usize,
        framing: Framing,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        self.body = Some(Body::new(length, framing, limits)?);
        self.drop_answered();
        Ok(())
    }

    pub fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.buffer.bytes()[range]
    }

    /// The request that ends here has been answered.
    pub fn answered(&mut self, end: usize) {
        self.start = end;
        self.body = None;
        self.news = end < self.buffer.len();
    }

    /// Takes in what `read` writes into the free part of the buffer.
    pub fn fill(
        &mut self,
        limits: &Limits,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.drop_answered();
        let filled = self.buffer.len();
        let count = self.buffer.fill(most(limits), read)?;
        // The first bytes may already be wrong; after that only a line end can complete a head.
        self.news |= filled == 0
            || self.buffer.bytes()[filled..].contains(&b'\n')
            || self.buffer.len() > limits.head;
        Ok(count)
    }

    /// Whether a read has filled the buffer, and the buffer may still grow: then more may have
    /// arrived.
    pub fn is_brimful(&self, limits: &Limits) -> bool {
        self.buffer.is_full() && self.buffer.len() < most(limits)
    }

    /// Frees the memory of a large request, once everything has been answered.
    pub fn rest(&mut self) {
        self.buffer.rest();
        self.start = 0;
    }

    fn drop_answered(&mut self) {
        self.buffer.remove(0..self.start);
        self.start = 0;
    }
}

/// The largest size of the buffer. It is more than a request can have before it is complete or
/// refused: a head, a decoded body, and after that the size line of a chunk or the trailers, which
/// may be as long as a head.
fn most(limits: &Limits) -> usize {
    2 * limits.head + limits.body + SIZE_LINE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::buffer::RESTING;
    use crate::http::request;
    use crate::http::slots::Slots;

    /// Answers what is complete; false if the next request is refused.
    fn answer_all(input: &mut Input) -> bool {
        loop {
            match input.lacks(&Limits::DEFAULT) {
                Ok(None) => {}
                lacks => return lacks.is_ok(),
            }
            let mut slots = Slots::new();
            let parsed = request::parse(input.unanswered(), &mut slots, &Limits::DEFAULT);
            let (head, length) = match parsed {
                Ok(Some(whole)) => whole,
                parsed => return parsed.is_ok(),
            };
            let framing = head.framing;
            match input.body(&head, length) {
                Some(body) => input.answered(body.end),
                None if input.await_body(length, framing, &Limits::DEFAULT).is_err() => {
                    return false;
                }
                None => {}
            }
        }
    }

    /// Reads like a connection whose client sends `head` and then `rest` again and again, up to
    /// `limit` bytes. Returns the largest size of the buffer.
    fn largest(head: &str, rest: &[u8], limit: usize) -> usize {
        let mut input = Input::new();
        let mut source = head.bytes().chain(rest.iter().copied().cycle()).take(limit);
        let mut largest = 0;
        while answer_all(&mut input) {
            // A second read if the first has filled the buffer.
            for _ in 0..2 {
                let read = input.fill(&Limits::DEFAULT, |room| {
                    assert!(!room.is_empty(), "a read without room is taken for the end");
                    Ok(room.iter_mut().zip(&mut source).map(|(to, from)| *to = from).count())
                });
                largest = largest.max(input.buffer.size());
                if read.unwrap() == 0 {
                    return largest;
                }
                if !input.is_brimful(&Limits::DEFAULT) {
                    break;
                }
            }
        }
        largest
    }

    #[test]
    fn whatever_is_sent_the_buffer_stays_within_its_bound() {
        let limits = &Limits::DEFAULT;
        let long = "x".repeat(limits.body);
        let post = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", limits.body);
        let wide = post.replace("\r\n\r\n", &format!("\r\nX: {}\r\n\r\n", &long[..16_000]));
        let chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        let whole = format!("{chunked}10000\r\n{long}\r\n0\r\n");
        for (head, rest) in [
            ("", format!("{post}{long}")),
            ("", format!("{wide}{long}")),
            ("", "GET / HTTP/1.1\r\nHost: h\r\n\r\n".into()),
            ("GET / HTTP/1.1\r\nHost: ", "x".into()),
            ("", "\r\n".into()),
            (chunked, "1;x\r\nx\r\n".into()),
            (&format!("{chunked}1;"), "x".into()),
            (&whole, "X: y\r\n".into()),
            (&format!("{whole}X: "), "y".into()),
        ] {
            let largest = largest(head, rest.as_bytes(), 3_000_000);
            assert!((1..=100 * 1024).contains(&largest), "{largest} for {head:.50} {rest:.50}");
        }
    }

    #[test]
    fn what_a_large_request_has_taken_is_given_back() {
        let mut input = Input::new();
        input.buffer.push(&[0; 2000]);
        input.answered(2000);
        input.rest();
        assert_eq!((input.buffer.size(), input.unanswered()), (RESTING, &[][..]));
    }
}
