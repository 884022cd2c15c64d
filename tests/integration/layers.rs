//! Which room may know which.

use std::path::Path;

/// Every line of the sources below `folder` that is not part of a test, with its place.
fn lines(folder: &str) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder);
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let name = path.file_name().unwrap().to_str().unwrap();
            lines.extend(self::lines(format!("{folder}/{name}").trim_start_matches('/')));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            for (at, line) in code.lines().enumerate() {
                let place = format!("{}:{}", path.display(), at + 1);
                lines.push((place, line.split("//").next().unwrap().into()));
            }
        }
    }
    lines
}

fn assert_without(folder: &str, words: &[&str]) {
    assert_without_but(folder, &[], words);
}

/// The same, except for files with these names and for tests in their own files.
fn assert_without_but(folder: &str, but: &[&str], words: &[&str]) {
    let is_of_tests = ["/tests.rs:", "/samples.rs:", "/durability.rs:"];
    let mut lines = lines(folder);
    lines.retain(|(place, _)| !is_of_tests.iter().chain(but).any(|name| place.contains(name)));
    assert!(!lines.is_empty());
    for (place, line) in lines {
        for word in words {
            assert!(!line.contains(word), "{place}: {folder} must not know {word}");
        }
    }
}

#[test]
fn the_protocol_knows_no_sockets_clock_files_or_http() {
    assert_without(
        "oauth",
        &[
            "crate::http",
            "crate::endpoints",
            "crate::config",
            "TcpStream",
            "TcpListener",
            "Instant",
            "SystemTime",
            "std::fs",
            "std::env",
            "unsafe",
        ],
    );
}

/// Only the state file's adapters know files, and only the engine's know sockets.
#[test]
fn the_store_knows_no_rule_sockets_clock_threads_or_files() {
    let files = ["/state_file.rs:", "/state_file/health.rs:", "/new_file.rs:", "/load.rs:"];
    let sockets = ["mod", "connection", "health", "place", "pool", "start", "together"]
        .map(|it| format!("/engine/{it}.rs:"));
    let sockets: Vec<&str> = sockets.iter().map(String::as_str).collect();
    let words = [
        "crate::http",
        "crate::endpoints",
        "crate::config",
        "crate::watch",
        "OAuthError",
        "ErrorCode",
        "Tcp",
        "Instant",
        "SystemTime",
        "std::thread",
        "std::fs",
        "std::env",
    ];
    assert_without_but("store", &[&files, sockets.as_slice()].concat(), &words);
    assert_without_but("store", &sockets, &words[..9]);
    assert_without("store", &words[..6]);
}

#[test]
fn http_knows_no_oauth() {
    let words = ["crate::oauth", "crate::endpoints", "crate::config", "oauth2d", "OAuth", "unsafe"];
    assert_without("http", &words);
}

#[test]
fn encodings_know_nobody() {
    assert_without(
        "encode",
        &["crate::http", "crate::oauth", "crate::endpoints", "std::net", "unsafe"],
    );
}

/// It is a room of its own, which only its doors and its keys lead to.
#[test]
fn the_bench_for_tests_can_be_taken_out() {
    for room in ["oauth", "store", "http", "watch", "encode", "crypto"] {
        assert_without(room, &["testing"]);
    }
    let mut outside = lines("");
    outside.retain(|(place, line)| !place.contains("/testing") && line.contains("testing"));
    assert!(outside.len() <= 20, "{outside:?}");
}

#[test]
fn unsafe_code_stands_in_two_files_and_dependencies_are_three() {
    // System calls, and one call of the processor's instructions.
    let places = ["src/os.rs:", "src/crypto/sha256_hw.rs:"];
    for (place, line) in lines("") {
        let is_allowed = places.iter().any(|allowed| place.contains(allowed));
        assert!(!line.contains("unsafe") || is_allowed, "{place}");
    }
    let manifest = include_str!("../../Cargo.toml");
    let section = manifest.split("[dependencies]\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names: Vec<_> = section.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["base64", "getrandom", "httparse"]);
}
