//! Any bytes are an engine's answer, the beginning of one or nonsense, and never panic; more bytes
//! never change what was whole or nonsense, and an answer leaves what stands behind it alone.
#![no_main]
#![allow(dead_code)]

#[path = "../../../src/encode/mod.rs"]
mod encode;
#[path = "../../../src/store/engine/resp.rs"]
mod resp;

use libfuzzer_sys::fuzz_target;
use resp::{Answer, LONGEST, Parsed, parse};

/// How many bytes an answer has within it.
fn held(answer: &Answer) -> usize {
    match answer {
        Answer::Simple(bytes) | Answer::Error(bytes) | Answer::Bytes(bytes) => bytes.len(),
        Answer::Integer(_) | Answer::Nothing => 0,
        Answer::Array(all) => all.iter().map(held).sum(),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let whole = parse(bytes);
    match &whole {
        Parsed::Whole(answer, size) => {
            assert!(held(answer) < *size && *size <= bytes.len());
            assert_eq!(parse(&bytes[..*size]), whole);
            assert_eq!(parse(&bytes[..*size - 1]), Parsed::Partial);
        }
        Parsed::Partial => assert!(bytes.len() < LONGEST),
        Parsed::Nonsense => assert_eq!(parse(&[bytes, b"\r\n"].concat()), Parsed::Nonsense),
    }
    // As commands, cut where the bytes say so, they come back as they were sent.
    let words: Vec<&[u8]> = bytes.split(|&b| b == b'\n').take(16).collect();
    let mut sent = resp::command(&words);
    let size = sent.len();
    if size < LONGEST {
        let words = words.into_iter().map(|word| Answer::Bytes(word)).collect();
        sent.extend(bytes);
        assert_eq!(parse(&sent), Parsed::Whole(Answer::Array(words), size));
    }
});
