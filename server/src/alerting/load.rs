//! Reads the files that say what is alerted on and who is told.

use std::path::{Path, PathBuf};

use notify::{Config as Receivers, config::SmtpDefaults, secret::Secret};
use rules::GroupSpec;

use crate::config::{Config, smtp::Smtp};

/// Everything that was read, or every error that was found.
pub(crate) type Loaded<T> = Result<T, Vec<String>>;

/// The rule groups of all rule files, in order of path.
pub(crate) fn rule_groups(config: &Config) -> Loaded<Vec<GroupSpec>> {
    let mut groups = Vec::new();
    let mut errors = Vec::new();
    for path in expand_all(&config.rules.files, &mut errors) {
        let Some(text) = read(&path, &mut errors) else { continue };
        match rules::file::parse(&path.display().to_string(), &text) {
            Ok(mut found) => groups.append(&mut found),
            Err(found) => errors.extend(found.iter().map(ToString::to_string)),
        }
    }
    if errors.is_empty() { Ok(groups) } else { Err(errors) }
}

/// The routing; without a file everything is kept and nobody is told.
pub(crate) fn receivers(config: &Config) -> Loaded<Receivers> {
    let Some(path) = &config.alerting.config else {
        return Ok(Receivers::with_integrations(Vec::new()));
    };
    let mut errors = Vec::new();
    let Some(text) = read(path, &mut errors) else { return Err(errors) };
    let smtp = smtp_defaults(&config.smtp, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    Receivers::parse_with(&text, path, &smtp)
        .map_err(|errors| errors.0.iter().map(ToString::to_string).collect())
}

/// `[smtp]` of the configuration, for mail receivers that name no server.
pub(crate) fn smtp_defaults(smtp: &Smtp, errors: &mut Vec<String>) -> SmtpDefaults {
    let password_file = smtp.password_file.as_deref().and_then(|path| read(path, errors));
    let password = smtp.password.as_deref().or(password_file.as_deref().map(str::trim_end));
    SmtpDefaults {
        from: smtp.from.clone(),
        smarthost: smtp.server(),
        user: smtp.username.clone(),
        password: password.map(Secret::new),
        require_tls: Some(smtp.require_tls),
        ..SmtpDefaults::default()
    }
}

/// Reads a file or notes why not.
pub(crate) fn read(path: &Path, errors: &mut Vec<String>) -> Option<String> {
    std::fs::read_to_string(path)
        .map_err(|error| errors.push(format!("{}: cannot be read: {error}", path.display())))
        .ok()
}

/// The files that patterns stand for, in order. A pattern without `*` must exist.
pub(crate) fn expand_all(patterns: &[PathBuf], errors: &mut Vec<String>) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for pattern in patterns {
        match expand(pattern) {
            Ok(mut found) => paths.append(&mut found),
            Err(error) => errors.push(format!("{}: {error}", pattern.display())),
        }
    }
    paths.dedup();
    paths
}

/// `*` stands for any part of the file name; folders are written out.
fn expand(pattern: &Path) -> std::io::Result<Vec<PathBuf>> {
    let name = pattern.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some((start, end)) = name.split_once('*') else { return Ok(vec![pattern.to_owned()]) };
    let folder = pattern.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder.unwrap_or(Path::new(".")))? {
        let entry = entry?;
        let file = entry.file_name();
        let Some(file) = file.to_str() else { continue };
        let is_match =
            file.len() >= start.len() + end.len() && file.starts_with(start) && file.ends_with(end);
        if is_match && !file.starts_with('.') {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_part_of_a_file_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yml", "a.yml", ".hidden.yml", "c.yaml", "yml"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let found = expand(&folder.path().join("*.yml")).unwrap();
        let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap()).collect();
        assert_eq!(names, ["a.yml", "b.yml"]);
        assert_eq!(expand(Path::new("x/plain.yml")).unwrap(), [Path::new("x/plain.yml")]);
        assert!(expand(&folder.path().join("missing/*.yml")).is_err());
    }
}
