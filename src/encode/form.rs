//! `application/x-www-form-urlencoded` (WHATWG URL, section 5), the format of OAuth's
//! requests (RFC 6749, appendix B).
//!
//! Browsers guess what a malformed escape means. A server that checks passwords should not, so here
//! it is an error.

use std::borrow::Cow;

/// An escape that is not `%` and two hexadecimal digits, or escaped bytes that are not UTF-8.
#[derive(Debug, PartialEq)]
pub struct Malformed;

/// The pairs of a form or a query, decoded, in their order. Empty pieces between `&` are skipped.
pub fn pairs(text: &str) -> impl Iterator<Item = Result<Pair<'_>, Malformed>> {
    text.split('&').filter(|piece| !piece.is_empty()).map(|piece| {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        Ok((decode(name)?, decode(value)?))
    })
}

/// The one parameter that may appear more than once (RFC 8707, section 2).
const MAY_REPEAT: &str = "resource";
/// How many different values of it are kept.
const MOST: usize = 16;

/// A decoded name and value.
pub type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The parameters of a request that an endpoint knows. Others are not kept, so a form takes no more
/// memory than its bytes.
pub struct Form<'a> {
    values: Vec<(&'static str, Cow<'a, str>)>,
    repeated: Option<&'static str>,
}

impl<'a> Form<'a> {
    /// Reads the parameters `known` from `text`. If one is repeated that must not be, its first
    /// value is kept.
    pub fn parse(text: &'a str, known: &[&'static str]) -> Result<Form<'a>, Malformed> {
        let mut form = Form { values: Vec::new(), repeated: None };
        for pair in pairs(text) {
            let (name, value) = pair?;
            let Some(&name) = known.iter().find(|&&known| known == name) else {
                continue;
            };
            let may_repeat = name == MAY_REPEAT;
            if may_repeat && (value.is_empty() || form.all(name).any(|kept| kept == value)) {
                continue;
            }
            let seen = form.values.iter().filter(|(seen, _)| *seen == name).count();
            if seen < if may_repeat { MOST } else { 1 } {
                form.values.push((name, value));
            } else {
                form.repeated.get_or_insert(name);
            }
        }
        Ok(form)
    }

    /// The value of `name`; an empty one counts as absent (RFC 6749, section 3.2).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs().find_map(|(n, value)| (n == name).then_some(value))
    }

    /// The different values of the parameter that may appear more than once.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs().filter_map(move |(n, value)| (n == name).then_some(value))
    }

    /// Every parameter that has a value.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values
            .iter()
            .map(|(name, value)| (*name, value.as_ref()))
            .filter(|(_, value)| !value.is_empty())
    }

    /// The first parameter that was repeated, which is not allowed (RFC 6749, sections 3.1 and
    /// 3.2).
    pub fn repeated(&self) -> Option<&'static str> {
        self.repeated
    }
}

/// Decodes one name or value.
pub fn decode(text: &str) -> Result<Cow<'_, str>, Malformed> {
    if !text.bytes().any(|b| matches!(b, b'%' | b'+')) {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex_digit(rest.next())? << 4 | hex_digit(rest.next())?,
            plain => plain,
        });
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| Malformed)
}

fn hex_digit(c: Option<u8>) -> Result<u8, Malformed> {
    let value = c.and_then(|c| char::from(c).to_digit(16));
    value.map(|value| value as u8).ok_or(Malformed)
}

/// Appends `value`, escaping all but unreserved characters (RFC 3986, section 2.3): that is right
/// in a form, in a query and in a path.
pub fn push_encoded(text: &mut String, value: &str) {
    for &byte in value.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            push_escaped(text, byte);
        }
    }
}

/// Appends `%` and the two digits of `byte`.
pub fn push_escaped(text: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    text.push(char::from(DIGITS[usize::from(byte >> 4)]));
    text.push(char::from(DIGITS[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KNOWN: &[&str] = &["a", "b"];

    #[test]
    fn known_parameters_are_decoded_and_others_ignored() {
        let form = Form::parse("a=1+2%263&&c=%C3%A9&c=5&b", KNOWN).unwrap();
        assert_eq!(form.get("a"), Some("1 2&3"));
        assert_eq!(form.get("b"), None);
        assert_eq!(form.get("c"), None);
        assert_eq!(form.repeated(), None);
    }

    #[test]
    fn a_repeated_parameter_is_told_even_where_one_is_empty() {
        for text in ["a=1&a=2", "a=&a=1", "a=1&a", "%61=1&a=1"] {
            let form = Form::parse(text, KNOWN).unwrap();
            assert_eq!(form.repeated(), Some("a"), "{text}");
        }
    }

    #[test]
    fn a_resource_may_be_there_again_and_counts_once() {
        let text = "resource=a&resource=&resource=b&resource=%61&a=1";
        let form = Form::parse(text, &["a", "resource"]).unwrap();
        assert_eq!(form.all("resource").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((form.get("resource"), form.repeated()), (Some("a"), None));
        // A stranger cannot fill the memory with them.
        let many: String = (0..1000).map(|at| format!("resource={at}&resource=&")).collect();
        let form = Form::parse(&many, &["resource"]).unwrap();
        assert_eq!((form.all("resource").count(), form.repeated()), (MOST, Some("resource")));
    }

    #[test]
    fn malformed_escapes_are_errors() {
        for text in ["a=%", "a=%4", "a=%zz", "a=%+1", "%=1", "x=%ff", "a=\u{fffd}%C3"] {
            assert_eq!(Form::parse(text, KNOWN).err(), Some(Malformed), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_decodes_or_fails_without_a_panic(text: String) {
            let _ = Form::parse(&text, KNOWN);
        }

        #[test]
        fn what_is_encoded_decodes_to_itself(value: String) {
            let mut encoded = String::new();
            push_encoded(&mut encoded, &value);
            prop_assert_eq!(decode(&encoded).unwrap(), value);
        }
    }
}
