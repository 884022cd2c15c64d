//! Any bytes are a configuration or have faults with lines, and never panic.
#![no_main]
#![allow(dead_code)]

#[path = "../../../src/config/mod.rs"]
mod config;
#[path = "../../../src/crypto/mod.rs"]
mod crypto;
#[path = "../../../src/encode/mod.rs"]
mod encode;
#[path = "../../../src/http/mod.rs"]
mod http;
#[path = "../../../src/oauth/mod.rs"]
mod oauth;
#[path = "../../../src/store/mod.rs"]
mod store;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let outside = config::Outside {
        file: &|name| match name.len() % 2 {
            0 => Ok(name.as_bytes().to_vec()),
            _ => Err("no such file".into()),
        },
        environment: &|name| (name.len() % 2 == 0).then(|| name.into()),
    };
    let lines = bytes.split(|&b| b == b'\n').count();
    if let Err(faults) = config::parse(bytes, &config::Context::default(), &outside) {
        assert!(!faults.is_empty());
        assert!(faults.iter().all(|fault| fault.line.is_some_and(|line| (1..=lines).contains(&line))));
        assert!(faults.is_sorted_by_key(|fault| fault.line));
    }
});
