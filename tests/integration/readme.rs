//! The README is true: each of its commands runs here, in order, in one shell and against one
//! server with the demo data, as someone would run them who tries it for the first time.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::LazyLock;

use crate::support::*;

/// Read at run time, so that a change of its words needs no new build.
static README: LazyLock<String> = LazyLock::new(|| {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
});

/// What the README writes for a value that is different each time, and the member of an answer that
/// has the value. Longer names come first, since two of them end with `TOKEN`.
const PLACEHOLDERS: [(&str, &str); 5] = [
    ("REFRESH_TOKEN", "refresh_token"),
    ("DEVICE_CODE", "device_code"),
    ("WDJB-MJHT", "user_code"),
    ("TOKEN", "access_token"),
    ("CODE", "code"),
];

/// Indented lines of the README that belong together.
#[derive(Debug)]
struct Block {
    line: usize,
    text: String,
    /// The line of prose above; `None` if the block follows another.
    above: Option<String>,
}

impl Block {
    /// Whether its first line is for a shell: a command, or an assignment.
    fn is_command(&self) -> bool {
        let word = self.text.split_whitespace().next().unwrap();
        self.is_run() || ["cargo", "docker", "make", "oauth2d", "openssl"].contains(&word)
    }

    /// Whether that command asks the server, or prepares one that does.
    fn is_run(&self) -> bool {
        let word = self.text.split_whitespace().next().unwrap();
        let assigns = |(name, _): (&str, &str)| name.bytes().all(|b| b.is_ascii_lowercase());
        ["curl", "echo"].contains(&word) || word.split_once('=').is_some_and(assigns)
    }

    /// Why it is not run, if the README says so.
    fn reason(&self) -> Option<&str> {
        self.above.as_deref()?.strip_prefix("<!-- not run: ")?.strip_suffix(" -->")
    }

    /// A tool that it needs and this machine lacks.
    fn lacks(&self) -> Option<&'static str> {
        let is_missing = |tool: &&str| Command::new(tool).arg("--version").output().is_err();
        ["curl", "openssl"].into_iter().filter(|tool| self.text.contains(tool)).find(is_missing)
    }
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut above, mut goes_on) = (None, false);
    for (at, line) in README.lines().enumerate() {
        match line.strip_prefix("    ") {
            Some(text) if goes_on => {
                let block = blocks.last_mut().unwrap();
                block.text = format!("{}\n{text}", block.text);
            }
            Some(text) => {
                blocks.push(Block { line: at + 1, text: text.into(), above: above.take() });
            }
            None if !line.is_empty() => above = Some(line.into()),
            None => {}
        }
        goes_on = line.starts_with("    ");
    }
    blocks
}

/// A shell that lives on, so that a command can use a variable of an earlier one.
struct Shell {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Shell {
    fn new() -> Shell {
        let mut child = Command::new("sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Shell { child, input, output: BufReader::new(output) }
    }

    /// What the command writes to standard output, without blanks at the ends of lines.
    fn run(&mut self, command: &str) -> String {
        writeln!(self.input, "{command}\necho; echo end of the answer").unwrap();
        let mut answer = String::new();
        for line in (&mut self.output).lines().map(Result::unwrap) {
            if line == "end of the answer" {
                break;
            }
            answer.push_str(line.trim_end());
            answer.push('\n');
        }
        answer.trim_end().into()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The values in the answers so far, by placeholder.
#[derive(Default)]
struct Values(Vec<(&'static str, String)>);

impl Values {
    /// The command with the latest values for its placeholders.
    fn fill(&self, block: &Block) -> String {
        let mut command = block.text.clone();
        for (placeholder, _) in PLACEHOLDERS {
            if command.contains(placeholder) {
                let known = self.0.iter().rev().find(|(own, _)| *own == placeholder);
                let (_, value) = known.unwrap_or_else(|| {
                    panic!("README.md:{}: no answer before gave a {placeholder}", block.line)
                });
                command = command.replace(placeholder, value);
            }
        }
        command
    }

    /// The answer with placeholders for its values, which are remembered.
    fn learn(&mut self, answer: &str) -> String {
        let mut shown = answer.to_string();
        for (placeholder, member) in PLACEHOLDERS {
            let before = [format!("\"{member}\":\""), format!("?{member}=")];
            let rest = before.iter().find_map(|before| Some(answer.split_once(before)?.1));
            if let Some(value) = rest.and_then(|rest| rest.split(['"', '&']).next()) {
                shown = shown.replace(value, placeholder);
                self.0.push((placeholder, value.into()));
            }
        }
        shown
    }
}

/// The text with `TIME` for each number of ten digits, a time in seconds since 1970.
fn without_times(text: &str) -> String {
    let pieces = text.split_inclusive(|c: char| !c.is_ascii_digit());
    let without = pieces.map(|piece| {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 10 { format!("TIME{}", &piece[digits..]) } else { piece.into() }
    });
    without.collect()
}

/// Whether the answer is the one that the README shows. Of header fields it shows only those that
/// matter, in their order.
fn is_as_shown(answer: &str, shown: &str) -> bool {
    let mut lines = answer.lines();
    match shown.starts_with("HTTP/") {
        true => shown.lines().all(|line| lines.any(|own| own == line.trim_end())),
        false => answer == shown,
    }
}

/// Someone who tries out the README: a shell, the values so far, and where the server is.
struct Newcomer {
    shell: Shell,
    values: Values,
    server: String,
}

impl Newcomer {
    /// Runs a command, and returns its answer as if the server had the README's address.
    fn run(&mut self, command: &str) -> String {
        let answer = self.shell.run(&command.replace("localhost:3000", &self.server));
        let escaped = self.server.replace(':', "%3A");
        answer.replace(&self.server, "localhost:3000").replace(&escaped, "localhost%3A3000")
    }

    /// Runs a command and compares its answer. If it prints an address, there must be a page.
    fn try_out(&mut self, block: &Block, shown: Option<&str>) {
        let command = self.values.fill(block);
        let answer = self.run(&command);
        let answer = self.values.learn(&answer);
        let place = format!("README.md:{}: {command}\ngives\n{answer}", block.line);
        if let Some(shown) = shown {
            let is_same = is_as_shown(&without_times(&answer), &without_times(shown));
            assert!(is_same, "{place}\nin place of\n{shown}");
        } else if answer.starts_with("http://") {
            let status = self.run(&format!("curl -so /dev/null -w '%{{http_code}}' '{answer}'"));
            assert_eq!(status, "200", "{place}");
        } else {
            assert_eq!(answer, "", "{place}\nwhich the README does not show");
        }
    }
}

#[test]
fn every_command_gives_the_answer_that_is_shown() {
    let listen = ["--listen", "localhost:0"];
    let server = Server::start(&mut Command::new(PROGRAM), &listen, Folder::new());
    let mut newcomer = Newcomer {
        shell: Shell::new(),
        values: Values::default(),
        server: format!("localhost:{}", server.addresses[0].port()),
    };
    let blocks = blocks();
    let pairs = blocks.iter().zip(blocks.iter().skip(1));
    let commands: Vec<_> = pairs.filter(|(b, _)| b.is_command() && b.reason().is_none()).collect();
    assert!(commands.len() >= 13, "{commands:#?}");
    for (at, (block, next)) in commands.iter().enumerate() {
        assert!(block.is_run(), "README.md:{}: say why it is not run", block.line);
        if let Some(tool) = block.lacks() {
            // Around the test runner, which shows the output of failing tests only.
            let count = commands.len() - at;
            let text = format!("the README's last {count} commands are skipped: no {tool} here");
            return writeln!(std::io::stderr(), "{text}").unwrap();
        }
        newcomer.try_out(block, next.above.is_none().then_some(next.text.as_str()));
    }
}

#[test]
fn every_line_with_curl_or_openssl_is_part_of_a_command() {
    for block in blocks().iter().filter(|block| !block.is_command()) {
        for tool in ["curl ", "openssl "] {
            assert!(!block.text.contains(tool), "README.md:{}: {}", block.line, block.text);
        }
    }
}

#[test]
fn the_configuration_with_everything_in_it_has_no_fault() {
    let blocks = blocks();
    let first = blocks.iter().position(|block| block.text.starts_with("[server]")).unwrap();
    let rest = blocks[first + 1..].iter().take_while(|block| block.above.is_none());
    let text: Vec<_> = blocks[first..=first].iter().chain(rest).map(|b| b.text.as_str()).collect();
    let folder = Folder::new();
    let file = folder.write("oauth2d.conf", text.join("\n\n"));
    let (code, _, faults) = run(&["--config", file.to_str().unwrap(), "--check"]);
    assert_eq!(code, 0, "{faults}");
}

/// A chapter of the README, from its heading to the next.
fn chapter(heading: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("\n## {heading}\n")).unwrap();
    rest.split("\n## ").next().unwrap()
}

/// The text of every Rust file below a folder.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    text
}

#[test]
fn what_it_withstands_is_true_by_a_test_or_called_a_limit() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = sources(&root.join("src")) + &sources(&root.join("tests"));
    let mut named = 0;
    for item in chapter("What it withstands, and what it does not").split("\n- ").skip(1) {
        let item = item.split("\n\n").next().unwrap();
        let within = item.split("(`").skip(1).filter_map(|rest| rest.split(')').next());
        let quoted = within.flat_map(|names| names.split('`').step_by(2));
        let tests: Vec<_> = quoted.filter(|name| !name.contains(' ')).collect();
        assert!(!tests.is_empty() || item.starts_with("Limit: "), "no test and no limit: {item}");
        for name in tests {
            let is_there = sources.contains(&format!("#[test]\nfn {name}() {{"))
                || sources.contains(&format!("#[test]\n    fn {name}() {{"));
            assert!(is_there, "no test has the name {name}");
            named += 1;
        }
    }
    assert!(named > 20, "{named}");
}

/// The files of the walk, in the README's order.
fn walk() -> Vec<&'static str> {
    let links = chapter("Reading the source").split("](").skip(1);
    links.map(|rest| rest.split(')').next().unwrap()).collect()
}

#[test]
fn an_evening_is_enough_for_the_walk_through_the_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lines: Vec<_> = walk()
        .into_iter()
        .map(|file| {
            let text = std::fs::read_to_string(root.join(file)).expect(file);
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            (file, code.lines().count())
        })
        .collect();
    let sum: usize = lines.iter().map(|(_, lines)| lines).sum();
    assert!(lines.len() > 15 && sum <= 3_500, "{sum} lines: {lines:#?}");
}

#[test]
fn the_walk_is_the_same_in_the_readme_and_in_main() {
    let main = include_str!("../../src/main.rs");
    let map = main.lines().take_while(|line| line.starts_with("//!")).flat_map(|line| {
        let quoted = line.split('`').skip(1).step_by(2);
        quoted.filter(|name| name.ends_with(".rs")).map(|name| format!("src/{name}"))
    });
    let map: Vec<_> = ["src/main.rs".to_string()].into_iter().chain(map).collect();
    assert_eq!(map, walk());
}
