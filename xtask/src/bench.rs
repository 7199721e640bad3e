//! `cargo xtask bench [NAME]`: runs the benchmark programs and keeps their figures. A name stands for
//! all that begin with it: `store` for `store_peers` too.
//!
//! A benchmark is an example program `bench_NAME` of any crate. Each line of its stdout that is a
//! JSON object is one figure; every other line is for the reader. A figure has
//!
//! - `work`: what was done, as in the table of targets;
//! - `value` and `unit`: the result, the median or minimum of several runs;
//! - `target` (may be absent): the number to reach;
//! - `better`: `"lower"` (when absent) or `"higher"`;
//! - anything else the program wants to keep.

use crate::progress;
use crate::{command, files, workspace};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const PREFIX: &str = "bench_";

/// A program and the package it belongs to.
#[derive(Debug, PartialEq, Eq)]
struct Benchmark {
    name: String,
    package: String,
}

impl Benchmark {
    /// Whether the name is its own or its first words: `store` is `store_peers` too.
    fn is_called(&self, name: &str) -> bool {
        self.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    }
}

pub(crate) fn run(args: &[String]) -> Result<()> {
    let metadata = workspace::metadata()?;
    let all = find(&metadata.packages);
    let known = all.iter().map(|b| b.name.as_str()).collect::<Vec<_>>().join(", ");
    let (chosen, rest): (Vec<&Benchmark>, &[String]) = match args {
        [] => (all.iter().collect(), &[]),
        [name, rest @ ..] => (all.iter().filter(|b| b.is_called(name)).collect(), rest),
    };
    if chosen.is_empty() {
        bail!("usage: cargo xtask bench [NAME [ARGS]]; there are: {known}");
    }
    for benchmark in chosen {
        let file = metadata.target_dir.join("bench").join(format!("{}.json", benchmark.name));
        progress::step(&format!("bench {}", benchmark.name), || measure(benchmark, rest, &file))?;
    }
    Ok(())
}

fn find(packages: &[workspace::Package]) -> Vec<Benchmark> {
    let of_package = |package: &workspace::Package| {
        let named = |example: &String| {
            let name = example.strip_prefix(PREFIX)?.to_owned();
            Some(Benchmark { name, package: package.name.clone() })
        };
        package.examples.iter().filter_map(named).collect::<Vec<_>>()
    };
    packages.iter().flat_map(of_package).collect()
}

/// Runs one program with its own arguments, shows its figures and writes them to `file`.
fn measure(benchmark: &Benchmark, args: &[String], file: &Path) -> Result<()> {
    let program = format!("{PREFIX}{}", benchmark.name);
    let mut cargo = command::cargo();
    cargo.args(["run", "--release", "--package", &benchmark.package, "--example", &program]);
    cargo.arg("--").args(args);
    let mut child = cargo.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let stdout = child.stdout.take().context("stdout is piped")?;
    let mut figures = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.with_context(|| format!("reading the output of {program}"))?;
        match serde_json::from_str::<Value>(&line) {
            Ok(figure) if figure.is_object() => {
                println!("{}", sentence(&figure));
                figures.push(figure);
            }
            _ => println!("{line}"),
        }
    }
    let status = child.wait().context("waiting for cargo")?;
    if !status.success() {
        bail!("{program} failed ({status})");
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let compiler = command::capture(Command::new("rustc").arg("--version"))?;
    let result =
        json!({ "name": benchmark.name, "cores": cores, "rustc": compiler, "figures": figures });
    files::write(file, format!("{result:#}\n").as_bytes())?;
    progress::note(format!("{} figures in {}", figures.len(), file.display()));
    Ok(())
}

/// `1,000 names: 0.11 CPU-s per M, target 0.1, 1.10 × target`
fn sentence(figure: &Value) -> String {
    let text = |key: &str| figure[key].as_str().unwrap_or_default();
    let value = figure["value"].as_f64().unwrap_or(f64::NAN);
    let result = format!("{}: {value:.4} {}", text("work"), text("unit"));
    let Some(target) = figure["target"].as_f64() else {
        return result;
    };
    let is_reached = if text("better") == "higher" { value >= target } else { value <= target };
    let verdict = if is_reached { "reached" } else { "missed" };
    format!("{result}, target {target} {verdict}, {:.2} × target", value / target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_with_the_prefix_are_benchmarks() {
        let package = workspace::Package {
            name: "ingest".to_owned(),
            dependencies: Vec::new(),
            examples: vec!["bench_ingest".to_owned(), "replay".to_owned()],
        };
        let expected = Benchmark { name: "ingest".to_owned(), package: "ingest".to_owned() };
        assert_eq!(find(&[package]), [expected]);
    }

    #[test]
    fn a_name_stands_for_all_benchmarks_that_begin_with_it() {
        let benchmark = |name: &str| Benchmark { name: name.to_owned(), package: String::new() };
        assert!(benchmark("store").is_called("store"));
        assert!(benchmark("store_peers").is_called("store"));
        assert!(!benchmark("stores").is_called("store"));
        assert!(!benchmark("store").is_called("store_peers"));
    }

    #[test]
    fn a_figure_reads_as_a_sentence() {
        let cases = [
            ("without a target", json!({"work": "w", "value": 2, "unit": "ms"}), "w: 2.0000 ms"),
            (
                "lower is better",
                json!({"work": "w", "value": 2, "unit": "ms", "target": 4}),
                "w: 2.0000 ms, target 4 reached, 0.50 × target",
            ),
            (
                "higher is better",
                json!({"work": "w", "value": 2, "unit": "M/s", "target": 4, "better": "higher"}),
                "w: 2.0000 M/s, target 4 missed, 0.50 × target",
            ),
        ];
        for (name, figure, expected) in cases {
            assert_eq!(sentence(&figure), expected, "{name}");
        }
    }
}
