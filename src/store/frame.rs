//! The state file's bytes: where a step begins and ends, and how to tell that it is complete.
//!
//!     16 bytes  "oauth2d state 1\n"
//!     frame     crc32 u32 | length u32 | payload     little-endian; the CRC is over length and payload
//!     payload   the changes of one step, or "=" and a u64: up to this byte the disk has the file
//!
//! The mark tells damage from a torn end. The disk has confirmed everything below the largest mark,
//! so a bad frame there is damage; above it, it is a step that was never finished.

use super::record;
use super::rows::Change;

pub const HEADER: &[u8; 16] = b"oauth2d state 1\n";
const NAME: &[u8] = b"oauth2d state ";

/// The bytes of a frame before its payload.
const HEAD: usize = 8;
/// No step is larger, even with several of the longest texts of a configuration.
const LARGEST: usize = 1024 * 1024;
const MARK: u8 = b'=';
/// The size of a mark's frame.
pub const MARK_SIZE: usize = HEAD + 9;

/// Begins a frame, to which the payload is then appended.
pub fn begin(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend([0; HEAD]);
    start
}

/// Ends the frame that began at `start`; an empty one is removed.
pub fn end(out: &mut Vec<u8>, start: usize) {
    let length = out.len() - start - HEAD;
    if length == 0 {
        out.truncate(start);
        return;
    }
    out[start + 4..start + HEAD].copy_from_slice(&(length as u32).to_le_bytes());
    let crc = crc32(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

/// Appends a mark: the disk has everything before this byte of the file.
pub fn mark(out: &mut Vec<u8>, confirmed: u64) {
    let start = begin(out);
    out.push(MARK);
    out.extend(confirmed.to_le_bytes());
    end(out, start);
}

/// What some bytes begin with.
#[derive(Debug, PartialEq)]
pub enum Frame {
    /// A step, and its size in bytes.
    Step(Vec<Change>, usize),
    /// A mark, and its size in bytes.
    Mark(u64, usize),
    /// The beginning of a frame; more bytes are needed.
    Partial,
    /// No complete frame.
    Bad,
}

/// Reads the frame at the start of `bytes`.
pub fn read(bytes: &[u8]) -> Frame {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else { return Frame::Partial };
    let crc = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
    if !(1..=LARGEST).contains(&length) {
        return Frame::Bad;
    }
    let Some(payload) = rest.get(..length) else { return Frame::Partial };
    if crc32(&bytes[4..HEAD + length]) != crc {
        return Frame::Bad;
    }
    match payload.split_first() {
        Some((&MARK, place)) => match place.try_into() {
            Ok(place) => Frame::Mark(u64::from_le_bytes(place), HEAD + length),
            Err(_) => Frame::Bad,
        },
        _ => match record::decode(payload) {
            Some(changes) => Frame::Step(changes, HEAD + length),
            None => Frame::Bad,
        },
    }
}

/// The largest mark anywhere in `bytes`, since after damage we do not know where frames begin.
pub fn largest_mark(bytes: &[u8]) -> Option<u64> {
    bytes
        .windows(MARK_SIZE)
        .filter(|window| window[4..=HEAD] == [9, 0, 0, 0, MARK])
        .filter_map(|window| match read(window) {
            Frame::Mark(place, _) => Some(place),
            _ => None,
        })
        .max()
}

/// The kind of a file, by its first bytes.
#[derive(Debug, PartialEq)]
pub enum Kind {
    /// A state file of this format.
    Ours,
    /// Empty, or with part of the first line alone.
    New,
    /// Written by a later version.
    Newer,
    Other,
}

pub fn kind(start: &[u8]) -> Kind {
    let line = &start[..start.len().min(HEADER.len())];
    if line == HEADER {
        return Kind::Ours;
    }
    if HEADER.starts_with(start) {
        return Kind::New;
    }
    let rest = line.strip_prefix(NAME).unwrap_or(b"");
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match digits > 0 && rest[0] != b'0' {
        true => Kind::Newer,
        false => Kind::Other,
    }
}

/// The CRC-32 of zlib and PNG (ISO 3309), eight bytes at a time: each table has the effect of a
/// byte that so many others follow.
fn crc32(bytes: &[u8]) -> u32 {
    let (eights, rest) = bytes.as_chunks::<8>();
    let crc = eights.iter().fold(!0, |crc, eight| {
        let mixed = (u64::from_le_bytes(*eight) ^ u64::from(crc)).to_le_bytes();
        let looked_up = mixed.iter().zip(TABLES.iter().rev());
        looked_up.fold(0, |sum, (&byte, table)| sum ^ table[usize::from(byte)])
    });
    let step = |crc: u32, &byte: &u8| TABLES[0][usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    !rest.iter().fold(crc, step)
}

static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 64 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
            if bit % 8 == 0 {
                tables[bit / 8 - 1][byte] = crc;
            }
        }
        byte += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::key::Key;
    use proptest::prelude::*;

    fn step(name: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let start = begin(&mut out);
        record::encode(&Change::TakeFamily(Key::of(name)), &mut out);
        end(&mut out, start);
        out
    }

    #[test]
    fn the_check_value_of_crc_32() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
        assert_eq!(crc32(b"The quick brown fox jumps over the lazy dog"), 0x414f_a339);
    }

    #[test]
    fn steps_and_marks_are_read_back() {
        let mut out = step("a");
        mark(&mut out, 47);
        let change = Change::TakeFamily(Key::of("a"));
        assert_eq!(read(&out), Frame::Step(vec![change], 29));
        assert_eq!(read(&out[29..]), Frame::Mark(47, 17));
        assert_eq!(read(&out[46..]), Frame::Partial);
        assert_eq!(largest_mark(&out), Some(47));
        assert_eq!(largest_mark(&out[..45]), None);
    }

    #[test]
    fn an_empty_frame_disappears() {
        let mut out = b"x".to_vec();
        let start = begin(&mut out);
        end(&mut out, start);
        assert_eq!(out, b"x");
        assert_eq!(read(&[0; 64]), Frame::Bad);
    }

    #[test]
    fn every_cut_is_partial_and_every_flipped_bit_shows() {
        let whole = step("a");
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), Frame::Partial);
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(read(&flipped), Frame::Bad | Frame::Partial), "{bit}");
        }
    }

    #[test]
    fn a_file_is_known_by_its_first_line() {
        for (start, expected) in [
            (&b""[..], Kind::New),
            (b"oauth2d st", Kind::New),
            (b"oauth2d state 1", Kind::New),
            (b"oauth2d state 1\n", Kind::Ours),
            (b"oauth2d state 1\n\x01", Kind::Ours),
            (b"oauth2d state 2\n", Kind::Newer),
            (b"oauth2d state 12\n", Kind::Newer),
            (b"oauth2d state 01\n", Kind::Other),
            (b"oauth2d state x\n", Kind::Other),
            (b"#!/bin/sh", Kind::Other),
        ] {
            assert_eq!(kind(start), expected, "{start:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = (read(&bytes), largest_mark(&bytes), kind(&bytes));
        }
    }
}
