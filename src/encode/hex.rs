//! Lowercase hexadecimal digits, the form in which tokens travel.

/// Appends the digits of `bytes` to `text`.
pub fn push(text: &mut String, bytes: &[u8]) {
    // Many at once: appending each digit alone would cost more than finding it.
    for part in bytes.chunks(32) {
        let mut digits = [[0; 2]; 32];
        for (pair, byte) in digits.iter_mut().zip(part) {
            *pair = [digit(byte >> 4), digit(byte & 15)];
        }
        let digits = digits[..part.len()].as_flattened();
        text.push_str(std::str::from_utf8(digits).expect("digits are ASCII"));
    }
}

/// Reads exactly `2 * N` lowercase digits; anything else, uppercase too, is `None`.
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

/// What a digit is worth, and 16 or more for what is none.
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
