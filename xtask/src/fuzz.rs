//! `cargo xtask fuzz [TARGET] [--seconds N]`: hostile bytes for the decoders.
//!
//! The targets are in `fuzz/targets`. They are built by the stable compiler with coverage counters,
//! which is all libFuzzer needs; what it learns is kept in `target/fuzz`. An input that breaks a
//! target is written next to it and named in the output: make it a test.

use crate::progress;
use crate::{command, workspace};
use anyhow::{Context as _, Result, bail};
use std::path::Path;
use std::process::Command;

const DEFAULT_SECONDS: u32 = 60;
/// Counters for every branch and comparison, as libFuzzer reads them.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

pub(crate) fn run(args: &[String]) -> Result<()> {
    let (seconds, chosen) = match args {
        [] => (DEFAULT_SECONDS, None),
        [target] => (DEFAULT_SECONDS, Some(target)),
        [option, seconds] if option == "--seconds" => (number(seconds)?, None),
        [target, option, seconds] if option == "--seconds" => (number(seconds)?, Some(target)),
        _ => bail!("usage: cargo xtask fuzz [TARGET] [--seconds N]"),
    };
    let all = targets()?;
    let targets: Vec<&String> =
        all.iter().filter(|target| chosen.is_none_or(|chosen| chosen == *target)).collect();
    if targets.is_empty() {
        bail!("no such target; there are: {}", all.join(", "));
    }
    let folder = workspace::metadata()?.target_dir.join("fuzz");
    let host = command::capture(Command::new("rustc").arg("-vV"))?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).context("no host")?;
    progress::step("build the fuzz targets", || {
        let mut cargo = command::cargo();
        // With `--target` the flags are not for build scripts.
        cargo.args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml", "--target", host]);
        command::run(cargo.arg("--target-dir").arg(&folder).env("RUSTFLAGS", COVERAGE))
    })?;
    for target in targets {
        let program = folder.join(host).join("release").join(target);
        progress::step(&format!("fuzz {target}"), || fuzz(&program, target, &folder, seconds))?;
    }
    Ok(())
}

fn number(text: &str) -> Result<u32> {
    text.parse().with_context(|| format!("`{text}` is not a number of seconds"))
}

fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for file in std::fs::read_dir("fuzz/targets").context("reading fuzz/targets")? {
        let path = file?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn fuzz(program: &Path, target: &str, folder: &Path, seconds: u32) -> Result<()> {
    let corpus = folder.join("corpus").join(target);
    std::fs::create_dir_all(&corpus).with_context(|| format!("making {}", corpus.display()))?;
    let found = folder.join("found").join(target);
    std::fs::create_dir_all(&found).with_context(|| format!("making {}", found.display()))?;
    let mut command = Command::new(program);
    command
        .arg(format!("-max_total_time={seconds}"))
        // An input that takes this long or this much is an error too.
        .args(["-timeout=5", "-rss_limit_mb=1024", "-max_len=65536", "-print_final_stats=1"])
        .arg(format!("-artifact_prefix={}/", found.display()))
        .arg(&corpus)
        .arg(Path::new("fuzz/seeds").join(target));
    command::run(&mut command)
}
