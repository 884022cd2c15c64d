//! Explained steps: what was checked and done for a request, one after another, for the log or the
//! client that asks for them.
//!
//!     client application, by HTTP Basic (RFC 6749, section 2.3.1)
//!     its grants include password (RFC 6749, section 5.2)
//!     failed: the user's password is right (RFC 6749, section 5.2)
//!
//! [`Known::must`] and its neighbours add a step for each rule that holds, [`Known::did`] for what
//! is done. The last step is the rule that failed, taken from the refusal. No step names a secret,
//! a token or a code, nor anything of the request that is not in the configuration.

use std::cell::RefCell;
use std::fmt::{Arguments, Display};

use super::{Known, OAuthError, Rule};
use crate::encode::form::{Form, push_escaped};

/// The most steps of a request, and the most bytes of a step.
const STEPS: usize = 40;
const LENGTH: usize = 200;

/// The steps of one request, in order.
#[derive(Default)]
pub struct Steps(RefCell<Vec<String>>);

impl Steps {
    /// Adds `what (source)`, in printable ASCII.
    #[cold]
    fn add(&self, what: impl Display, source: &str) {
        let mut steps = self.0.borrow_mut();
        if steps.len() < STEPS {
            let end = format!(" ({source})");
            let mut step = printable(&what.to_string());
            step.truncate(LENGTH.saturating_sub(end.len()));
            steps.push(step + &end);
        }
    }

    /// All steps; if the request was refused, the rule that failed is the last.
    pub fn finish(&self, refusal: Option<&OAuthError>) -> Vec<String> {
        if let Some(error) = refusal {
            self.0.borrow_mut().truncate(STEPS - 1);
            match &error.checked {
                Some(checked) => self.add(format_args!("failed: {checked}"), error.source),
                None => self.add(format_args!("refused: {}", error.description), error.source),
            }
        }
        self.0.take()
    }
}

/// `text` with each byte that is not printable ASCII as `%` and two digits.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' => printable.push(char::from(byte)),
            _ => push_escaped(&mut printable, byte),
        }
    }
    printable
}

impl Known<'_> {
    /// Refuses the request unless the rule holds.
    #[inline(always)]
    pub fn must(&self, holds: bool, rule: Rule) -> Result<(), OAuthError> {
        match holds {
            true => {
                self.checked(rule);
                Ok(())
            }
            false => Err(rule.error()),
        }
    }

    /// The same for a rule with `{}` in its text, the place for a name.
    #[inline(always)]
    pub fn must_with(&self, holds: bool, rule: Rule, name: &str) -> Result<(), OAuthError> {
        if !holds {
            return Err(rule.error_with(name));
        }
        if let Some(steps) = self.steps {
            steps.add(rule.checked.replace("{}", name), rule.source);
        }
        Ok(())
    }

    /// Refuses the request unless the rule's subject was found.
    #[inline(always)]
    pub fn must_find<T>(&self, found: Option<T>, rule: Rule) -> Result<T, OAuthError> {
        match found {
            Some(found) => {
                self.checked(rule);
                Ok(found)
            }
            None => Err(rule.error()),
        }
    }

    /// A required parameter.
    #[inline(always)]
    pub fn required<'f>(
        &self,
        form: &'f Form,
        name: &'static str,
        source: &'static str,
    ) -> Result<&'f str, OAuthError> {
        let value = form.get(name).ok_or_else(|| OAuthError::missing(name, source))?;
        self.did(format_args!("the parameter {name} is present"), source);
        Ok(value)
    }

    /// Refuses a form that repeats a known parameter.
    #[inline(always)]
    pub fn must_be_once(&self, form: &Form, source: &'static str) -> Result<(), OAuthError> {
        match form.repeated() {
            Some(name) => Err(OAuthError::repeated(name, source)),
            None => {
                self.did(format_args!("no parameter is repeated"), source);
                Ok(())
            }
        }
    }

    /// Adds a step for a rule that holds.
    #[inline(always)]
    pub fn checked(&self, rule: Rule) {
        if let Some(steps) = self.steps {
            steps.add(rule.checked, rule.source);
        }
    }

    /// Adds a step for what was done or found.
    #[inline(always)]
    pub fn did(&self, what: Arguments, source: &str) {
        if let Some(steps) = self.steps {
            steps.add(what, source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::ErrorCode;

    #[test]
    fn steps_are_printable_short_and_few() {
        let steps = Steps::default();
        steps.add("a\r\né\u{7f}~%", "RFC 6749, section 3.3");
        steps.add("é".repeat(500), "RFC 6749, section 3.3");
        for _ in 0..100 {
            steps.add("more", "RFC 6749, section 3.3");
        }
        let error = OAuthError::new(ErrorCode::InvalidScope, "so it is", "RFC 6749, section 5.2");
        let told = steps.finish(Some(&error));
        assert_eq!(told[0], "a%0D%0A%C3%A9%7F~% (RFC 6749, section 3.3)");
        assert_eq!(told[1].len(), LENGTH);
        assert!(told[1].ends_with(" (RFC 6749, section 3.3)"));
        assert_eq!(told.len(), STEPS);
        assert_eq!(told[STEPS - 1], "refused: so it is (RFC 6749, section 5.2)");
    }
}
