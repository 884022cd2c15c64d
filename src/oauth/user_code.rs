//! The code that a user types to find a device's request (RFC 8628, section 6.1).

use std::fmt;

use super::token::random_bytes;

/// Twenty consonants: they form no words, and none looks like another (RFC 8628, section 6.1).
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// Eight letters, some 34 bits. That is enough because wrong ones are counted (RFC 8628, section
/// 5.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserCode([u8; 8]);

impl UserCode {
    pub fn random() -> UserCode {
        let mut letters = [0; 8];
        let mut filled = 0;
        while filled < letters.len() {
            // Bytes of 240 or more would make some letters likelier than others.
            for byte in random_bytes::<16>().into_iter().filter(|&byte| byte < 240) {
                if filled < letters.len() {
                    letters[filled] = ALPHABET[usize::from(byte % 20)];
                    filled += 1;
                }
            }
        }
        UserCode(letters)
    }

    /// Reads what the user typed; case, blanks and hyphens do not matter (RFC 8628, section 6.1).
    pub fn parse(text: &str) -> Option<UserCode> {
        let mut letters = text
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(|c| c.to_ascii_uppercase());
        let mut code = [0; 8];
        for letter in &mut code {
            *letter = u8::try_from(letters.next()?).ok().filter(|c| ALPHABET.contains(c))?;
        }
        letters.next().is_none().then_some(UserCode(code))
    }

    /// The form that is shown, `WDJB-MJHT`.
    pub fn reveal(&self) -> String {
        let letters = self.0.map(char::from);
        let (first, second) = letters.split_at(4);
        first.iter().chain(&['-']).chain(second).collect()
    }
}

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("UserCode")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_code_is_easy_to_type() {
        let code = UserCode::random();
        let shown = code.reveal();
        assert_eq!((shown.len(), &shown[4..5]), (9, "-"));
        for typed in [
            shown.to_lowercase(),
            shown.replace('-', ""),
            format!(" {} ", shown.replace('-', " - ")),
        ] {
            assert_eq!(UserCode::parse(&typed), Some(code));
        }
        for wrong in ["", "WDJB", "WDJB-MJHA", "WDJB-MJHTT", "WDJB-MJH\u{17f}", "WDJB_MJHT"] {
            assert_eq!(UserCode::parse(wrong), None, "{wrong}");
        }
        assert_eq!(format!("{code:?}"), "UserCode");
    }
}
