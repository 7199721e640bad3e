//! Layout of source files: size, module docs, names, notes left behind.

use crate::files;
use anyhow::Result;
use std::path::Path;

const RUST_LINES: usize = 500;
const CSS_LINES: usize = 600;

/// Kinds of files in which a note to oneself can hide.
const TEXT: [&str; 8] = ["rs", "toml", "sql", "css", "js", "html", "yml", "md"];

/// Written in two parts, so that this file does not find itself.
const NOTES: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// Checks every file below `root`. Findings read `path:line: what is wrong`.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for path in files::walk(root)? {
        let relative = path.strip_prefix(root).unwrap_or(&path);
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let is_data = relative.starts_with("data");
        if TEXT.contains(&extension) && !is_data {
            findings.extend(check_file(relative, extension, &files::read_text(&path)?));
        }
    }
    Ok(findings)
}

fn check_file(path: &Path, extension: &str, text: &str) -> Vec<String> {
    let shown = path.display();
    let mut findings: Vec<String> = text
        .lines()
        .enumerate()
        .filter_map(|(index, line)| Some((index, note_in(line)?)))
        .map(|(index, note)| format!("{shown}:{}: {note} belongs into the tracker", index + 1))
        .collect();
    let (lines, limit) = match extension {
        "rs" if is_test(path) => (0, RUST_LINES),
        "rs" => (lines_without_tests(text), RUST_LINES),
        "css" => (text.lines().count(), CSS_LINES),
        _ => return findings,
    };
    if lines > limit {
        findings.push(format!("{shown}:1: {lines} lines, at most {limit}: split it by idea"));
    }
    if path.ends_with("mod.rs") {
        findings.push(format!("{shown}:1: use `foo.rs` beside `foo/`, not `mod.rs`"));
    }
    if is_crate_root(path) && !text.starts_with("//!") {
        findings.push(format!("{shown}:1: begin with a `//!` line that says what this is for"));
    }
    findings
}

/// The first whole word of `line` that is a note to oneself.
fn note_in(line: &str) -> Option<&'static str> {
    let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.find_map(|word| NOTES.into_iter().find(|note| *note == word))
}

fn is_test(path: &Path) -> bool {
    path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests")
}

fn is_crate_root(path: &Path) -> bool {
    ["lib.rs", "main.rs", "build.rs"].iter().any(|name| path.ends_with(name))
        || path.parent().is_some_and(|folder| {
            ["examples", "benches", "fuzz_targets", "bin"].iter().any(|name| folder.ends_with(name))
        })
}

/// Lines before the inline test module, or all when there is none.
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    lines
        .windows(2)
        .position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod "))
        .unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_one(name: &str, path: &str, text: &str, expected: &[&str]) {
        let extension = path.rsplit('.').next().unwrap_or_default();
        assert_eq!(check_file(Path::new(path), extension, text), expected, "{name}");
    }

    fn lines(count: usize) -> String {
        "let x = 1;\n".repeat(count)
    }

    #[test]
    fn long_files_are_found_without_counting_their_tests() {
        let too_long = "src/a.rs:1: 501 lines, at most 500: split it by idea";
        let tests = "#[cfg(test)]\nmod tests {\n";
        check_one("at the limit", "src/a.rs", &lines(500), &[]);
        check_one("above", "src/a.rs", &lines(501), &[too_long]);
        check_one("tests inline", "src/a.rs", &(lines(500) + tests + &lines(900)), &[]);
        check_one("tests beside", "src/a/tests.rs", &lines(900), &[]);
        check_one("integration tests", "tests/it/main.rs", &format!("//! x\n{}", lines(900)), &[]);
        check_one(
            "style sheet",
            "web/assets/css/a.css",
            &lines(601),
            &["web/assets/css/a.css:1: 601 lines, at most 600: split it by idea"],
        );
    }

    #[test]
    fn crate_roots_say_what_they_are_for() {
        let missing =
            |path: &str| format!("{path}:1: begin with a `//!` line that says what this is for");
        check_one("said", "src/lib.rs", "//! A crate.\n", &[]);
        check_one("a module needs none", "src/a.rs", "use b;\n", &[]);
        for path in ["src/lib.rs", "src/main.rs", "server/build.rs", "examples/bench_a.rs"] {
            check_one(path, path, "fn main() {}\n", &[&missing(path)]);
        }
    }

    #[test]
    fn notes_and_old_module_files_are_found() {
        let note = NOTES[0];
        let finding = format!("web/a.css:2: {note} belongs into the tracker");
        check_one("whole word", "web/a.css", &format!("a\n/* {note}: b */\n"), &[&finding]);
        check_one("part of a word", "web/a.css", &format!("{note}S\n"), &[]);
        check_one("lower case is prose", "web/a.css", &note.to_lowercase(), &[]);
        check_one(
            "mod.rs",
            "src/a/mod.rs",
            "",
            &["src/a/mod.rs:1: use `foo.rs` beside `foo/`, not `mod.rs`"],
        );
    }
}
