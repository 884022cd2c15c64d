//! Any bytes are JSON or not, and what was read can be looked at.
#![no_main]
#![allow(dead_code, unused_imports)]

#[path = "../../../src/encode/mod.rs"]
mod encode;

use encode::json_reader::Value;
use libfuzzer_sys::fuzz_target;

fn look(value: Value) -> usize {
    let kinds = [value.members().is_some(), value.items().is_some(), value.string().is_some()];
    assert!(kinds.iter().filter(|is| **is).count() <= 1);
    let members = value.members().into_iter().flatten().map(|(name, value)| name.len() + look(value));
    let items = value.items().into_iter().flatten().map(look);
    members.chain(items).sum::<usize>() + value.string().map_or(1, |text| text.len())
}

fuzz_target!(|bytes: &[u8]| {
    if let Some(value) = Value::read(bytes) {
        look(value);
    }
});
