//! The answers to some commands, in the bytes that the engine sent. A request copies its own out of
//! its message's, since what one thread allocates and another frees costs more.

use super::resp::{self, Answer, Parsed};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    bytes: Vec<u8>,
    /// Where each but the first starts.
    starts: Vec<usize>,
}

impl Answers {
    /// Appends the bytes of one whole answer.
    pub fn push(&mut self, answer: &[u8]) {
        if !self.bytes.is_empty() {
            self.starts.push(self.bytes.len());
        }
        self.bytes.extend_from_slice(answer);
    }

    pub fn count(&self) -> usize {
        self.starts.len() + usize::from(!self.bytes.is_empty())
    }

    /// So many of them, from the one with this number.
    pub fn part(&self, first: usize, count: usize) -> Answers {
        let (start, end) = (self.start(first), self.start(first + count));
        let starts = (1..count).map(|at| self.start(first + at) - start).collect();
        Answers { bytes: self.bytes[start..end].to_vec(), starts }
    }

    pub fn iter(&self) -> impl Iterator<Item = Answer<'_>> {
        self.pieces().filter_map(|bytes| match resp::parse(bytes) {
            Parsed::Whole(answer, _) => Some(answer),
            _ => None,
        })
    }

    /// The answer, if there is only one.
    pub fn only(&self) -> Option<Answer<'_>> {
        if self.count() == 1 { self.iter().next() } else { None }
    }

    /// What the errors among them say.
    pub fn errors(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces().filter_map(|answer| answer.strip_prefix(b"-")?.strip_suffix(b"\r\n"))
    }

    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.count()).map(|at| &self.bytes[self.start(at)..self.start(at + 1)])
    }

    /// Where the answer with this number starts, or all of them end.
    fn start(&self, at: usize) -> usize {
        match at {
            0 => 0,
            _ => self.starts.get(at - 1).copied().unwrap_or(self.bytes.len()),
        }
    }
}

/// Whole answers.
#[cfg(test)]
impl<const N: usize> From<[&[u8]; N]> for Answers {
    fn from(all: [&[u8]; N]) -> Answers {
        let mut answers = Answers::default();
        all.into_iter().for_each(|answer| answers.push(answer));
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_what_its_commands_would_have_been_answered_alone() {
        let four: [&[u8]; 4] = [b"$1\r\na\r\n", b"-OOM no\r\n", b":7\r\n", b"$-1\r\n"];
        let all = Answers::from(four);
        assert_eq!([all.part(0, 0), all.part(4, 0)], [const { [] }; 2].map(Answers::from));
        assert_eq!(all.part(0, 4), all);
        assert_eq!(all.part(1, 2), Answers::from([four[1], four[2]]));
        assert_eq!(all.part(3, 1).only(), Some(Answer::Nothing));
        assert_eq!((all.only(), all.part(1, 2).only()), (None, None));
    }

    #[test]
    fn errors_are_told_apart() {
        let all = Answers::from([&b"-OOM no\r\n"[..], b"$3\r\n-OK\r\n", b"-READONLY\r\n"]);
        assert_eq!(all.errors().collect::<Vec<_>>(), [&b"OOM no"[..], b"READONLY"]);
    }
}
