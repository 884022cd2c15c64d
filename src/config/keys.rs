//! A section whose keys are taken out one by one. What is left over in the end is unknown, so no
//! list of keys is needed besides the code that reads them.

use std::ops::RangeInclusive;

use super::ini::{self, is_blank};
use super::nearest::{did_you_mean, nearest};
use super::{Finding, Findings};
use crate::oauth::Scope;

/// The longest time that can be set, in seconds: ten years.
const LONGEST: u64 = 10 * 365 * 86400;

pub struct Keys {
    section: ini::Section,
    /// Each key that was asked for, and the line where it is, or is meant to be.
    asked: Vec<(&'static str, Option<usize>)>,
    pub findings: Findings,
}

/// A value and its line.
pub struct Value {
    pub line: usize,
    pub text: String,
}

impl Keys {
    pub fn new(section: ini::Section) -> Keys {
        Keys { section, asked: Vec::new(), findings: Findings::default() }
    }

    /// The name between the section's brackets.
    pub fn name(&self) -> &str {
        &self.section.name
    }

    /// The line of the section's name.
    pub fn line(&self) -> usize {
        self.section.line
    }

    pub fn fault(&mut self, line: usize, what: impl Into<String>) {
        self.findings.faults.push(Finding { line: Some(line), what: what.into() });
    }

    pub fn warn(&mut self, line: usize, what: impl Into<String>) {
        self.findings.warnings.push(Finding { line: Some(line), what: what.into() });
    }

    /// Takes a value out of the section. One that cannot be read is reported, and counts as none.
    pub fn take(&mut self, key: &'static str) -> Option<Value> {
        let entries = std::mem::take(&mut self.section.entries);
        let (own, others) = entries.into_iter().partition(|entry| entry.key == key);
        self.section.entries = others;
        let mut own = Vec::into_iter(own);
        let first = own.next();
        for again in own {
            self.fault(again.line, format!("{key} appears twice; leave one out"));
        }
        self.asked.push((key, first.as_ref().map(|entry| entry.line)));
        let ini::Entry { line, value, .. } = first?;
        match value {
            Ok(text) => Some(Value { line, text }),
            Err(why) => {
                self.fault(line, format!("{key} {why}"));
                None
            }
        }
    }

    /// Reports what is left over, keys that nobody asked for.
    pub fn end(&mut self) {
        for entry in std::mem::take(&mut self.section.entries) {
            let meant = nearest(&entry.key, self.asked.iter().map(|(key, _)| *key));
            let what = match meant {
                Some(meant) => format!("unknown key {:?}; did you mean {meant}?", entry.key),
                // It may be part of a secret, so it is not repeated.
                None => {
                    let known: Vec<&str> = self.asked.iter().map(|(key, _)| *key).collect();
                    format!("unknown key; the keys are {}", known.join(", "))
                }
            };
            self.fault(entry.line, what);
            for (key, line) in &mut self.asked {
                if Some(*key) == meant {
                    line.get_or_insert(entry.line);
                }
            }
        }
    }

    /// Whether the key is there, or may be what an unreadable or mistyped line was meant to be.
    pub fn has(&self, key: &str) -> bool {
        self.section.has_unreadable || self.place(key).is_some()
    }

    /// Whether there is an unreadable line, which may have been any key.
    pub fn has_unreadable(&self) -> bool {
        self.section.has_unreadable
    }

    /// The line for a fault of this key: its own or, if it is missing, that of the section.
    pub fn line_of(&self, key: &str) -> usize {
        self.place(key).unwrap_or(self.section.line)
    }

    /// The line of a key that was asked for, if it is there.
    pub fn place(&self, key: &str) -> Option<usize> {
        self.asked.iter().find(|(asked, _)| *asked == key).and_then(|(_, line)| *line)
    }

    /// `yes` or `no`; the default is `no`.
    pub fn yes(&mut self, key: &'static str) -> bool {
        let Some(value) = self.take(key) else { return false };
        if !["yes", "no"].contains(&value.text.as_str()) {
            let meant = did_you_mean(&value.text, ["yes", "no"]);
            self.fault(value.line, format!("{key} must be yes or no{meant}"));
        }
        value.text == "yes"
    }

    /// A time that may not be zero.
    pub fn seconds(&mut self, key: &'static str, default: u64) -> u64 {
        self.number(key, 1..=LONGEST, default)
    }

    pub fn number(&mut self, key: &'static str, range: RangeInclusive<u64>, default: u64) -> u64 {
        let Some(value) = self.take(key) else { return default };
        let digits = value.text.bytes().all(|b| b.is_ascii_digit());
        match value.text.parse() {
            Ok(number) if digits && range.contains(&number) => number,
            _ => {
                let (least, most) = (range.start(), range.end());
                let mut what = format!("{key} must be a whole number from {least} to {most}");
                if let Some(number) = nearest_number(&value.text, &range) {
                    what.push_str(&format!("; did you mean {number}?"));
                }
                self.fault(value.line, what);
                default
            }
        }
    }

    /// A list, and its line.
    pub fn words(&mut self, key: &'static str) -> Option<(usize, Vec<String>)> {
        let Value { line, text } = self.take(key)?;
        if text.contains(',') {
            let what = format!(
                "{key} has a comma, which counts as part of a word; separate words with blanks"
            );
            self.warn(line, what);
        }
        let words = text.split(is_blank).filter(|word| !word.is_empty());
        Some((line, words.map(String::from).collect()))
    }

    pub fn scopes(&mut self, key: &'static str) -> Option<Scope> {
        let (line, words) = self.words(key)?;
        let scope = Scope::parse(&words.join(" "));
        if scope.is_err() {
            let what = "has a character that a scope cannot have: a quote, a backslash, or one \
                        outside ASCII";
            self.fault(line, format!("{key} {what}"));
        }
        scope.ok()
    }

    /// A name for people, instead of one for programs.
    pub fn label(&mut self, key: &'static str) -> Option<String> {
        let Value { line, text } = self.take(key)?;
        if text.is_empty() {
            self.fault(line, format!("{key} is empty; write one or leave it out"));
        } else if text.chars().any(char::is_control) {
            self.fault(line, format!("{key} has a control character; leave it out"));
        }
        self.warn_of_quotes(line, key, &text);
        Some(text)
    }

    /// A list of names for people; empty if the key is missing.
    pub fn names(&mut self, key: &'static str) -> Vec<String> {
        let Some((line, words)) = self.words(key) else { return Vec::new() };
        if words.is_empty() {
            self.fault(line, format!("{key} is empty; write one or leave it out"));
        } else if words.iter().any(|word| word.chars().any(char::is_control)) {
            self.fault(line, format!("{key} has a control character; leave it out"));
        }
        words
    }

    /// Warns of quotes in a section's name, where they have no meaning.
    pub fn warn_of_quotes_in_name(&mut self, what: &str) {
        let name = self.section.name.clone();
        self.warn_of_quotes(self.section.line, what, &name);
    }

    fn warn_of_quotes(&mut self, line: usize, what: &str, text: &str) {
        if text.contains('"') {
            let what =
                format!("{what} has a double quote in it, which is part of it; is that intended?");
            self.warn(line, what);
        }
    }
}

/// The number in the range that is nearest to one that is too small or too large.
pub fn nearest_number(text: &str, range: &RangeInclusive<u64>) -> Option<u64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // With too many digits it exceeds any limit.
    let number = if sign { 0 } else { digits.parse().unwrap_or(u64::MAX) };
    Some(number.clamp(*range.start(), *range.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Keys {
        Keys::new(ini::parse(text.as_bytes()).0.remove(0))
    }

    fn told(findings: &[Finding]) -> Vec<(usize, &str)> {
        findings.iter().map(|it| (it.line.unwrap(), it.what.as_str())).collect()
    }

    #[test]
    fn what_nobody_takes_is_unknown() {
        let mut keys = keys("[user a]\npassword = p\nscops = read\nhunter2 = x\npassword = q");
        assert_eq!(keys.take("password").unwrap().text, "p");
        assert!(keys.take("scopes").is_none());
        keys.end();
        assert_eq!(
            told(&keys.findings.faults),
            [
                (5, "password appears twice; leave one out"),
                (3, "unknown key \"scops\"; did you mean scopes?"),
                (4, "unknown key; the keys are password, scopes"),
            ]
        );
        // It counts as what was meant.
        assert!(keys.has("scopes") && !keys.has("name"));
        assert_eq!((keys.line_of("scopes"), keys.line_of("name")), (3, 1));
    }

    #[test]
    fn a_line_that_cannot_be_read_may_have_been_any_key() {
        let mut keys = keys("[user a]\npassword");
        assert!(keys.take("password").is_none());
        keys.end();
        assert!(keys.has("password") && keys.findings.faults.is_empty());
    }

    #[test]
    fn numbers_are_told_with_the_nearest_right_one() {
        for (value, told_end) in [
            ("0", "; did you mean 1?"),
            ("-5", "; did you mean 1?"),
            ("11", "; did you mean 10?"),
            ("99999999999999999999", "; did you mean 10?"),
            ("1.5", ""),
            ("", ""),
            ("+1", ""),
        ] {
            let mut keys = keys(&format!("[server]\nn = {value}"));
            assert_eq!(keys.number("n", 1..=10, 7), 7);
            let expected = format!("n must be a whole number from 1 to 10{told_end}");
            assert_eq!(told(&keys.findings.faults), [(2, expected.as_str())]);
        }
        assert_eq!(keys("[server]\nn = 10").number("n", 1..=10, 7), 10);
    }

    #[test]
    fn lists_are_separated_by_blanks_and_commas_are_warned_of() {
        let mut right = keys("[client a]\nscopes = read\t write");
        assert_eq!(right.scopes("scopes").unwrap().as_str(), "read write");
        let mut keys = keys("[client a]\nscopes = read, write");
        assert_eq!(keys.scopes("scopes").unwrap().as_str(), "read, write");
        assert_eq!(
            told(&keys.findings.warnings),
            [(2, "scopes has a comma, which counts as part of a word; separate words with blanks")]
        );
    }
}
