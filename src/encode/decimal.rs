//! Decimal digits.
//!
//! `format!` can do far more, at ten times the cost. A log line has a dozen numbers, and every
//! answer has some.

/// Appends the digits of `value`.
pub fn push(text: &mut String, value: u64) {
    each_digit(value, &mut |digit| text.push(char::from(digit)));
}

/// Calls `take` with each digit of `value`, the first one first.
pub fn each_digit(value: u64, take: &mut impl FnMut(u8)) {
    if value > 9 {
        each_digit(value / 10, take);
    }
    take(b'0' + (value % 10) as u8);
}

/// Writes as many of the last digits of `value` as there is room for, with leading zeros.
pub fn put(room: &mut [u8], mut value: u64) {
    for digit in room.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length() {
        for value in [0, 9, 10, 99, 100, 1234567890, u64::MAX] {
            let mut text = String::new();
            push(&mut text, value);
            assert_eq!(text, value.to_string());
        }
    }

    #[test]
    fn numbers_of_a_given_width() {
        let mut text = *b"....";
        put(&mut text[..3], 7);
        assert_eq!(&text, b"007.");
        put(&mut text[2..], 2026);
        assert_eq!(&text, b"0026");
    }
}
