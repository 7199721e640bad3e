//! Runs test scripts: `cargo run -p promql --example promqltest -- FILE…`. A file whose name ends in
//! `.tsv` holds expressions in its third column, which only have to parse.

use std::io::Write;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let (mut total, mut passed) = (0, 0);
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path)?;
        if std::path::Path::new(&path).extension().is_some_and(|e| e == "tsv") {
            for expression in text.lines().filter_map(|line| line.split('\t').nth(2)) {
                total += 1;
                match promql::parse(expression) {
                    Ok(_) => passed += 1,
                    Err(error) => writeln!(out, "{expression}: {error}")?,
                }
            }
        } else {
            let report = promql::script::run_script(&path, &text);
            total += report.total;
            passed += report.passed;
            write!(out, "{report}")?;
        }
    }
    writeln!(out, "{passed} of {total} passed")?;
    if passed < total { Err(std::io::Error::other("some cases failed")) } else { Ok(()) }
}
