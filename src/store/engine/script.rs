//! A step as one command: the script in `script.lua`, or something simpler that does the same.

use super::resp::command;

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
        let is_free = self.held.is_empty() && self.gone.is_empty();
        match (self.puts.as_slice(), self.ended.as_slice()) {
            ([(key, value, millis)], []) if is_free => {
                command(&[b"SET", key, value, b"PX", millis.as_bytes()])
            }
            ([], [first, rest @ ..]) if is_free => {
                let mut words: Vec<&[u8]> = vec![b"DEL", first];
                words.extend(rest.iter().map(Vec::as_slice));
                command(&words)
            }
            _ => self.script(is_again),
        }
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
