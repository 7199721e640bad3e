//! Which package of ours may import which, and where the heavy libraries may appear.
//!
//! Our packages are checked as they are shipped: a test may use any of them. Heavy libraries are
//! checked in tests too, because the point is that the core compiles and tests in seconds.

use crate::workspace::Package;

/// What each of our packages may import of ours.
const ALLOWED: [(&str, &[&str]); 16] = [
    ("model", &[]),
    ("quantity", &[]),
    ("yaml", &[]),
    ("api-types", &["quantity"]),
    ("chart", &["quantity"]),
    ("import", &["model"]),
    ("ingest", &["model"]),
    ("remote", &["model"]),
    ("tsdb", &["model"]),
    ("promql", &["model"]),
    ("rules", &["model", "promql", "yaml"]),
    ("notify", &["model", "quantity", "yaml"]),
    ("db", &["model"]),
    (
        "bellwether",
        &[
            "model",
            "api-types",
            "chart",
            "import",
            "ingest",
            "tsdb",
            "promql",
            "quantity",
            "rules",
            "notify",
            "db",
            "remote",
            "yaml",
        ],
    ),
    ("web", &["api-types", "chart"]),
    ("xtask", &[]),
];

/// Libraries that are slow to compile or bound to the outside world, and who may use them.
const RIM: [(&str, &[&str]); 8] = [
    ("axum", &["bellwether"]),
    ("clap", &["bellwether"]),
    ("leptos", &["web"]),
    ("lettre", &["notify"]),
    ("plotters", &["chart", "web", "bellwether"]),
    ("reqwest", &["notify", "bellwether"]),
    ("sqlx", &["db"]),
    ("tokio", &["db", "notify", "bellwether"]),
];

pub(super) fn check(packages: &[Package]) -> Vec<String> {
    packages.iter().flat_map(|package| check_package(package, packages)).collect()
}

fn check_package(package: &Package, all: &[Package]) -> Vec<String> {
    let name = &package.name;
    let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| known == name) else {
        return vec![format!(
            "{name}: has no row in the import table of xtask/src/tidy/imports.rs"
        )];
    };
    let mut findings = Vec::new();
    for dependency in &package.dependencies {
        let other = &dependency.name;
        let is_ours = all.iter().any(|package| package.name == *other);
        if is_ours && !dependency.is_dev && !allowed.contains(&other.as_str()) {
            findings.push(format!("{name}: must not import {other}; allowed: {}", list(allowed)));
        }
        let rim = RIM.iter().find(|(library, _)| library == other);
        if let Some((_, users)) = rim.filter(|(_, users)| !users.contains(&name.as_str())) {
            findings.push(format!("{name}: must not use {other}, which stays in {}", list(users)));
        }
    }
    findings
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    fn package(name: &str, imports: &[&str], dev_imports: &[&str]) -> Package {
        let dependency =
            |is_dev| move |name: &&str| Dependency { name: (*name).to_owned(), is_dev };
        let normal = imports.iter().map(dependency(false));
        let dependencies = normal.chain(dev_imports.iter().map(dependency(true))).collect();
        Package { name: name.to_owned(), dependencies, examples: Vec::new() }
    }

    #[track_caller]
    fn check_one(name: &str, subject: Package, expected: &[&str]) {
        let packages = [package("model", &[], &[]), package("tsdb", &["model"], &[]), subject];
        assert_eq!(check(&packages), expected, "{name}");
    }

    #[test]
    fn imports_follow_the_table() {
        check_one("allowed", package("ingest", &["model", "regex"], &[]), &[]);
        check_one(
            "not allowed",
            package("promql", &["tsdb"], &[]),
            &["promql: must not import tsdb; allowed: model"],
        );
        check_one("allowed in tests", package("promql", &["model"], &["tsdb"]), &[]);
        check_one(
            "unknown package",
            package("extra", &[], &[]),
            &["extra: has no row in the import table of xtask/src/tidy/imports.rs"],
        );
        check_one(
            "heavy library in a core crate's tests",
            package("rules", &["model"], &["tokio"]),
            &["rules: must not use tokio, which stays in db, notify, bellwether"],
        );
        check_one("heavy library at the rim", package("db", &["sqlx", "tokio"], &[]), &[]);
    }
}
