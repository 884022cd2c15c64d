//! Any bytes are a state file that can be read, or one that is refused with a line, without a
//! panic; what was read and written is read again as the same.
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
use store::{Store, SyncPolicy};

/// The CRC-32 of ISO 3309, one bit at a time.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}

/// The bytes as the payload of one step, since no fuzzer guesses a checksum.
fn framed(payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_le_bytes().to_vec();
    frame.extend(payload);
    [&b"oauth2d state 1\n"[..], &crc32(&frame).to_le_bytes(), &frame].concat()
}

fuzz_target!(|bytes: &[u8]| {
    open(bytes);
    open(&framed(bytes));
});

fn open(bytes: &[u8]) {
    let folder = std::env::temp_dir().join(format!("oauth2d-fuzz-{}", std::process::id()));
    let path = folder.join("state");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(&path, bytes).unwrap();
    match Store::open(&path, SyncPolicy::Ends) {
        Ok(store) => {
            let counts = store.counts();
            drop(store);
            let again = Store::open(&path, SyncPolicy::Ends).unwrap();
            assert_eq!(again.counts(), counts);
            assert!(again.upkeep().is_empty());
        }
        Err(line) => {
            assert!(line.starts_with(&format!("{}: ", path.display())) && !line.contains('\n'));
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
    }
}
