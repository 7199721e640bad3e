//! Every migration exists for both databases under the same number and name. A schema, which is a folder,
//! that only one database has is left alone: what only ever is a file beside the process needs no other.

use crate::files;
use anyhow::Result;
use std::collections::BTreeSet;
use std::path::Path;

/// A database without a single migration is one that is not supported yet.
pub(super) fn check(folder: &Path) -> Result<Vec<String>> {
    let sqlite = names(&folder.join("sqlite"))?;
    let postgres = names(&folder.join("postgres"))?;
    if sqlite.is_empty() || postgres.is_empty() {
        return Ok(Vec::new());
    }
    let missing = |from: &BTreeSet<String>, other: &BTreeSet<String>, database: &str| {
        from.difference(other)
            .filter(|name| other.iter().any(|known| schema(known) == schema(name)))
            .map(|name| format!("migrations/{database}/{name}: missing, the other database has it"))
            .collect::<Vec<_>>()
    };
    let mut findings = missing(&sqlite, &postgres, "postgres");
    findings.extend(missing(&postgres, &sqlite, "sqlite"));
    Ok(findings)
}

/// The folder of a migration.
fn schema(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Paths of the migrations below `folder`, with the name of the schema they belong to.
fn names(folder: &Path) -> Result<BTreeSet<String>> {
    let tree = files::read_tree(folder)?;
    let is_migration =
        |name: &String| Path::new(name).extension().is_some_and(|extension| extension == "sql");
    Ok(tree.into_keys().filter(is_migration).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_files(name: &str, paths: &[&str], expected: &[&str]) {
        let folder = files::TestFolder::new();
        for path in paths {
            files::write(&folder.path().join(path), b"select 1;").unwrap();
        }
        assert_eq!(check(folder.path()).unwrap(), expected, "{name}");
    }

    #[test]
    fn both_databases_have_the_same_migrations() {
        check_files("nothing yet", &[], &[]);
        check_files("one database only", &["sqlite/0001_a.sql"], &[]);
        check_files("pairs", &["sqlite/0001_a.sql", "postgres/0001_a.sql"], &[]);
        check_files("notes do not count", &["sqlite/0001_a.sql", "postgres/README.md"], &[]);
        check_files(
            "a schema of one database only",
            &["sqlite/a/0001_a.sql", "sqlite/b/0001_a.sql", "postgres/a/0001_a.sql"],
            &[],
        );
        check_files(
            "different",
            &[
                "sqlite/0001_a.sql",
                "sqlite/0002_b.sql",
                "postgres/0001_a.sql",
                "postgres/0002_c.sql",
            ],
            &[
                "migrations/postgres/0002_b.sql: missing, the other database has it",
                "migrations/sqlite/0002_c.sql: missing, the other database has it",
            ],
        );
    }
}
