//! Numbers for names. What was issued under a number ends with it.

use std::collections::HashMap;
use std::sync::Arc;

use super::rows::{Change, Kind, Number};
use crate::oauth::Registry;

/// The names of the configuration in force, and their numbers.
#[derive(Default)]
pub struct Names {
    in_force: [HashMap<Arc<str>, Number>; Kind::ALL.len()],
    /// The last number that was assigned.
    last: Number,
}

impl Names {
    /// The changes after which the names of `registry` are in force, and no others. A name that was
    /// in force until now keeps its number; one that was not, for however short a time, gets a new
    /// one.
    pub fn changes_for(&self, registry: &mut Registry) -> Vec<Change> {
        let mut gone = self.in_force.clone();
        let mut last = self.last.0;
        let mut changes = Vec::new();
        for (kind, name, _) in registry.everyone() {
            if gone[kind as usize].remove(name).is_none() {
                last += 1;
                changes.push(Change::PutName(kind, Arc::clone(name), Number(last)));
            }
        }
        for (kind, gone) in Kind::ALL.into_iter().zip(gone) {
            changes.extend(gone.into_keys().map(|name| Change::TakeName(kind, name)));
        }
        changes
    }

    /// Applies a change, if it is one of names.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::PutName(kind, name, number) => {
                self.last.0 = self.last.0.max(number.0);
                self.in_force[*kind as usize].insert(Arc::clone(name), *number);
            }
            Change::TakeName(kind, name) => {
                self.in_force[*kind as usize].remove(name);
            }
            Change::LastNumber(number) => self.last.0 = self.last.0.max(number.0),
            _ => {}
        }
    }

    /// Whether the row's client has had a number: no other row is ever written.
    pub fn know(&self, change: &Change) -> bool {
        let client = match change {
            Change::PutAccessToken(_, row) => row.client,
            Change::PutCode(_, row) => row.client,
            Change::PutFamily(_, row) => row.client,
            Change::PutDevice(_, row) => row.client,
            _ => return true,
        };
        client.0 <= self.last.0
    }

    /// The number of a name in force.
    pub fn number_of(&self, kind: Kind, name: &str) -> Option<Number> {
        self.in_force[kind as usize].get(name).copied()
    }

    /// Writes everyone's number into `registry`.
    pub fn number(&self, registry: &mut Registry) {
        for (kind, name, number) in registry.everyone() {
            *number = self.number_of(kind, name).unwrap_or_default();
        }
        registry.index_numbers();
    }

    /// The changes that make these names from none.
    pub fn all(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (kind, names) in Kind::ALL.into_iter().zip(&self.in_force) {
            let put = |(name, number): (&Arc<str>, &Number)| {
                Change::PutName(kind, Arc::clone(name), *number)
            };
            changes.extend(names.iter().map(put));
        }
        changes.push(Change::LastNumber(self.last));
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::registry::samples;

    fn enrol(names: &mut Names, clients: &[&str]) -> Registry {
        let clients = clients.iter().map(|id| samples::client(id)).collect();
        let mut registry = samples::registry(clients);
        for change in names.changes_for(&mut registry) {
            names.apply(&change);
        }
        names.number(&mut registry);
        registry
    }

    #[test]
    fn a_name_that_was_away_gets_another_number() {
        let mut names = Names::default();
        let mut number_of = |clients: &[&str], id: &str| {
            enrol(&mut names, clients).client(id).map(|client| client.number)
        };
        let first = number_of(&["a", "b"], "a").unwrap();
        assert_eq!(number_of(&["b", "a"], "a"), Some(first));
        assert_ne!(number_of(&["b", "a"], "b"), Some(first));
        assert_eq!(number_of(&["b"], "a"), None);
        let second = number_of(&["a", "b"], "a").unwrap();
        assert!(second.0 > first.0);
    }

    #[test]
    fn no_number_is_given_twice_after_a_restart() {
        let mut names = Names::default();
        enrol(&mut names, &["a", "b"]);
        enrol(&mut names, &["a"]);
        let mut again = Names::default();
        names.all().iter().for_each(|change| again.apply(change));
        let registry = enrol(&mut again, &["a", "b"]);
        let number = |id| registry.client(id).unwrap().number;
        assert_eq!(number("a"), Number(1));
        assert!(number("b").0 > 4, "{:?}", number("b"));
    }
}
