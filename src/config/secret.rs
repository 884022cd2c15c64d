//! The four forms of a secret: in plain text (`secret`), in a file (`secret_file`), as a hash
//! (`secret_hash`), and in the environment (`secret_env`).

use super::Outside;
use super::keys::{Keys, Value};
use crate::oauth::secret::{ITERATIONS, Secret, StoredSecret, without_line_end};

/// The keys of a secret.
pub struct Forms {
    pub plain: &'static str,
    pub file: &'static str,
    /// `None` where the secret itself is needed.
    pub hash: Option<&'static str>,
    pub environment: &'static str,
}

/// A client's.
pub const SECRET: Forms = Forms {
    plain: "secret",
    file: "secret_file",
    hash: Some("secret_hash"),
    environment: "secret_env",
};

/// A client's previous one, while it is being changed.
pub const PREVIOUS_SECRET: Forms = Forms {
    plain: "previous_secret",
    file: "previous_secret_file",
    hash: Some("previous_secret_hash"),
    environment: "previous_secret_env",
};

/// A user's.
pub const PASSWORD: Forms = Forms {
    plain: "password",
    file: "password_file",
    hash: Some("password_hash"),
    environment: "password_env",
};

/// The server's own, for the engine.
pub const STORE_PASSWORD: Forms = Forms {
    plain: "store_password",
    file: "store_password_file",
    hash: None,
    environment: "store_password_env",
};

/// A client's secret, with the previous one if there is one.
pub fn of_client(keys: &mut Keys, outside: &Outside) -> Option<Given> {
    let current = SECRET.take(keys, outside);
    let previous = PREVIOUS_SECRET.take(keys, outside);
    match (current, previous) {
        (Some(Given { line, secret }), Some(previous)) => {
            let secret = StoredSecret::Changing(Box::new([secret, previous.secret]));
            Some(Given { line, secret })
        }
        (None, Some(previous)) if !SECRET.is_in(keys) => {
            let what = "previous_secret stands beside the secret that follows it; add that, or \
                        call this one secret";
            keys.fault(previous.line, what);
            None
        }
        (current, _) => current,
    }
}

/// A secret, and its line.
#[derive(Debug)]
pub struct Given {
    pub line: usize,
    pub secret: StoredSecret,
}

type Read = fn(&mut Keys, &'static str, &Value, &Outside) -> Option<StoredSecret>;

impl Forms {
    /// Takes whichever form is there.
    pub fn take(&self, keys: &mut Keys, outside: &Outside) -> Option<Given> {
        let forms: [(Option<&'static str>, Read); 4] = [
            (Some(self.plain), in_the_open),
            (Some(self.file), from_file),
            (self.hash, hashed),
            (Some(self.environment), from_environment),
        ];
        let mut given = Vec::new();
        for (key, read) in forms.into_iter().filter_map(|(key, read)| Some((key?, read))) {
            given.extend(keys.take(key).map(|value| (key, read, value)));
        }
        given.sort_by_key(|(_, _, value)| value.line);
        if let [(key, ..), .., (other, _, last)] = given.as_slice() {
            keys.fault(last.line, format!("{other} and {key} are both set; keep one of them"));
            return None;
        }
        let (key, read, value) = given.pop()?;
        let secret = read(keys, key, &value, outside)?;
        Some(Given { line: value.line, secret })
    }

    /// Whether a form is there, perhaps in a line that cannot be read.
    pub fn is_in(&self, keys: &Keys) -> bool {
        let open = [self.plain, self.file, self.environment];
        open.into_iter().chain(self.hash).any(|key| keys.has(key))
    }
}

fn in_the_open(
    keys: &mut Keys,
    key: &'static str,
    value: &Value,
    outside: &Outside,
) -> Option<StoredSecret> {
    if (outside.is_open)(None) {
        let otherwise = match key == STORE_PASSWORD.plain {
            true => "write store_password_file",
            false => "keep a hash (oauth2d --hash)",
        };
        let what = format!(
            "every user of this machine can read {key}; chmod o-r the file, or {otherwise}"
        );
        keys.warn(value.line, what);
    }
    checked(keys, key, value.line, value.text.clone())
}

fn from_file(
    keys: &mut Keys,
    key: &'static str,
    value: &Value,
    outside: &Outside,
) -> Option<StoredSecret> {
    let text = (outside.file)(&value.text)
        .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not UTF-8".into()));
    match text {
        Ok(text) => {
            if (outside.is_open)(Some(&value.text)) {
                let what = format!("every user of this machine can read {key}; chmod o-r it");
                keys.warn(value.line, what);
            }
            // The line end that an editor adds is not part of the secret.
            let line = without_line_end(&text);
            checked(keys, key, value.line, line.into())
        }
        Err(why) => {
            keys.fault(value.line, format!("{key} cannot be read: {why}"));
            None
        }
    }
}

fn hashed(keys: &mut Keys, key: &'static str, value: &Value, _: &Outside) -> Option<StoredSecret> {
    let stored = StoredSecret::parse(&value.text);
    match stored {
        None => {
            let what = "must be sha256$HEX or pbkdf2-sha256$ITERATIONS$SALT$HASH; oauth2d --hash \
                        makes one";
            keys.fault(value.line, format!("{key} {what}"));
        }
        Some(StoredSecret::Pbkdf2 { iterations, .. }) if iterations < ITERATIONS => {
            let what = format!(
                "{key} has {iterations} iterations, and {ITERATIONS} are the least that hold \
                 guessing up; oauth2d --hash makes a new one"
            );
            keys.warn(value.line, what);
        }
        Some(_) => {}
    }
    stored
}

fn from_environment(
    keys: &mut Keys,
    key: &'static str,
    value: &Value,
    outside: &Outside,
) -> Option<StoredSecret> {
    match (outside.environment)(&value.text) {
        Some(text) => checked(keys, key, value.line, text),
        None => {
            let what = "must name an environment variable that is set, to UTF-8 text";
            keys.fault(value.line, format!("{key} {what}"));
            None
        }
    }
}

fn checked(keys: &mut Keys, key: &str, line: usize, text: String) -> Option<StoredSecret> {
    let secret = Secret::new(text);
    if secret.is_empty() {
        keys.fault(line, format!("{key} is empty; write one or leave it out"));
        return None;
    }
    Some(StoredSecret::Plain(secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ini;

    const OUTSIDE: Outside = Outside {
        file: &|name| match name {
            "good" => Ok(b"from file\r\n".to_vec()),
            "two" => Ok(b"a\n\n".to_vec()),
            "empty" => Ok(b"\n".to_vec()),
            "bytes" => Ok(vec![0xff]),
            _ => Err("no such file".into()),
        },
        // The configuration itself.
        is_open: &|name| name.is_none(),
        environment: &|name| (name == "SET").then(|| "from environment".into()),
        folder: &|_| None,
    };

    /// The secret of a client with these lines, and what was reported.
    fn take(lines: &str) -> (Option<StoredSecret>, crate::config::Findings) {
        let (mut sections, _) = ini::parse(format!("[client c]\n{lines}\n").as_bytes());
        let mut keys = Keys::new(sections.remove(0));
        let given = SECRET.take(&mut keys, &OUTSIDE);
        assert!(SECRET.is_in(&keys));
        (given.map(|given| given.secret), keys.findings)
    }

    #[test]
    fn each_form_gives_the_secret() {
        let hash = format!("secret_hash = {}", StoredSecret::hash_random("hashed"));
        for (line, secret) in [
            ("secret = \"a # b\"", "a # b"),
            ("secret_file = good", "from file"),
            ("secret_file = two", "a\n"),
            ("secret_env = SET", "from environment"),
            (&hash, "hashed"),
        ] {
            let (stored, findings) = take(line);
            assert!(stored.unwrap().matches(secret) && findings.faults.is_empty(), "{line}");
        }
    }

    #[test]
    fn what_gives_none_is_a_fault_with_its_line() {
        for (lines, line) in [
            ("secret_file = none", 2),
            ("secret_file = empty", 2),
            ("secret_file = bytes", 2),
            ("secret_env = UNSET", 2),
            ("secret_hash = x", 2),
            ("secret =", 2),
            ("secret = \"\"", 2),
            ("secret = \"a", 2),
            ("secret_file = good\nsecret = s", 3),
            ("secret = s\nsecret_env = SET\nsecret_file = good", 4),
        ] {
            let (stored, findings) = take(lines);
            let told: Vec<_> = findings.faults.iter().map(|fault| fault.line).collect();
            assert!(stored.is_none() && told == [Some(line)], "{lines}: {:?}", findings.faults);
        }
    }

    #[test]
    fn only_what_stands_in_an_open_file_itself_is_warned_of() {
        for (line, is_open) in
            [("secret = s", true), ("secret_file = good", false), ("secret_env = SET", false)]
        {
            assert_eq!(!take(line).1.warnings.is_empty(), is_open, "{line}");
        }
    }
}
