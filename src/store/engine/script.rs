//! A step as one command: the script in `script.lua`, or something simpler that does the same.

use super::Made;
use super::resp::{Answer, command};

const SCRIPT: &[u8] = include_bytes!("script.lua");

/// A step in the engine's terms.
#[derive(Default)]
pub struct Prepared<'a> {
    /// Keys whose values must be these; empty means that there must be none.
    pub held: Vec<(Vec<u8>, &'a [u8])>,
    /// Keys, values, and how many milliseconds they stay.
    pub puts: Vec<(Vec<u8>, Vec<u8>, String)>,
    /// Keys to take out.
    pub gone: Vec<Vec<u8>>,
    /// The same, but each that was there is counted.
    pub ended: Vec<Vec<u8>>,
}

impl Prepared<'_> {
    pub fn is_nothing(&self) -> bool {
        self.puts.is_empty() && self.gone.is_empty() && self.ended.is_empty()
    }

    /// The command; `is_again` if a first attempt may have taken effect.
    pub fn command(&self, is_again: bool) -> Vec<u8> {
        match (self.puts.as_slice(), self.ended.as_slice()) {
            ([(key, value, millis)], []) if self.is_free() => {
                command(&[b"SET", key, value, b"PX", millis.as_bytes()])
            }
            ([], [first, rest @ ..]) if self.is_free() => {
                let mut words: Vec<&[u8]> = vec![b"DEL", first];
                words.extend(rest.iter().map(Vec::as_slice));
                command(&words)
            }
            _ => self.script(is_again),
        }
    }

    /// What the answer to the command says; `None` if the command has no such answer.
    pub fn made(&self, answer: Option<Answer>) -> Option<Made> {
        let is_set = self.is_free() && self.puts.len() == 1 && self.ended.is_empty();
        match answer? {
            Answer::Simple(word) if is_set => (word == b"OK").then_some(Made::Taken(0)),
            Answer::Integer(-1) if !self.held.is_empty() => Some(Made::TooLate),
            Answer::Integer(taken) if !is_set => {
                let taken = usize::try_from(taken).ok()?;
                (taken <= self.ended.len()).then_some(Made::Taken(taken))
            }
            _ => None,
        }
    }

    /// Whether it depends on no row, and takes out none without counting it.
    fn is_free(&self) -> bool {
        self.held.is_empty() && self.gone.is_empty()
    }

    fn script(&self, is_again: bool) -> Vec<u8> {
        let Prepared { held, puts, gone, ended } = self;
        let all = (held.len() + puts.len() + gone.len() + ended.len()).to_string();
        let counts = [held.len(), puts.len(), gone.len()].map(|count| count.to_string());
        let mut words: Vec<&[u8]> = vec![b"EVAL", SCRIPT, all.as_bytes()];
        words.extend(held.iter().map(|(key, _)| key.as_slice()));
        words.extend(puts.iter().map(|(key, ..)| key.as_slice()));
        words.extend(gone.iter().chain(ended).map(Vec::as_slice));
        words.extend(counts.iter().map(String::as_bytes));
        words.push(if is_again { b"again" } else { b"first" });
        words.extend(held.iter().map(|(_, value)| *value));
        for (_, value, millis) in puts {
            words.extend([value.as_slice(), millis.as_bytes()]);
        }
        command(&words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_the_step_can_have_is_believed() {
        let ok = || Some(Answer::Simple(b"OK"));
        let key = || b"k".to_vec();
        let put = || vec![(key(), b"v".to_vec(), "1".to_string())];
        let set = Prepared { puts: put(), ..Prepared::default() };
        let del = Prepared { ended: vec![key()], ..Prepared::default() };
        let held = vec![(key(), &b"v"[..])];
        let script = Prepared { held, puts: put(), ended: vec![key()], ..Prepared::default() };
        let made = |step: &Prepared, number| match step.made(Some(Answer::Integer(number))) {
            Some(Made::Taken(taken)) => Some(taken as i64),
            Some(Made::TooLate) => Some(-1),
            None => None,
        };
        assert!(matches!(set.made(ok()), Some(Made::Taken(0))));
        assert_eq!([-1, 0, 1].map(|number| made(&set, number)), [None; 3]);
        assert_eq!([-1, 0, 1, 2].map(|number| made(&del, number)), [None, Some(0), Some(1), None]);
        let all = [-2, -1, 0, 1, 2].map(|number| made(&script, number));
        assert_eq!(all, [None, Some(-1), Some(0), Some(1), None]);
        for step in [&del, &script] {
            assert!(step.made(ok()).is_none() && step.made(Some(Answer::Nothing)).is_none());
        }
    }
}
