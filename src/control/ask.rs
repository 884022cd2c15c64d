//! `oauth2d --tokens` and `oauth2d --end`: ask the running server, and print its answer.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::{FIELDS, request};
use crate::cli::{Failure, Options};
use crate::commands::print;
use crate::encode::date;
use crate::encode::json::Object;
use crate::load;

/// What it means if the server closes the connection without an answer.
const BUSY: &str = "the server is too busy; try again";
/// How long the server may be silent.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest token that is read from standard input.
const TOKEN: u64 = 4096;

/// Prints the tokens that the options name, as a table or as JSON.
pub fn tokens(options: &Options) -> Result<(), Failure> {
    let (rows, _) = ask(options, &request("list", options.filter.named()))?;
    if rows.is_empty() {
        // Standard error may be closed; there is nobody else to tell.
        let _ = writeln!(io::stderr(), "oauth2d: no token matches");
        return Ok(());
    }
    print(&if options.as_json { json(&rows) } else { table(&rows) })
}

/// Ends the tokens that the options name, or the one on standard input.
pub fn end(options: &Options) -> Result<(), Failure> {
    let line = match options.token_on_input {
        true => request("end", [("token", token_on_input()?.as_str())].into_iter()),
        false => request("end", options.filter.named()),
    };
    let (_, count) = ask(options, &line)?;
    print(&format!("revoked {count} tokens\n"))
}

fn token_on_input() -> Result<String, Failure> {
    let mut text = String::new();
    io::stdin()
        .take(TOKEN)
        .read_to_string(&mut text)
        .map_err(|error| Failure::failed(format_args!("standard input: {error}")))?;
    match text.trim() {
        "" => Err(Failure::wrong(["the token on standard input is empty; write one"])),
        token => Ok(token.into()),
    }
}

type Row = Vec<String>;

/// The rows of the answer, and the count at its end.
fn ask(options: &Options, line: &str) -> Result<(Vec<Row>, String), Failure> {
    let path = load::control(options)?;
    let failed = |what: &str| Failure::failed(format_args!("{}: {what}", path.display()));
    let lines = exchange(&path, line).map_err(|error| match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => failed(BUSY),
        _ => failed(&format!("no server of this configuration answers: {error}")),
    })?;
    match lines.split_last() {
        Some((last, rows)) if last.starts_with("done ") => {
            let fields = |row: &String| row.split('\t').map(String::from).collect();
            Ok((rows.iter().map(fields).collect(), last["done ".len()..].into()))
        }
        Some((last, _)) if last.starts_with("error ") => Err(failed(&last["error ".len()..])),
        _ => Err(failed(BUSY)),
    }
}

fn exchange(path: &Path, line: &str) -> io::Result<Vec<String>> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(line.as_bytes())?;
    BufReader::new(stream).lines().collect()
}

/// One object a line. What a token does not have is left out, and times are in seconds since 1970.
fn json(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let mut object = Object::new();
        for (name, value) in FIELDS.into_iter().zip(row).filter(|(_, value)| !value.is_empty()) {
            object = match is_time(name).then(|| value.parse()) {
                Some(Ok(seconds)) => object.number(name, seconds),
                _ => object.string(name, value),
            };
        }
        text.push_str(&object.finish());
        text.push('\n');
    }
    text
}

/// A header and a line for each token, in columns as wide as they need to be.
fn table(rows: &[Row]) -> String {
    let header: Row = FIELDS.map(String::from).into();
    let shown =
        |row: &Row| FIELDS.into_iter().zip(row).map(|(name, text)| cell(name, text)).collect();
    let rows: Vec<Row> = rows.iter().map(shown).collect();
    let all = || std::iter::once(&header).chain(&rows);
    let widths: Vec<usize> = (0..FIELDS.len())
        .map(|at| all().filter_map(|row| row.get(at)).map(|text| text.chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
    let mut text = String::new();
    for row in all() {
        let mut line = String::new();
        for (cell, &width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn cell(name: &str, text: &str) -> String {
    match text.parse() {
        _ if text.is_empty() => "-".into(),
        Ok(seconds) if is_time(name) => date::to_the_second(seconds),
        _ => text.into(),
    }
}

fn is_time(name: &str) -> bool {
    name == "issued" || name == "expires"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        "app|ann|access|read write||1764000000|1764003600".split('|').map(String::from).collect()
    }

    #[test]
    fn a_table_has_a_header_and_a_dash_for_nothing() {
        let rows = vec![row(), vec![String::new(); FIELDS.len()]];
        assert_eq!(
            table(&rows),
            "client  user  kind    scope       resource  issued                expires\n\
             app     ann   access  read write  -         2025-11-24T16:00:00Z  2025-11-24T17:00:00Z\n\
             -       -     -       -           -         -                     -\n"
        );
    }

    #[test]
    fn json_leaves_out_what_there_is_not() {
        assert_eq!(
            json(&[row()]),
            "{\"client\":\"app\",\"user\":\"ann\",\"kind\":\"access\",\"scope\":\"read write\",\
             \"issued\":1764000000,\"expires\":1764003600}\n"
        );
    }
}
