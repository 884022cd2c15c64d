//! Writing JSON (RFC 8259).

use super::{decimal, hex};

/// A JSON object under construction. Its members keep the order in which they are added.
pub struct Object(String);

impl Object {
    pub fn new() -> Object {
        // Enough for a token response, so that there is one allocation.
        let mut text = String::with_capacity(192);
        text.push('{');
        Object(text)
    }

    pub fn string(mut self, name: &str, value: &str) -> Object {
        self.name(name);
        push_string(&mut self.0, value);
        self
    }

    pub fn number(mut self, name: &str, value: u64) -> Object {
        self.name(name);
        decimal::push(&mut self.0, value);
        self
    }

    pub fn boolean(mut self, name: &str, value: bool) -> Object {
        self.name(name);
        self.0.push_str(if value { "true" } else { "false" });
        self
    }

    /// A list of strings, left out if it is empty.
    pub fn strings<T: AsRef<str>>(
        mut self,
        name: &str,
        values: impl IntoIterator<Item = T>,
    ) -> Object {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return self;
        }
        self.name(name);
        let mut before = '[';
        for value in values {
            self.0.push(before);
            push_string(&mut self.0, value.as_ref());
            before = ',';
        }
        self.0.push(']');
        self
    }

    pub fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        // Names are our own, with nothing to escape in them.
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
    }
}

/// Appends `value` as a JSON string, quotes included.
pub fn push_string(text: &mut String, value: &str) {
    text.push('"');
    // Without an early exit, so that the compiler can check many bytes at a time.
    match value.bytes().fold(false, |found, b| found | is_special(b)) {
        true => push_escaped(text, value),
        false => text.push_str(value),
    }
    text.push('"');
}

#[cold]
fn push_escaped(text: &mut String, mut rest: &str) {
    // Special characters are ASCII, so the text can be cut before and after them.
    while let Some(at) = rest.bytes().position(is_special) {
        text.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            control => {
                text.push_str("\\u00");
                text.push_str(&hex::encode(&[control]));
            }
        }
        rest = &rest[at + 1..];
    }
    text.push_str(rest);
}

fn is_special(b: u8) -> bool {
    b < b' ' || b == b'"' || b == b'\\' || b == 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order() {
        let object = Object::new()
            .string("token_type", "bearer")
            .number("expires_in", 3600)
            .boolean("active", true)
            .strings("scopes", ["read", "write"])
            .strings("none", [""; 0])
            .finish();
        assert_eq!(
            object,
            r#"{"token_type":"bearer","expires_in":3600,"active":true,"scopes":["read","write"]}"#
        );
        assert_eq!(Object::new().finish(), "{}");
    }

    #[test]
    fn strings_are_escaped() {
        let mut text = String::new();
        push_string(&mut text, "a\"b\\c\n\r\u{0}\u{7f}é");
        assert_eq!(text, "\"a\\\"b\\\\c\\n\\u000d\\u0000\\u007fé\"");
    }
}
