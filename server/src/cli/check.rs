//! `bellwether check`: every error of every file, with place and remedy, and what lines of StatsD become
//! under the mapping files; and whether what is kept in a data folder can be read.

mod data;
mod sample;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use ingest::{Dialect, GaugeNegative, Mapping};
use notify::config::SmtpDefaults;
use serde::Serialize;

use super::{USAGE, fail, say};
use crate::{
    alerting::load::{Loaded, smtp_defaults},
    app::mappings::{self, Mappings},
    config::{self, Config, Source, statsd},
    runbooks,
    uptime::file,
};
use sample::Sample;

/// Exit code 1: a file has an error, something is damaged, or a line of the sample is refused. Warnings, and lines that a rule
/// drops or that have no rule, are no errors.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Files, or folders with such files
    #[arg(required_unless_present = "data")]
    paths: Vec<PathBuf>,
    /// A data folder, of a server that runs or not, or a copy of one: reads everything in its databases
    /// and names what is damaged
    #[arg(long, value_name = "DIR", conflicts_with_all = ["paths", "sample"])]
    data: Option<PathBuf>,
    /// A file with lines of StatsD, `-` for standard input: shows what each becomes. The rules are
    /// those of the mapping files that the configuration among PATHS names, else of all among PATHS
    #[arg(long, value_name = "LINES")]
    sample: Option<PathBuf>,
    /// Print everything as one JSON document on standard output
    #[arg(long)]
    json: bool,
}

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

/// What was found.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// How many files were checked.
    files: usize,
    errors: Vec<String>,
    warnings: Vec<String>,
    #[serde(flatten)]
    sample: Option<Sample>,
}

pub(super) fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    if let Some(folder) = &args.data {
        return data::run(folder, args.json);
    }
    let mut files = Vec::new();
    for path in &args.paths {
        if !path.exists() {
            fail(&format!("{}: there is no such file or folder", path.display()));
            return Ok(ExitCode::from(USAGE));
        }
        gather(path, &mut files)?;
    }
    let lines = match &args.sample {
        None => None,
        Some(path) => match sample::read(path) {
            Ok(lines) => Some(lines),
            Err(error) => {
                fail(&format!("{}: the sample cannot be read: {error}", path.display()));
                return Ok(ExitCode::from(USAGE));
            }
        },
    };
    let config = config_of(&files);
    let smtp = config.as_ref().map(|config| smtp_defaults(&config.smtp, &mut Vec::new()));
    let mut report = Report::default();
    for path in &files {
        check_file(path, &smtp.clone().unwrap_or_default(), &mut report);
    }
    if let Some(lines) = lines {
        report.sample = dialect(config.as_ref(), &files, &mut report)
            .map(|dialect| Sample::of(&dialect, &lines));
    }
    report.print(args.json)?;
    let is_clean = report.errors.is_empty() && report.refused() == 0;
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Report {
    fn refused(&self) -> usize {
        self.sample.as_ref().map_or(0, Sample::refused)
    }

    fn print(&self, as_json: bool) -> serde_json::Result<()> {
        if as_json {
            say(&serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        self.errors.iter().for_each(|error| fail(error));
        self.warnings.iter().for_each(|warning| say(warning));
        if let Some(sample) = &self.sample {
            say(&sample.text());
        }
        let Self { files, errors, warnings, .. } = self;
        say(&format!(
            "{files} files checked, {} errors, {} warnings",
            errors.len(),
            warnings.len()
        ));
        Ok(())
    }
}

/// The configuration among the files; its own errors are told when it is checked.
fn config_of(files: &[PathBuf]) -> Option<Config> {
    let is_toml = |path: &&PathBuf| path.extension().is_some_and(|e| e == "toml");
    files.iter().filter(is_toml).find_map(|path| {
        config::load(&Source { file: Some(path.clone()), ..Source::default() }).ok()
    })
}

/// How the lines of a sample are read: by the configuration's mapping files, or else by all among the
/// files. `None` when those have errors.
fn dialect(config: Option<&Config>, files: &[PathBuf], report: &mut Report) -> Option<Dialect> {
    let statsd = config.map(|config| &config.statsd);
    let named = statsd.filter(|statsd| !statsd.mappings.0.is_empty());
    let mapping = named.map_or_else(|| mapping_among(files), mapping_named);
    let mapping = mapping.map_err(|mut errors| {
        // Those of files among the paths are known.
        errors.retain(|error| !report.errors.contains(error));
        report.errors.append(&mut errors);
    });
    let is_absolute =
        statsd.is_some_and(|statsd| statsd.gauge_negative == statsd::GaugeNegative::Absolute);
    let gauge_negative = if is_absolute { GaugeNegative::Absolute } else { GaugeNegative::Delta };
    Some(Dialect { gauge_negative, mapping: mapping.ok()?, ..Dialect::default() })
}

fn mapping_named(statsd: &statsd::Statsd) -> Loaded<Arc<Mapping>> {
    Mappings::read(statsd).map(|mappings| mappings.of(&statsd.mappings.0))
}

fn mapping_among(files: &[PathBuf]) -> Loaded<Arc<Mapping>> {
    let mut errors = Vec::new();
    let texts = files.iter().filter_map(|path| Some((path, std::fs::read_to_string(path).ok()?)));
    let parsed: Vec<Mapping> = texts
        .filter(|(path, text)| kind_of(path, text) == Some(Kind::Mappings))
        .filter_map(|(path, text)| mappings::parse(path, &text, &mut errors))
        .collect();
    if errors.is_empty() { Ok(Arc::new(Mapping::join(&parsed))) } else { Err(errors) }
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

fn check_file(path: &Path, smtp: &SmtpDefaults, report: &mut Report) {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            report.errors.push(format!("{}: cannot be read: {error}", path.display()));
            return;
        }
    };
    let Some(kind) = kind_of(path, &text) else { return };
    report.files += 1;
    let errors: Option<Vec<String>> = match kind {
        Kind::Config => {
            let source = Source { file: Some(path.to_owned()), ..Source::default() };
            config::load(&source).err().map(|errors| errors.lines().collect())
        }
        Kind::Rules => check_rules(path, &text, report),
        Kind::Monitors => file::load(&[path.to_owned()])
            .err()
            .map(|errors| errors.0.iter().map(ToString::to_string).collect()),
        Kind::Alerting => notify::Config::parse_with(&text, path, smtp)
            .err()
            .map(|errors| errors.0.iter().map(ToString::to_string).collect()),
        Kind::Mappings => {
            let mut errors = Vec::new();
            mappings::parse(path, &text, &mut errors).is_none().then_some(errors)
        }
        Kind::Runbook => runbooks::parse("", &text)
            .err()
            .map(|(line, message)| vec![format!("{}:{line}:1: {message}", path.display())]),
    };
    report.errors.extend(errors.unwrap_or_default());
}

fn check_rules(path: &Path, text: &str, report: &mut Report) -> Option<Vec<String>> {
    match rules::file::parse(&path.display().to_string(), text) {
        Err(errors) => Some(errors.iter().map(ToString::to_string).collect()),
        Ok(groups) => {
            report.warnings.extend(rules::lint::lint(&groups).iter().map(ToString::to_string));
            None
        }
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
