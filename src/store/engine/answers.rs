//! The answers to some commands, in the bytes that the engine sent. A request copies its own out of
//! its message's, since what one thread allocates and another frees costs more.

use super::resp::{self, Answer, Parsed};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    bytes: Vec<u8>,
    /// Where each answer ends.
    ends: Vec<usize>,
}

impl Answers {
    /// Appends the bytes of one whole answer.
    pub fn push(&mut self, answer: &[u8]) {
        self.bytes.extend_from_slice(answer);
        self.ends.push(self.bytes.len());
    }

    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// So many of them, from the one with this number.
    pub fn part(&self, first: usize, count: usize) -> Answers {
        let start = self.start(first);
        let bytes = self.bytes[start..self.start(first + count)].to_vec();
        let ends = self.ends[first..first + count].iter().map(|end| end - start).collect();
        Answers { bytes, ends }
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
        self.ends.iter().enumerate().map(|(at, &end)| &self.bytes[self.start(at)..end])
    }

    /// Where the answer with this number starts.
    fn start(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| self.ends[before])
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
