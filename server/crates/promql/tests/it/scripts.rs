use std::path::{Path, PathBuf};

use promql::script::run_script;

pub(crate) fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut paths: Vec<PathBuf> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_case_of_every_script_gives_what_it_says() {
    let mut failures = String::new();
    for path in scripts() {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy();
        let report = run_script(&name, &text);
        assert!(report.total > 0, "{name} has no cases: {report}");
        if !report.failures.is_empty() {
            failures += &report.to_string();
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn a_wrong_expectation_is_a_failure_with_its_line() {
    let load = "load 1m\n  x{a=\"b\"} 1 2 {{sum:1 count:1}}\n\n";
    for (name, case, message) in [
        ("value", "eval instant at 0 x\n  x{a=\"b\"} 2", "expected 2@0, got 1@0"),
        ("missing", "eval instant at 0 x\n  x{a=\"b\"} 1\n  y 1", "missing series y"),
        ("unexpected", "eval instant at 0 x", "unexpected series"),
        ("scalar", "eval instant at 0 1\n  2", "expected number Some(2.0), got 1"),
        ("error", "eval instant at 0 x +", "failed: 1:4"),
        ("no error", "eval instant at 0 x\n  expect fail", "should have failed"),
        ("other error", "eval instant at 0 x +\n  expect fail msg: no", "for another reason"),
        ("annotation", "eval instant at 0 rate(x[1m])\n  expect warn", "annotation is missing"),
        (
            "no info",
            "eval instant at 1m rate(x[2m])\n  expect no_info\n  {a=\"b\"} 0.0167",
            "unexpected annotations",
        ),
        ("text", "eval instant at 0 \"a\"\n  expect string \"b\"", "expected text"),
        ("kind", "eval instant at 2m x\n  x{a=\"b\"} 3", "count:1"),
        ("range", "eval range from 0 to 1m step 1m x\n  x{a=\"b\"} 1 3", "2@60000"),
    ] {
        let report = run_script(name, &format!("{load}{case}\n"));
        let [failure] = report.failures.as_slice() else { panic!("{name}: {report}") };
        assert_eq!(failure.line, 4, "{name}");
        assert!(failure.message.contains(message), "{name}: {}", failure.message);
    }
}

#[test]
fn a_line_that_cannot_be_read_is_named() {
    for (text, line, message) in [
        ("load 1m\n  x{a=b} 1\n", 2, "expected a text in quotes"),
        ("\nload soon\n", 2, "bad step"),
        ("eval sometimes x\n", 1, "expected `instant at"),
        ("load 1m\n  x 1y2\n", 2, "blank between values"),
        ("load 1m\n  x {{foo:1}}\n", 2, "unknown key `foo`"),
        ("fetch x\n", 1, "unknown command"),
        ("load 1m\n  x 1x99999999999\n", 2, "at most ten million"),
    ] {
        let report = run_script("bad", text);
        let [failure] = report.failures.as_slice() else { panic!("{text}: {report}") };
        assert_eq!(failure.line, line, "{text}");
        assert!(failure.message.contains(message), "{}", failure.message);
    }
}
