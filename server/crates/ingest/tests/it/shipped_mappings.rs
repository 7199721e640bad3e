//! The mapping files that come with the program, on lines as their senders write them.
//!
//! Beside each sample lies what it becomes: `NAME.txt` and `NAME.expected`.

use std::{fs, path::PathBuf, sync::Arc};

use ingest::{Dialect, Mapping, Reason, explain};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../config/mappings"))
}

/// What each line becomes, in a line of its own.
fn told(dialect: &Dialect, sample: &str) -> String {
    let lines = sample.lines().filter(|line| !line.starts_with('#'));
    lines
        .flat_map(|line| [line, "\n    ", &outcome(dialect, line), "\n"].map(str::to_owned))
        .collect()
}

fn outcome(dialect: &Dialect, line: &str) -> String {
    let explained = explain(dialect, line.as_bytes());
    let series = explained.series.iter().map(|series| {
        let scale = match series.scale {
            1.0 => String::new(),
            scale => format!(" times {scale}"),
        };
        let rule = if series.rule.is_none() { ", no rule" } else { "" };
        format!("{} {}{scale}{rule}", series.labels, series.kind.as_str())
    });
    let refused = explained.refused.map(|reason| match reason {
        Reason::MappingDrop => "dropped".to_owned(),
        reason => format!("refused: {}", reason.as_str()),
    });
    series.chain(refused).collect::<Vec<_>>().join("; ")
}

#[test]
fn every_shipped_mapping_makes_of_its_sample_what_is_written_beside_it() {
    let mut checked = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yml") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap();
        let rules = fs::read_to_string(&path).unwrap();
        let mapping =
            Mapping::parse_named(name, &rules).unwrap_or_else(|error| panic!("{name}: {error}"));
        let dialect = Dialect { mapping: Arc::new(mapping), ..Dialect::default() };
        let read = |ending: &str| {
            let path = folder().join(format!("samples/{name}.{ending}"));
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        assert_eq!(told(&dialect, &read("txt")), read("expected"), "{name}");
        checked += 1;
    }
    assert!(checked >= 6, "{checked}");
}

#[test]
fn shipped_mappings_do_not_take_each_others_lines() {
    let files: Vec<(String, Mapping)> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let rules = fs::read_to_string(&path).unwrap();
            (name.clone(), Mapping::parse_named(&name, &rules).unwrap())
        })
        .collect();
    for (name, _) in &files {
        let sample = fs::read_to_string(folder().join(format!("samples/{name}.txt"))).unwrap();
        for (other, mapping) in files.iter().filter(|(other, _)| other != name) {
            let mapping = Arc::new(Mapping::join([mapping]));
            let dialect = Dialect { mapping, ..Dialect::default() };
            for line in sample.lines().filter(|line| !line.starts_with('#')) {
                let explained = explain(&dialect, line.as_bytes());
                let is_taken = explained.dropped_by.is_some()
                    || explained.series.iter().any(|series| series.rule.is_some());
                assert!(!is_taken, "{other} has a rule for a line of {name}: {line}");
            }
        }
    }
}
