//! Lowercase hexadecimal digits, the form in which tokens travel.

use std::ops::Deref;

/// The digits of `bytes`, two for each.
pub fn encode<const N: usize>(bytes: &[u8; N]) -> Digits<N> {
    Digits(bytes.map(|byte| [digit(byte >> 4), digit(byte & 15)]))
}

/// The text of `N` bytes, which may be secret: it has no `Debug` and no `Display`.
pub struct Digits<const N: usize>([[u8; 2]; N]);

impl<const N: usize> Deref for Digits<N> {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(self.0.as_flattened()).expect("digits are ASCII")
    }
}

/// Reads exactly `2 * N` lowercase digits; `None` for anything else, uppercase digits included.
pub fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_chunks::<2>();
    let pairs: &[[u8; 2]; N] = pairs.try_into().ok().filter(|_| rest.is_empty())?;
    let mut bytes = [0; N];
    let mut seen = 0;
    for (byte, &[high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (value(high), value(low));
        seen |= high | low;
        *byte = high << 4 | low & 15;
    }
    (seen < 16).then_some(bytes)
}

fn digit(value: u8) -> u8 {
    value + if value < 10 { b'0' } else { b'a' - 10 }
}

/// The value of a digit; 16 or more if it is not one.
fn value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => 255,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let text = encode(&[0x00, 0x9f, 0xa0, 0xff]);
        assert_eq!(&*text, "009fa0ff");
        assert_eq!(decode(text.as_bytes()), Some([0x00, 0x9f, 0xa0, 0xff]));
    }

    #[test]
    fn only_lowercase_digits_of_the_right_number() {
        for text in ["", "0", "00f", "00FF", "0g00", " 000", "00000"] {
            assert_eq!(decode::<2>(text.as_bytes()), None, "{text:?}");
        }
    }
}
