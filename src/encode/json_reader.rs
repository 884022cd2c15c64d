//! Reading JSON (RFC 8259), which only the requests for registration contain.
//!
//! A text is checked as a whole, and its parts are then read in place. Only strings with escapes
//! are copied, so what a stranger sends takes no more memory than its own length.

use std::borrow::Cow;

/// How deeply objects and lists may be nested: more than any registration has, and a limit on the
/// stack.
const DEPTH: usize = 32;

/// A well-formed value, as it was written, without blanks around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value<'a>(&'a str);

impl<'a> Value<'a> {
    /// Reads a text that is one value and nothing else; `None` if it is not JSON, or nested too
    /// deeply.
    pub fn read(bytes: &'a [u8]) -> Option<Value<'a>> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (value, rest) = value(text, DEPTH)?;
        skip_blanks(rest).is_empty().then_some(value)
    }

    /// The names and values of an object, in its order; `None` for other kinds.
    pub fn members(self) -> Option<impl Iterator<Item = (Cow<'a, str>, Value<'a>)>> {
        let mut rest = self.0.strip_prefix('{')?;
        Some(std::iter::from_fn(move || {
            let (name, value, after) = next_member(rest, DEPTH)?;
            rest = skip_blanks(after).strip_prefix(',').unwrap_or("");
            Some((name.string()?, value))
        }))
    }

    /// The values of a list; `None` for other kinds.
    pub fn items(self) -> Option<impl Iterator<Item = Value<'a>> + Clone> {
        let mut rest = self.0.strip_prefix('[')?;
        Some(std::iter::from_fn(move || {
            let (item, after) = value(rest, DEPTH)?;
            rest = skip_blanks(after).strip_prefix(',').unwrap_or("");
            Some(item)
        }))
    }

    /// The text of a string; `None` for other kinds.
    pub fn string(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        match inner.contains('\\') {
            false => Some(Cow::Borrowed(inner)),
            true => unescaped(inner).map(Cow::Owned),
        }
    }

    pub fn is_null(self) -> bool {
        self.0 == "null"
    }
}

/// "Insignificant whitespace is allowed before or after any of the six structural characters"
/// (RFC 8259, section 2).
fn skip_blanks(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\n', '\r'])
}

/// The value at the beginning of a text, and what follows it.
fn value(text: &str, depth: usize) -> Option<(Value<'_>, &str)> {
    let text = skip_blanks(text);
    let rest = match text.bytes().next()? {
        b'{' => object(&text[1..], depth.checked_sub(1)?),
        b'[' => list(&text[1..], depth.checked_sub(1)?),
        b'"' => string(&text[1..]),
        b'-' | b'0'..=b'9' => number(text),
        _ => ["null", "true", "false"].into_iter().find_map(|word| text.strip_prefix(word)),
    }?;
    Some((Value(&text[..text.len() - rest.len()]), rest))
}

/// What follows an object whose opening brace has been read.
fn object(mut text: &str, depth: usize) -> Option<&str> {
    if let Some(rest) = skip_blanks(text).strip_prefix('}') {
        return Some(rest);
    }
    loop {
        let (_, _, rest) = next_member(text, depth)?;
        match skip_blanks(rest).split_at_checked(1)? {
            (",", rest) => text = rest,
            ("}", rest) => return Some(rest),
            _ => return None,
        }
    }
}

/// A name, a colon and a value.
fn next_member(text: &str, depth: usize) -> Option<(Value<'_>, Value<'_>, &str)> {
    let text = skip_blanks(text);
    let rest = string(text.strip_prefix('"')?)?;
    let name = Value(&text[..text.len() - rest.len()]);
    let (value, rest) = value(skip_blanks(rest).strip_prefix(':')?, depth)?;
    Some((name, value, rest))
}

/// What follows a list whose opening bracket has been read.
fn list(mut text: &str, depth: usize) -> Option<&str> {
    if let Some(rest) = skip_blanks(text).strip_prefix(']') {
        return Some(rest);
    }
    loop {
        let (_, rest) = value(text, depth)?;
        match skip_blanks(rest).split_at_checked(1)? {
            (",", rest) => text = rest,
            ("]", rest) => return Some(rest),
            _ => return None,
        }
    }
}

/// What follows a string whose opening quote has been read (RFC 8259, section 7).
fn string(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        let at = rest.find(|c: char| c < ' ' || c == '"' || c == '\\')?;
        match rest.as_bytes()[at] {
            b'"' => return Some(&rest[at + 1..]),
            b'\\' => rest = escape(&rest[at + 1..])?.1,
            _ => return None,
        }
    }
}

/// The character that an escape stands for, and what follows it; the backslash has been read.
fn escape(text: &str) -> Option<(char, &str)> {
    let mut rest = text.chars();
    let character = match rest.next()? {
        quoted @ ('"' | '\\' | '/') => quoted,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return escaped_unit(rest.as_str()),
        _ => return None,
    };
    Some((character, rest.as_str()))
}

/// Four digits or, for a character outside the Basic Multilingual Plane, twice four: a UTF-16
/// surrogate pair. Half a pair is not a character.
fn escaped_unit(text: &str) -> Option<(char, &str)> {
    let (first, rest) = four_digits(text)?;
    let pair = rest.strip_prefix("\\u").and_then(four_digits);
    match (first, pair) {
        (0xd800..=0xdbff, Some((second @ 0xdc00..=0xdfff, rest))) => {
            let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            Some((char::from_u32(code)?, rest))
        }
        _ => Some((char::from_u32(first)?, rest)),
    }
}

fn four_digits(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(digits, 16).ok().map(|unit| (unit, rest)))?
}

fn unescaped(mut text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    while let Some((before, rest)) = text.split_once('\\') {
        let (character, rest) = escape(rest)?;
        out.push_str(before);
        out.push(character);
        text = rest;
    }
    out.push_str(text);
    Some(out)
}

/// What follows a number (RFC 8259, section 6).
fn number(text: &str) -> Option<&str> {
    let text = text.strip_prefix('-').unwrap_or(text);
    // "Leading zeros are not allowed."
    let mut rest = text.strip_prefix('0').or_else(|| digits(text))?;
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = digits(fraction)?;
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        rest = digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))?;
    }
    Some(rest)
}

/// What follows one digit or more.
fn digits(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < text.len()).then_some(rest)
}

#[cfg(test)]
mod tests;
