//! Lowercase hexadecimal digits, the form in which tokens travel.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Appends the digits of `bytes` to `text`.
pub fn push(text: &mut String, bytes: &[u8]) {
    // Many at once: appending each digit alone would cost more than finding it.
    for part in bytes.chunks(32) {
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(part) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        let digits = &digits[..2 * part.len()];
        text.push_str(std::str::from_utf8(digits).expect("digits are ASCII"));
    }
}

/// Reads exactly `2 * N` lowercase digits; anything else, uppercase too, is `None`.
pub fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let mut text = String::new();
        push(&mut text, &[0x00, 0x9f, 0xa0, 0xff]);
        assert_eq!(text, "009fa0ff");
        assert_eq!(decode(text.as_bytes()), Some([0x00, 0x9f, 0xa0, 0xff]));
    }

    #[test]
    fn only_lowercase_digits_of_the_right_number() {
        for text in ["", "0", "00f", "00FF", "0g00", " 000", "00000"] {
            assert_eq!(decode::<2>(text.as_bytes()), None, "{text:?}");
        }
    }
}
