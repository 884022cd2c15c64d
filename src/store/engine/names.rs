//! The names and numbers of this process, in both directions.

use std::collections::HashMap;
use std::sync::Arc;

use crate::oauth::Registry;
use crate::store::names::Names;
use crate::store::rows::{Change, Kind, Number};

#[derive(Default)]
pub struct NameTable {
    in_force: Names,
    /// Of every number that was ever assigned here, since a request may have begun before its name
    /// was removed.
    by_number: HashMap<Number, Arc<str>>,
}

impl NameTable {
    /// Puts the names of `registry` into force, and writes their numbers into it.
    pub fn enrol(&mut self, registry: &mut Registry) {
        for change in self.in_force.changes_for(registry) {
            self.in_force.apply(&change);
            if let Change::PutName(_, name, number) = change {
                self.by_number.insert(number, name);
            }
        }
        self.in_force.number(registry);
    }

    pub fn name(&self, number: Number) -> Option<&str> {
        self.by_number.get(&number).map(AsRef::as_ref)
    }

    /// The number of a name in force.
    pub fn number(&self, kind: Kind, name: &str) -> Option<Number> {
        self.in_force.number_of(kind, name)
    }
}
