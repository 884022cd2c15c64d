//! Where everything is stored: in this process, or in an engine that replicas share.

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

    /// Adopts the limit on tokens, too.
    pub fn enrol(&self, registry: &mut Registry) {
        match self {
            Place::Memory(memory) => memory.enrol(registry),
            Place::Engine(engine) => apart(engine, |it| it.enrol(registry)),
        }
    }

    /// Other steps go on meanwhile, so rows may change and new ones may be missed. What can turn
    /// into something else comes before it: devices and codes, then families, then access tokens.
    /// So whoever takes out all they see also takes out what came of it.
    pub fn each(
        &self,
        see: &mut dyn FnMut(Vec<(Key, Row)>) -> Result<(), Unavailable>,
    ) -> Result<(), Unavailable> {
        match self {
            Place::Memory(memory) => memory.each(see),
            Place::Engine(engine) => apart(engine, |it| it.each(see)),
        }
    }

    pub fn apply(&self, only_if: OnlyIf, changes: Vec<Change>) -> Found<usize> {
        match self {
            Place::Memory(memory) => memory.apply(only_if, changes),
            Place::Engine(engine) => apart(engine, |it| it.apply(only_if, changes)),
        }
    }

    #[cfg(test)]
    pub fn memory(&self) -> &Memory {
        self.ask(|memory| memory, |_| panic!("it is kept in an engine"))
    }
}

/// Not inlined, so that a look-up in memory has no stack for what an engine needs: that would cost
/// every connection at rest a page.
#[cold]
#[inline(never)]
fn apart<'a, T>(engine: &'a Engine, ask: impl FnOnce(&'a Engine) -> T) -> T {
    ask(engine)
}
