//! Reads a password that a person types or a program passes.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::process::exit;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::cli::Failure;
use crate::oauth::secret::without_line_end;
use crate::os::{Signals, Silence};

/// The exit code of a program that was interrupted, by a shell's convention.
const INTERRUPTED: i32 = 130;

/// The password: on a terminal it is typed twice, without an echo; from a pipe it is everything,
/// except for one line end after it.
pub fn password() -> Result<String, Failure> {
    let failed = |error| Failure::failed(format_args!("standard input: {error}"));
    let password = match io::stdin().is_terminal() {
        true => unseen().map_err(failed)?,
        false => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text).map_err(failed)?;
            Some(without_line_end(&text).into())
        }
    };
    match password {
        None => Err(Failure::failed("the two passwords differ; nothing was made")),
        Some(text) if text.is_empty() => {
            Err(Failure::wrong(["the password on standard input is empty; write one"]))
        }
        Some(text) => Ok(text),
    }
}

/// What is typed, if it is the same twice.
fn unseen() -> io::Result<Option<String>> {
    let signals = Signals::block();
    let silence = Arc::new(Mutex::new(Some(Silence::begin()?)));
    let held = Arc::clone(&silence);
    // After an interrupt the terminal must echo again.
    thread::Builder::new().spawn(move || {
        signals.wait();
        end(&held);
        exit(INTERRUPTED)
    })?;
    let typed = prompted("Password: ").and_then(|first| Ok((first, prompted("Again: ")?)));
    end(&silence);
    typed.map(|(first, second)| (first == second).then_some(first))
}

fn end(silence: &Mutex<Option<Silence>>) {
    drop(silence.lock().unwrap_or_else(PoisonError::into_inner).take());
}

fn prompted(prompt: &str) -> io::Result<String> {
    let mut out = io::stderr();
    out.write_all(prompt.as_bytes()).and_then(|()| out.flush())?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    // The Enter that was typed is not echoed either.
    out.write_all(b"\n")?;
    Ok(without_line_end(&line).into())
}
