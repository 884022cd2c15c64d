//! From text to sections: `[kind name]`, and `key = value` below it. Which kinds and keys exist is
//! not known here.

use super::Finding;

/// `[kind name]` and the lines below it.
#[derive(Debug)]
pub struct Section {
    pub line: usize,
    /// The first word between the brackets.
    pub kind: String,
    /// The rest between the brackets.
    pub name: String,
    pub entries: Vec<Entry>,
    /// The header has a fault, which has been reported.
    pub is_told: bool,
    /// A line below has no readable key, which has been reported. It may have been any key.
    pub has_unreadable: bool,
}

/// `key = value`.
#[derive(Debug)]
pub struct Entry {
    pub line: usize,
    pub key: String,
    /// The value without its quotes, or what is wrong with it, as the end of a sentence that begins
    /// with the key.
    pub value: Result<String, &'static str>,
}

const NO_UTF8_LINE: &str = "the line is not UTF-8; save the file as UTF-8";
const NO_UTF8_VALUE: &str = "is not UTF-8; save the file as UTF-8";

impl Section {
    /// A section without lines, as if it were at `line`.
    pub fn empty(line: usize, kind: &str) -> Section {
        Section {
            line,
            kind: kind.into(),
            name: String::new(),
            entries: Vec::new(),
            is_told: false,
            has_unreadable: false,
        }
    }
}

/// Splits the text into sections, and reports what is not part of one. A line whose meaning can be
/// guessed is in the sections, too, so that nothing is reported missing because of it.
pub fn parse(text: &[u8]) -> (Vec<Section>, Vec<Finding>) {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut sections: Vec<Section> = Vec::new();
    let mut faults = Vec::new();
    for (at, bytes) in text.split(|&b| b == b'\n').enumerate() {
        let line = at + 1;
        let lossy = String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(bytes));
        let is_utf8 = matches!(lossy, std::borrow::Cow::Borrowed(_));
        let content = lossy.trim_matches(is_blank);
        let fault = match content.chars().next() {
            None => None,
            Some('#' | ';') => (!is_utf8).then_some(NO_UTF8_LINE),
            Some('[') => {
                let (section, fault) = header(content, line, is_utf8);
                sections.push(section);
                fault
            }
            Some(_) => keep(content, line, is_utf8, sections.last_mut()),
        };
        faults.extend(fault.map(|what| Finding { line: Some(line), what: what.into() }));
    }
    (sections, faults)
}

pub fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

fn header(content: &str, line: usize, is_utf8: bool) -> (Section, Option<&'static str>) {
    let end = content.rfind(']');
    let inner = content[1..end.unwrap_or(content.len())].trim_matches(is_blank);
    let (kind, name) = inner.split_once(is_blank).unwrap_or((inner, ""));
    let name = name.trim_matches(is_blank);
    let fault = if !is_utf8 {
        Some(NO_UTF8_LINE)
    } else if end != Some(content.len() - 1) {
        Some("a section's line must end with ]; put a comment on a line of its own")
    } else if name.chars().any(char::is_control) {
        Some("the section's name has a control character; leave it out")
    } else {
        None
    };
    let is_told = fault.is_some();
    (Section { name: name.into(), is_told, ..Section::empty(line, kind) }, fault)
}

/// Adds `key = value` to its section.
fn keep(
    content: &str,
    line: usize,
    is_utf8: bool,
    section: Option<&mut Section>,
) -> Option<&'static str> {
    let Some(section) = section else {
        return Some("this is not in a section; put it below one, such as [server]");
    };
    let Some((key, value)) = content.split_once('=') else {
        section.has_unreadable = true;
        return Some(match is_utf8 {
            true => "a line must be a [section], KEY = VALUE, or a comment that starts with #",
            false => NO_UTF8_LINE,
        });
    };
    let value = match is_utf8 {
        true => unquoted(value.trim_matches(is_blank)).map(String::from),
        false => Err(NO_UTF8_VALUE),
    };
    section.entries.push(Entry { line, key: key.trim_matches(is_blank).into(), value });
    None
}

fn unquoted(value: &str) -> Result<&str, &'static str> {
    if let Some(rest) = value.strip_prefix('"') {
        return rest.strip_suffix('"').ok_or("begins with a double quote and must end with one");
    }
    // So that a comment never becomes part of a secret.
    let has_comment = [" #", " ;", "\t#", "\t;"].iter().any(|mark| value.contains(mark));
    match has_comment || value.starts_with(['#', ';']) {
        true => Err("has a # or ; after a blank; put a comment on a line of its own, and a value \
                     with these in it between double quotes"),
        false => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each section as `kind/name`, then its `key=value` or `key!`.
    fn shown(text: &[u8]) -> (String, Vec<usize>) {
        let (sections, faults) = parse(text);
        let mut shown = Vec::new();
        for section in sections {
            shown.push(format!("{}/{}", section.kind, section.name));
            shown.extend(section.entries.iter().map(|entry| match &entry.value {
                Ok(value) => format!("{}={value}", entry.key),
                Err(_) => format!("{}!", entry.key),
            }));
        }
        (shown.join(" "), faults.iter().map(|fault| fault.line.unwrap()).collect())
    }

    #[test]
    fn sections_keys_comments_and_line_ends() {
        let text = "\u{feff}[server]\r\n# a = b\r\n; c\r\n\r\nlisten=a:1\r\n [ client  my app ] \n\
                    \tgrants\t=\tpassword refresh_token \nempty =\n";
        let expected =
            "server/ listen=a:1 client/my app grants=password refresh_token empty=".to_string();
        assert_eq!(shown(text.as_bytes()), (expected, vec![]));
    }

    #[test]
    fn values_in_quotes_are_literal() {
        for (value, expected) in [
            ("\"a # b ; c\"", "a # b ; c"),
            ("\"\"a\"\"", "\"a\""),
            ("\" a \"", " a "),
            ("a\"b", "a\"b"),
            ("a#b", "a#b"),
            ("\"\"", ""),
        ] {
            assert_eq!(unquoted(value), Ok(expected));
        }
        for value in ["\"a", "\"", "a # b", "a\t;b", "# a", "\"a\" # b"] {
            assert!(unquoted(value).is_err(), "{value}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_once_and_kept_as_far_as_it_goes() {
        for (text, expected, faults) in [
            (&b"[server"[..], "server/", vec![1]),
            (b"[client a] # c", "client/a", vec![1]),
            (b"[client a\x01]", "client/a\x01", vec![1]),
            (b"[client \xff]", "client/\u{fffd}", vec![1]),
            (b"a = b\n[server]", "server/", vec![1]),
            (b"[server]\nlisten", "server/", vec![2]),
            // Whoever takes the key reports its value.
            (b"[user a]\npassword = \xff", "user/a password!", vec![]),
            (b"[user a]\npassword = a ;b", "user/a password!", vec![]),
            (b"[user a]\n\xff", "user/a", vec![2]),
            (b"[user a]\n# \xff = a", "user/a", vec![2]),
        ] {
            assert_eq!(shown(text), (expected.into(), faults));
        }
    }
}
