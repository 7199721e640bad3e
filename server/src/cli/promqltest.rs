//! `bellwether promqltest`: scripts in Prometheus's promqltest language.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;

use super::{fail, say};

pub(super) fn run(files: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for file in files {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("{}: cannot be read", file.display()))?;
        let report = promql::script::run_script(&file.display().to_string(), &text);
        for failure in &report.failures {
            fail(&format!("{}:{}: {}", file.display(), failure.line, failure.message));
            code = ExitCode::FAILURE;
        }
        say(&format!("{}: {}/{}", file.display(), report.passed, report.total));
    }
    Ok(code)
}
