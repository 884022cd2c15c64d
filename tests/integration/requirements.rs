//! What `tests/requirements.md` promises: each of its rows names code and tests that exist, or a
//! reason, and each section of its RFCs that the source cites has a row.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The RFCs with a table, in its order.
const TABLES: [&str; 13] = [
    "6749", "6750", "7009", "7591", "7636", "7662", "8252", "8414", "8628", "8707", "9207", "9700",
    "9728",
];

/// Read at run time, so that a change of its words needs no new build.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| text(Path::new("tests/requirements.md")));

/// A file of the project.
fn text(path: &Path) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files below a folder of the project.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        match entry.file_type().unwrap().is_dir() {
            true => files.extend(self::files(&path)),
            false => files.push(path.into()),
        }
    }
    files
}

/// A requirement.
#[derive(Debug)]
struct Row {
    line: usize,
    rfc: String,
    section: String,
    done_by: String,
    shown_by: String,
}

fn rows() -> Vec<Row> {
    let (mut rows, mut rfc) = (Vec::new(), String::new());
    for (at, line) in DOCUMENT.lines().enumerate() {
        if let Some(title) = line.strip_prefix("## RFC ") {
            rfc = title.split(':').next().unwrap().into();
        }
        let Some(cells) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else {
            continue;
        };
        let cells: Vec<&str> = cells.split(" | ").collect();
        let [section, asks, done_by, shown_by] = cells[..] else {
            panic!("requirements.md:{}: a row has four cells", at + 1);
        };
        assert!(!asks.trim().is_empty(), "requirements.md:{}: what does it ask?", at + 1);
        if !["section", "---"].contains(&section) {
            let [section, done_by, shown_by] = [section, done_by, shown_by].map(String::from);
            rows.push(Row { line: at + 1, rfc: rfc.clone(), section, done_by, shown_by });
        }
    }
    rows
}

/// What is between backticks.
fn named(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

impl Row {
    fn is_done(&self) -> bool {
        self.done_by != "-"
    }

    /// The functions that it names, each with its file.
    fn functions(&self) -> Vec<(&str, &str)> {
        let (mut functions, mut file) = (Vec::new(), None);
        for name in named(&self.done_by) {
            match (name.contains('/'), file) {
                (true, _) => file = Some(name),
                (false, Some(file)) => functions.push((file, name)),
                (false, None) => panic!("requirements.md:{}: {name} is in which file?", self.line),
            }
        }
        functions
    }

    /// The tests that it names.
    fn tests(&self) -> Vec<&str> {
        named(&self.shown_by).filter(|name| name.contains("::")).collect()
    }
}

/// The name of every test, as cargo prints it.
fn tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for (folder, room) in [("src", "src/"), ("tests/integration", "tests/integration/")] {
        for path in files(folder) {
            let name = path.to_str().unwrap();
            let Some(name) = name.strip_prefix(room).and_then(|name| name.strip_suffix(".rs"))
            else {
                continue;
            };
            let module = name.trim_end_matches("/mod").replace('/', "::");
            let (mut inner, mut is_test) = ("", false);
            for line in text(&path).lines() {
                if line == "mod tests {" {
                    inner = "::tests";
                }
                match line.trim_start().strip_prefix("fn ") {
                    Some(rest) if is_test => {
                        let name = rest.split('(').next().unwrap();
                        tests.insert(format!("{module}{inner}::{name}"));
                        is_test = false;
                    }
                    _ => is_test |= line.trim() == "#[test]",
                }
            }
        }
    }
    tests
}

/// Whether a function with this name is in a file, not counting its tests.
fn has_function(file: &str, name: &str) -> bool {
    let text = text(Path::new(file));
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    ["(", "<"].iter().any(|next| code.contains(&format!("fn {name}{next}")))
}

/// A text in one line, without the signs of comments and the backslashes at the ends of lines.
fn in_one_line(text: &str) -> String {
    let words = text.lines().flat_map(|line| {
        let line = line.trim().trim_start_matches(['/', '!']).trim_end_matches('\\');
        line.split_whitespace()
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The RFCs that a text cites, each with the sections.
fn citations(text: &str) -> Vec<(String, Vec<String>)> {
    let text = in_one_line(text);
    let cited =
        text.split("RFC ").skip(1).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    cited
        .map(|rest| {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (rfc, rest) = rest.split_at(digits);
            (rfc.into(), sections(rest))
        })
        .collect()
}

/// The sections after the number of an RFC: `, section 5.2`, `, sections 3.1, 3.2 and 6` or `,
/// appendix B`.
fn sections(rest: &str) -> Vec<String> {
    if let Some(appendix) = rest.strip_prefix(", appendix ") {
        return vec![format!("appendix {}", &appendix[..1])];
    }
    if let Some(rest) = rest.strip_prefix(", section ") {
        return vec![label(rest).0.into()];
    }
    let Some(mut rest) = rest.strip_prefix(", sections ") else {
        assert!(!rest.starts_with(" section"), "a citation is RFC N, section S: {rest:.40}");
        return Vec::new();
    };
    let mut sections = Vec::new();
    loop {
        let (section, behind) = label(rest);
        sections.push(section.into());
        let next = [", ", " and ", " to "].iter().find_map(|word| behind.strip_prefix(word));
        match next.filter(|next| next.starts_with(|c: char| c.is_ascii_digit())) {
            Some(next) => rest = next,
            None => return sections,
        }
    }
}

/// The number of a section, and what follows it.
fn label(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let label = text[..end].trim_end_matches('.');
    assert!(!label.is_empty(), "a section has a number: {text:.40}");
    text.split_at(label.len())
}

#[test]
fn every_row_names_what_is_there() {
    let tests = tests();
    for row in rows() {
        for (file, function) in row.functions() {
            assert!(has_function(file, function), "line {}: {file} {function}", row.line);
        }
        for test in row.tests() {
            assert!(tests.contains(test), "line {}: there is no test {test}", row.line);
        }
    }
}

#[test]
fn every_row_has_code_and_a_test_or_a_reason() {
    let mut tables: Vec<String> = rows().into_iter().map(|row| row.rfc).collect();
    tables.dedup();
    assert_eq!(tables, TABLES);
    for row in rows() {
        let is_whole = match row.is_done() {
            true => !row.functions().is_empty() && !row.tests().is_empty(),
            false => row.shown_by.chars().any(char::is_alphabetic),
        };
        assert!(is_whole, "{row:?}");
    }
}

#[test]
fn every_section_that_the_source_cites_has_a_row() {
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows() {
        told.entry(row.rfc).or_default().insert(row.section);
    }
    let beside = citations(DOCUMENT.split("\n## ").next().unwrap());
    let beside: Vec<String> = beside.into_iter().map(|(rfc, _)| rfc).collect();
    for path in files("src") {
        for (rfc, sections) in citations(&text(&path)) {
            let Some(rows) = told.get(&rfc) else {
                assert!(beside.contains(&rfc), "{}: RFC {rfc} is not told of", path.display());
                continue;
            };
            for section in sections {
                let what = format!("{}: RFC {rfc}, section {section}", path.display());
                assert!(rows.contains(&section), "{what}, has no row in requirements.md");
            }
        }
    }
}

#[test]
fn a_citation_is_read_however_it_is_broken() {
    let text = "//! As (RFC 1, sections 2.3, 4 and\n//! 5.6; RFC 7,\n/// appendix B) and RFC 8.\n\
                x \"RFC 9, section 1.2.\" \\\n    RFC 10, section 3, 4 times";
    let read = citations(text);
    let read: Vec<String> =
        read.iter().map(|(rfc, sections)| format!("{rfc}: {}", sections.join(" "))).collect();
    assert_eq!(read, ["1: 2.3 4 5.6", "7: appendix B", "8: ", "9: 1.2", "10: 3"]);
}
