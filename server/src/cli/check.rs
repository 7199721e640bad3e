//! `bellwether check`: every error of every file, with place and remedy.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{USAGE, fail, say};
use notify::config::SmtpDefaults;

use crate::{
    alerting::load::smtp_defaults,
    config::{self, Source},
    runbooks,
    uptime::file,
};

/// What a file is, told from its ending and its first keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Config,
    Rules,
    Monitors,
    Alerting,
    Mappings,
    Runbook,
}

#[derive(Debug, Default)]
struct Tally {
    files: usize,
    errors: usize,
    warnings: usize,
    /// What mail receivers without a server of their own use.
    smtp: SmtpDefaults,
}

pub(super) fn run(paths: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let mut files = Vec::new();
    for path in paths {
        if !path.exists() {
            fail(&format!("{}: there is no such file or folder", path.display()));
            return Ok(ExitCode::from(USAGE));
        }
        gather(path, &mut files)?;
    }
    let mut tally = Tally { smtp: smtp_of(&files), ..Tally::default() };
    for path in &files {
        check_file(path, &mut tally);
    }
    say(&format!(
        "{} files checked, {} errors, {} warnings",
        tally.files, tally.errors, tally.warnings
    ));
    Ok(if tally.errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `[smtp]` of the configuration among the files; its own errors are told when it is checked.
fn smtp_of(files: &[PathBuf]) -> SmtpDefaults {
    let config =
        files.iter().filter(|path| path.extension().is_some_and(|e| e == "toml")).find_map(
            |path| config::load(&Source { file: Some(path.clone()), ..Source::default() }).ok(),
        );
    config.map(|config| smtp_defaults(&config.smtp, &mut Vec::new())).unwrap_or_default()
}

/// The files below a path, in order of name.
fn gather(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    entries.sort();
    for entry in entries {
        gather(&entry, files)?;
    }
    Ok(())
}

fn check_file(path: &Path, tally: &mut Tally) {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            return note(tally, &[format!("{}: cannot be read: {error}", path.display())]);
        }
    };
    let Some(kind) = kind_of(path, &text) else { return };
    tally.files += 1;
    let errors = match kind {
        Kind::Config => {
            let source = Source { file: Some(path.to_owned()), ..Source::default() };
            config::load(&source).err().map(|errors| errors.lines().collect())
        }
        Kind::Rules => check_rules(path, &text, tally),
        Kind::Monitors => file::load(&[path.to_owned()])
            .err()
            .map(|errors| errors.0.iter().map(ToString::to_string).collect()),
        Kind::Alerting => notify::Config::parse_with(&text, path, &tally.smtp)
            .err()
            .map(|errors| errors.0.iter().map(ToString::to_string).collect()),
        Kind::Mappings => ingest::Mapping::parse(&text)
            .err()
            .map(|error| vec![format!("{}:{error}", path.display())]),
        Kind::Runbook => runbooks::parse("", &text)
            .err()
            .map(|(line, message)| vec![format!("{}:{line}:1: {message}", path.display())]),
    };
    note(tally, &errors.unwrap_or_default());
}

fn check_rules(path: &Path, text: &str, tally: &mut Tally) -> Option<Vec<String>> {
    match rules::file::parse(&path.display().to_string(), text) {
        Err(errors) => Some(errors.iter().map(ToString::to_string).collect()),
        Ok(groups) => {
            for finding in rules::lint::lint(&groups) {
                tally.warnings += 1;
                say(&finding.to_string());
            }
            None
        }
    }
}

fn note(tally: &mut Tally, errors: &[String]) {
    tally.errors += errors.len();
    for error in errors {
        fail(error);
    }
}

fn kind_of(path: &Path, text: &str) -> Option<Kind> {
    let has_key = |key: &str| {
        text.lines().any(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')))
    };
    match path.extension()?.to_str()? {
        "toml" => Some(Kind::Config),
        "md" => Some(Kind::Runbook),
        "yml" | "yaml" => [
            ("groups", Kind::Rules),
            ("monitors", Kind::Monitors),
            ("route", Kind::Alerting),
            ("receivers", Kind::Alerting),
            ("mappings", Kind::Mappings),
            ("defaults", Kind::Mappings),
        ]
        .into_iter()
        .find(|(key, _)| has_key(key))
        .map(|(_, kind)| kind),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_by_its_first_keys() {
        for (name, text, kind) in [
            ("a.toml", "", Some(Kind::Config)),
            ("a.yml", "# rules\ngroups:\n", Some(Kind::Rules)),
            ("a.yaml", "monitors:\n", Some(Kind::Monitors)),
            ("a.yml", "global:\nroute:\n  receiver: x\n", Some(Kind::Alerting)),
            ("a.yml", "defaults:\nmappings:\n", Some(Kind::Mappings)),
            ("a.md", "# T", Some(Kind::Runbook)),
            ("a.yml", "other: 1\n", None),
            ("a.txt", "groups:\n", None),
            ("groups", "", None),
        ] {
            assert_eq!(kind_of(Path::new(name), text), kind, "{name} {text:?}");
        }
    }
}
