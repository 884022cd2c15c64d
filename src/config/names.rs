//! The names of a file's sections, so that a section can name one that comes later.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::ini::Section;
use super::resource;

/// The names of each kind.
#[derive(Default)]
pub struct Names(HashMap<String, HashSet<String>>);

impl Names {
    pub fn add(&mut self, section: &Section) {
        let names = self.0.entry(section.kind.clone()).or_default();
        names.insert(key(section).into_owned());
    }

    pub fn has(&self, kind: &str, name: &str) -> bool {
        self.0.get(kind).is_some_and(|names| names.contains(name))
    }

    /// The same, and also true if the section with this name has an unknown kind.
    pub fn may_have(&self, kind: &str, name: &str) -> bool {
        self.has(kind, name) || self.has("", name)
    }

    pub fn of(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.0.get(kind).into_iter().flatten().map(String::as_str)
    }
}

/// What distinguishes a section from others of its kind.
pub fn key(section: &Section) -> Cow<'_, str> {
    match section.kind == resource::KIND {
        true => Cow::Owned(resource::key(&section.name)),
        false => Cow::Borrowed(&section.name),
    }
}
