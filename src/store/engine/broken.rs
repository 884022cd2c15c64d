//! What can go wrong with an engine, in words for the operator.

use std::io;

/// Why the engine could not do what it was asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Broken {
    /// The connection has ended, or there is none: what the system says. Nobody knows whether the
    /// last step was made.
    Lost(String),
    /// All connections were in use.
    NoTurn,
    /// It has answered with an error of this kind, and done nothing.
    Error(Kind),
}

/// The kind of an error, by its first word. The rest of the engine's message is not shown, since it
/// may repeat what it was sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// It is a replica, is starting, or has lost its primary: its name may belong to another by
    /// now.
    Elsewhere(&'static str),
    /// It refuses us for a reason that will not go away by itself.
    Refused(&'static str),
    /// It accepts no more connections, and has ended this one.
    Full,
    /// It cannot do that at the moment.
    Unable(&'static str),
    /// It has a value under our keys that is not ours.
    Foreign,
    Other,
}

impl Broken {
    /// There was no answer in time.
    pub fn late() -> Broken {
        Broken::Lost("it does not answer in time".into())
    }

    /// It has answered with what no command of ours gets.
    pub fn nonsense() -> Broken {
        Broken::Lost("its answer is not Redis' protocol".into())
    }

    /// Whether it may work on another connection.
    pub fn is_worth_another_try(&self) -> bool {
        matches!(self, Broken::Lost(_) | Broken::Error(Kind::Elsewhere(_)))
    }

    /// Whether the connection is of no more use after it.
    pub fn ends_the_connection(&self) -> bool {
        self.is_worth_another_try() || *self == Broken::Error(Kind::Full)
    }

    /// Why it refuses us, if it does.
    pub fn refusal(&self) -> Option<&'static str> {
        match self {
            Broken::Error(Kind::Refused(what)) => Some(what),
            _ => None,
        }
    }

    /// The end of a sentence that begins with the engine's name.
    pub fn what(&self) -> &str {
        match self {
            Broken::Lost(what) => what,
            Broken::NoTurn => "too many requests are waiting for it",
            Broken::Error(Kind::Full) => "it accepts no more connections",
            Broken::Error(Kind::Foreign) => "a value under our keys is not ours",
            Broken::Error(Kind::Elsewhere(what) | Kind::Refused(what) | Kind::Unable(what)) => what,
            Broken::Error(Kind::Other) => "it refuses a command",
        }
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Broken {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Broken::late(),
            io::ErrorKind::UnexpectedEof => Broken::Lost("it has closed the connection".into()),
            _ => Broken::Lost(error.to_string()),
        }
    }
}

impl Kind {
    /// The kind of an error with this text.
    pub fn of(error: &[u8]) -> Kind {
        const SCRIPT: &[u8] = b"ERR Error running script";
        // If a command in a script fails, older engines say that first.
        let words = if error.starts_with(SCRIPT) { usize::MAX } else { 1 };
        let words = error.split(|&b| b == b' ').take(words);
        let known = words.map(|word| word.strip_prefix(b"-").unwrap_or(word)).find_map(Kind::named);
        known.unwrap_or_else(|| match error {
            error if error.starts_with(b"ERR unknown command") => {
                Kind::Refused("it does not know a command that is needed")
            }
            error if error.starts_with(b"ERR max number of clients") => Kind::Full,
            _ => Kind::Other,
        })
    }

    fn named(word: &[u8]) -> Option<Kind> {
        Some(match word {
            b"READONLY" => Kind::Elsewhere("it is a replica, which cannot be written"),
            b"LOADING" => Kind::Elsewhere("it is still reading its data"),
            b"MASTERDOWN" => Kind::Elsewhere("it has lost its primary"),
            b"NOAUTH" => Kind::Refused("it wants a password; write store_password"),
            b"WRONGPASS" => Kind::Refused("it refuses user or password"),
            b"NOPERM" => Kind::Refused("the user's rights are too narrow"),
            b"OOM" => Kind::Unable("its memory is full"),
            b"MISCONF" => Kind::Unable("it cannot save its data"),
            b"NOREPLICAS" => Kind::Unable("it has too few replicas"),
            b"DENIED" => Kind::Unable("it is in protected mode, which lets no other machine in"),
            b"BUSY" => Kind::Unable("it is busy with a script"),
            b"WRONGTYPE" => Kind::Foreign,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_known_by_its_first_word_and_never_repeated() {
        let broken = |text: &str| Broken::Error(Kind::of(text.as_bytes()));
        assert!(broken("READONLY You can't write").is_worth_another_try());
        assert_eq!(broken("OOM command not allowed").refusal(), None);
        assert!(broken("WRONGPASS invalid").refusal().is_some());
        let unknown = broken("ERR unknown command 'AUTH', with args beginning with: 'hunter2'");
        assert_eq!(unknown.what(), "it does not know a command that is needed");
        for word in ["", "OOMX", "oom", "ERR it is OOM"] {
            assert_eq!(broken(word), Broken::Error(Kind::Other));
        }
        let within =
            "ERR Error running script (call to f_0): @user_script:5: -OOM command not allowed";
        assert_eq!(broken(within), broken("OOM command not allowed"));
    }
}
