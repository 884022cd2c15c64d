//! Going through everything in the engine, for `--tokens` and `--end`.

use std::borrow::Cow;
use std::collections::HashSet;

use base64::Engine as _;

use super::resp::{Answer, command};
use super::value::{Content, Name};
use super::{BASE64, Broken, Engine};
use crate::store::{Key, Row, Unavailable};

/// About how many keys one command returns.
const COUNT: &str = "200";

type Named = fn(Key) -> Name;

impl Engine {
    /// See [`crate::store::Store::each`].
    pub fn each(
        &self,
        see: &mut dyn FnMut(Vec<(Key, Row)>) -> Result<(), Unavailable>,
    ) -> Result<(), Unavailable> {
        for (kind, name) in
            [("d:", Name::Device as Named), ("f:", Name::Family), ("a:", Name::AccessToken)]
        {
            // A key may appear twice if the engine moves keys meanwhile.
            let mut seen = HashSet::new();
            let mut cursor = b"0".to_vec();
            loop {
                self.begin();
                let (next, mut keys) = self.scan(&cursor, kind)?;
                keys.retain(|key| seen.insert(*key));
                see(self.rows(&keys, name)?)?;
                if next == b"0" {
                    break;
                }
                cursor = next;
            }
        }
        Ok(())
    }

    /// Some of the keys of this kind, and where the next begin.
    fn scan(&self, cursor: &[u8], kind: &str) -> Result<(Vec<u8>, Vec<Key>), Unavailable> {
        let pattern = self.pattern(kind);
        let ask = command(&[b"SCAN", cursor, b"MATCH", &pattern, b"COUNT", COUNT.as_bytes()]);
        let answers = self.ask(|_| Cow::Borrowed(&ask), 1)?;
        let Some(Answer::Array(pair)) = answers.only() else { return Err(self.nonsense()) };
        let [Answer::Bytes(next), Answer::Array(keys)] = pair.as_slice() else {
            return Err(self.nonsense());
        };
        let start = self.prefix.len() + kind.len();
        let key = |answer: &Answer| match answer {
            Answer::Bytes(bytes) => BASE64.decode(bytes.get(start..)?).ok()?.try_into().ok(),
            _ => None,
        };
        Ok((next.to_vec(), keys.iter().filter_map(key).map(Key::from_bytes).collect()))
    }

    fn rows(&self, keys: &[Key], name: Named) -> Result<Vec<(Key, Row)>, Unavailable> {
        let all: Vec<Name> = keys.iter().map(|key| name(*key)).collect();
        let values = self.values(&all)?;
        // What cannot be read is reported, and does not stop the rest.
        let row = |(key, bytes): (&Key, Option<Vec<u8>>)| match self
            .content(name(*key), bytes.as_deref())
        {
            Ok(Some(Content::Row(value))) => Some((*key, value.row)),
            _ => None,
        };
        Ok(keys.iter().zip(values).filter_map(row).collect())
    }

    /// The pattern that matches every key of this kind.
    pub(super) fn pattern(&self, kind: &str) -> Vec<u8> {
        let mut pattern = Vec::new();
        for b in self.prefix.bytes().chain(kind.bytes()) {
            if b"*?[]\\^".contains(&b) {
                pattern.push(b'\\');
            }
            pattern.push(b);
        }
        pattern.push(b'*');
        pattern
    }

    fn nonsense(&self) -> Unavailable {
        self.fails(&Broken::nonsense())
    }
}
