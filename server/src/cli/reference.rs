//! `bellwether reference`: the pages of docs/reference, made from what the program knows.

use std::{fmt::Write as _, path::Path, process::ExitCode};

use anyhow::Context as _;

use crate::telemetry;

/// The documented default is the reference of the configuration.
const DEFAULT_CONFIG: &str = include_str!("../../../config/bellwether.toml");

pub(super) fn run(out: &Path) -> anyhow::Result<ExitCode> {
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    for (name, text) in [("config.md", config_page()), ("metrics.md", metrics_page())] {
        let path = out.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn config_page() -> String {
    format!(
        "# Configuration\n\n\
         Settings come from the defaults, then the file, then `BELLWETHER_SECTION__KEY` in the \
         environment, then flags. Paths in the file are relative to its folder. Unknown settings are \
         errors. This is `config/bellwether.toml`, with every setting at its default:\n\n\
         ```toml\n{DEFAULT_CONFIG}```\n"
    )
}

fn metrics_page() -> String {
    let mut page = "# Metrics of the server itself\n\n\
         Served at `/metrics` and stored with the label `service=\"bellwether\"`. Those marked as loss \
         should not grow.\n\n| metric | kind | loss | meaning |\n|---|---|---|---|\n"
        .to_owned();
    for metric in telemetry::ALL {
        let loss = if metric.is_loss { "yes" } else { "" };
        // Writing to a text never fails.
        let _ = writeln!(
            page,
            "| `{}` | {} | {loss} | {} |",
            metric.name,
            metric.kind.as_str(),
            metric.help
        );
    }
    page
}
