//! Numbers for names: what a name was given out under dies with its number.

use std::collections::HashMap;
use std::sync::Arc;

use super::rows::Number;
use crate::oauth::Registry;

/// The names of the configuration in force. Clients and users cannot have the same.
#[derive(Default)]
pub struct Names {
    in_force: HashMap<Arc<str>, Number>,
    /// The last number that was given.
    last: u32,
}

impl Names {
    /// Numbers everyone in `registry`, which is in force from now on. A name that was in force until
    /// now keeps its number; one that was not, however shortly, gets a new one.
    pub fn number(&mut self, registry: &mut Registry) {
        let before = std::mem::take(&mut self.in_force);
        for (name, number) in registry.everyone() {
            *number = before.get(name).copied().unwrap_or_else(|| {
                self.last += 1;
                Number(self.last)
            });
            self.in_force.insert(Arc::clone(name), *number);
        }
        registry.index_numbers();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::registry::samples;

    #[test]
    fn a_name_that_was_away_gets_another_number() {
        let mut names = Names::default();
        let mut number_of = |clients: &[&str], id: &str| {
            let clients = clients.iter().map(|id| samples::client(id)).collect();
            let mut registry = samples::registry(clients);
            names.number(&mut registry);
            registry.client(id).map(|client| client.number)
        };
        let first = number_of(&["a", "b"], "a").unwrap();
        assert_eq!(number_of(&["b", "a"], "a"), Some(first));
        assert_ne!(number_of(&["b", "a"], "b"), Some(first));
        assert_eq!(number_of(&["b"], "a"), None);
        let second = number_of(&["a", "b"], "a").unwrap();
        assert!(second.0 > first.0);
    }
}
