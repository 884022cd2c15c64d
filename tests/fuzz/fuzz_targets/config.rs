//! Any bytes are a configuration or have faults with lines, without a panic.
#![no_main]
#![allow(dead_code, unused_imports)]

#[path = "../../../src/clock.rs"]
mod clock;
#[path = "../../../src/config/mod.rs"]
mod config;
#[path = "../../../src/crypto/mod.rs"]
mod crypto;
#[path = "../../../src/encode/mod.rs"]
mod encode;
#[path = "../../../src/http/mod.rs"]
mod http;
#[path = "../../../src/listen/mod.rs"]
mod listen;
#[path = "../../../src/oauth/mod.rs"]
mod oauth;
#[path = "../../../src/os.rs"]
mod os;
#[path = "../../../src/step_aside.rs"]
mod step_aside;
#[path = "../../../src/store/mod.rs"]
mod store;
#[path = "../../../src/watch/mod.rs"]
mod watch;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let outside = config::Outside {
        file: &|name| match name.len() % 2 {
            0 => Ok(name.as_bytes().to_vec()),
            _ => Err("no such file".into()),
        },
        is_open: &|name| name.is_none_or(|name| name.len() % 3 == 0),
        environment: &|name| (name.len() % 2 == 0).then(|| name.into()),
        folder: &|name| (name.len() % 2 == 0).then(|| name.into()),
    };
    let lines = bytes.split(|&b| b == b'\n').count();
    let told = match config::parse(bytes, &config::Context::default(), &outside) {
        Ok(config) => config.warnings,
        Err(faults) => {
            assert!(!faults.is_empty());
            faults
        }
    };
    // That there is no client has no line, and comes last.
    assert!(told.is_sorted_by_key(|finding| (finding.line.is_none(), finding.line)));
    assert!(told.iter().filter_map(|finding| finding.line).all(|line| (1..=lines).contains(&line)));
});
