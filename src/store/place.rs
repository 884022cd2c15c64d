//! Where everything is kept: in this process, or in an engine that replicas share.

use super::engine::Engine;
use super::memory::Memory;
use super::rows::{Change, OnlyIf, Row};
use super::{Found, Key, Unavailable};
use crate::oauth::Registry;

#[expect(clippy::large_enum_variant, reason = "there is one, and most keep it in memory")]
pub enum Place {
    Memory(Memory),
    Engine(Box<Engine>),
}

impl Place {
    /// Asks whichever it is.
    pub fn ask<'a, T>(
        &'a self,
        memory: impl FnOnce(&'a Memory) -> T,
        engine: impl FnOnce(&'a Engine) -> T,
    ) -> T {
        match self {
            Place::Memory(own) => memory(own),
            Place::Engine(own) => apart(own, engine),
        }
    }

    /// Takes the bound on tokens over, too.
    pub fn enrol(&self, registry: &mut Registry) {
        match self {
            Place::Memory(memory) => memory.enrol(registry),
            Place::Engine(engine) => apart(engine, |it| it.enrol(registry)),
        }
    }

    /// Nobody waits for this, so rows may change meanwhile; what comes meanwhile may be missed. What
    /// can still turn into something else is shown before it: devices and codes, families, then
    /// access tokens. So whoever takes out all they see has taken out whatever came of it, too.
    pub fn each(
        &self,
        see: &mut dyn FnMut(Vec<(Key, Row)>) -> Result<(), Unavailable>,
    ) -> Result<(), Unavailable> {
        match self {
            Place::Memory(memory) => memory.each(see),
            Place::Engine(engine) => apart(engine, |it| it.each(see)),
        }
    }

    pub fn apply(
        &self,
        only_if: OnlyIf,
        changes: impl IntoIterator<Item = Change>,
    ) -> Found<usize> {
        match self {
            Place::Memory(memory) => memory.apply(only_if, changes),
            Place::Engine(engine) => apart(engine, |it| it.apply(only_if, Vec::from_iter(changes))),
        }
    }

    #[cfg(test)]
    pub fn memory(&self) -> &Memory {
        self.ask(|memory| memory, |_| panic!("it is kept in an engine"))
    }
}

/// Apart, so that a look-up in memory has no room on its stack for what an engine needs: a page of
/// every connection at rest.
#[cold]
#[inline(never)]
fn apart<'a, T>(engine: &'a Engine, ask: impl FnOnce(&'a Engine) -> T) -> T {
    ask(engine)
}
