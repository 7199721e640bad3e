//! `cargo xtask doctor`: which tools are here and how to get the others.

use crate::test::tools;
use crate::{apt, command, web};
use anyhow::{Result, bail};
use std::process::Command;

pub(crate) fn run(args: &[String]) -> Result<()> {
    if !args.is_empty() {
        bail!("usage: cargo xtask doctor");
    }
    let rust = command::capture(Command::new("rustc").arg("--version"))
        .unwrap_or_else(|_| "missing; see https://rustup.rs".to_owned());
    line("rust", &rust);
    line("wasm", &web::describe());
    for tool in tools::ALL {
        let state = match tool.find() {
            Some(path) => path.display().to_string(),
            None if apt::is_usable() => format!("will install {}", tool.packages().join(" ")),
            None => format!("missing; {}", apt::remedy(tool.packages())),
        };
        line(tool.name, &state);
    }
    Ok(())
}

fn line(name: &str, state: &str) {
    println!("{name:<14} {state}");
}
