//! All other tests again, with their servers on one engine: `OAUTH2D_TEST_STORE=1`, which `make
//! test` sets if an engine is installed. Those that do not apply to an engine are in `left_out`,
//! each with its reason.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::redis::Engine;

/// Ends with the process, which closes its pipe to it.
static SHARED: LazyLock<Option<Engine>> = LazyLock::new(|| {
    std::env::var_os("OAUTH2D_TEST_STORE")?;
    let engine = Engine::start().expect("redis-server is installed");
    engine.forget_folder();
    Some(engine)
});

/// The configuration, with its state in its own database if the engine is to be used.
pub fn with_store(text: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let says_where = ["state_file", "store ="].iter().any(|key| text.contains(key));
    match &*SHARED {
        Some(engine) if !says_where => {
            let database = NEXT.fetch_add(1, Ordering::Relaxed);
            in_server(text, &format!("store = {}/{database}", engine.url()))
        }
        _ => text.into(),
    }
}

/// The demo data as a configuration, if the engine is to be used.
pub fn demo() -> Option<String> {
    SHARED.as_ref()?;
    let text = include_str!("../../../src/demo.conf");
    Some(with_store(&text.replace("listen = localhost:3000\n", "")))
}

/// The text with this line in `[server]`, replacing an empty one if there is any, since tests refer
/// to lines by number.
fn in_server(text: &str, line: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let Some(start) = lines.iter().position(|line| *line == "[server]") else {
        return format!("{text}\n[server]\n{line}\n");
    };
    let own = lines[start + 1..].iter().take_while(|line| !line.starts_with('['));
    match own.clone().position(|line| line.is_empty()) {
        Some(at) => lines[start + 1 + at] = line,
        None => lines.insert(start + 1, line),
    }
    lines.join("\n") + "\n"
}

#[test]
fn a_line_takes_an_empty_ones_place() {
    for (text, expected) in [
        ("[server]\n\n\n[client c]\n", "[server]\nx\n\n[client c]\n"),
        ("[server]\na = b\n[client c]\n\n", "[server]\nx\na = b\n[client c]\n\n"),
        ("[client c]\n", "[client c]\n\n[server]\nx\n"),
    ] {
        assert_eq!(in_server(text, "x"), expected);
    }
}

/// Asserts that each name that is left out is a test's.
#[test]
fn what_is_left_out_is_there() {
    for line in include_str!("left_out").lines().filter(|line| !line.starts_with('#')) {
        let Some((name, reason)) = line.split_once(' ') else {
            assert_eq!(line, "");
            continue;
        };
        let (module, test) = name.split_once("::").unwrap();
        assert!(!reason.trim().is_empty(), "{name}");
        let path = format!("{}/tests/integration/{module}", env!("CARGO_MANIFEST_DIR"));
        if test.is_empty() {
            assert!(std::fs::exists(&path).unwrap() || std::fs::exists(path + ".rs").unwrap());
        } else {
            let source = std::fs::read_to_string(path + ".rs").unwrap();
            assert!(source.contains(&format!("fn {test}() {{")), "{name}");
        }
    }
}
