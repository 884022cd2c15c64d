//! The access tokens of a family.

use super::key::Key;

/// The most access tokens of a family. If a rotation ends none, a client that keeps refreshing
/// would collect more than one short step can end.
const MOST: usize = 10_000;

/// Usually one key. With a grace there can be more.
#[derive(Default)]
pub enum Keys {
    #[default]
    None,
    One(Key),
    Many(Vec<Key>),
}

impl Keys {
    pub fn is_empty(&self) -> bool {
        matches!(self, Keys::None)
    }

    /// Adds a key, if it is not there yet.
    pub fn add(&mut self, key: Key) {
        *self = match std::mem::take(self) {
            Keys::None => Keys::One(key),
            Keys::One(first) if first == key => Keys::One(first),
            Keys::One(first) => Keys::Many(vec![first, key]),
            Keys::Many(mut keys) => {
                if !keys.contains(&key) {
                    keys.push(key);
                }
                Keys::Many(keys)
            }
        };
    }

    /// The oldest, if there are too many.
    pub fn surplus(&self) -> Option<Key> {
        match self {
            Keys::Many(keys) if keys.len() > MOST => keys.first().copied(),
            _ => None,
        }
    }

    pub fn remove(&mut self, key: &Key) {
        match self {
            Keys::One(one) if one == key => *self = Keys::None,
            Keys::Many(keys) => {
                keys.retain(|own| own != key);
                if keys.is_empty() {
                    *self = Keys::None;
                }
            }
            _ => {}
        }
    }

    pub fn each(&self, mut visit: impl FnMut(&Key)) {
        match self {
            Keys::None => {}
            Keys::One(key) => visit(key),
            Keys::Many(keys) => keys.iter().for_each(visit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_holds_any_number_of_access_tokens() {
        let mut keys = Keys::default();
        let all: Vec<Key> = (0..4).map(|n| Key::of(&n.to_string())).collect();
        for key in &all {
            keys.add(*key);
            keys.add(*key);
        }
        assert_eq!(keys.surplus(), None);
        keys.remove(&all[1]);
        let mut seen = Vec::new();
        keys.each(|key| seen.push(*key));
        assert_eq!(seen, [all[0], all[2], all[3]]);
        for key in &all {
            keys.remove(key);
        }
        assert!(keys.is_empty());
    }

    #[test]
    fn a_family_has_an_end() {
        let all = (0..=MOST).map(|n| Key::of(&n.to_string())).collect();
        assert_eq!(Keys::Many(all).surplus(), Some(Key::of("0")));
    }
}
