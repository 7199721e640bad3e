//! `bellwether backup` and `bellwether restore`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::bail;
use clap::Args;

use super::{
    account::Place,
    progress::{ProgressLine, bytes},
    say,
};
use crate::{
    app::SystemClock,
    backup::{self, Manifest, Progress},
    config::{Config, store::Engine},
};

/// Copies everything that the server keeps, as it is at one moment; the server may run meanwhile. Not
/// copied are configuration files, which belong into version control.
#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// A folder to make, or one file when it ends in `.tar`
    #[arg(value_name = "DIR|FILE.tar")]
    target: PathBuf,
    /// Print what was copied as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// Brings a backup back into a data folder that no server runs on. It is checked before anything is
/// replaced.
#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// What `bellwether backup` made
    from: PathBuf,
    /// Replace the databases that the folder holds
    #[arg(long)]
    force: bool,
    /// Print what was restored as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

pub(super) fn backup(args: BackupArgs) -> anyhow::Result<ExitCode> {
    let config = args.place.load()?;
    expect_files(
        &config,
        "is backed up with PostgreSQL's own tools, while servers run or not: `pg_dump --format=custom \
         --file=bellwether.dump \"$ADDRESS\"`",
    )?;
    let data = &config.server.data_dir;
    let runtime = super::small_runtime()?;
    let manifest = runtime.block_on(async {
        let mut line = ProgressLine::new("backup");
        let mut show = |at: Progress| show(&mut line, at);
        backup::make(data, &args.target, &SystemClock, &mut show).await
    })?;
    tell(&manifest, args.json, &format!("backed up to {}", args.target.display()))
}

pub(super) fn restore(args: RestoreArgs) -> anyhow::Result<ExitCode> {
    let config = args.place.load()?;
    expect_files(
        &config,
        "is restored with PostgreSQL's own tools, into an empty database and with all servers stopped: \
         `pg_restore --exit-on-error --dbname=\"$ADDRESS\" bellwether.dump`",
    )?;
    let data = &config.server.data_dir;
    let mut line = ProgressLine::new("restore");
    let manifest = backup::restore(&args.from, data, args.force, &mut |at| show(&mut line, at))?;
    drop(line);
    tell(&manifest, args.json, &format!("restored to {}", data.display()))
}

/// A PostgreSQL database has tools of its own for this, which do it better.
fn expect_files(config: &Config, instead: &str) -> anyhow::Result<()> {
    if config.store.engine == Engine::Postgres {
        bail!(
            "samples and everything else are in a PostgreSQL database (store.engine = \"postgres\"), which \
             {instead}, with the address of store.url"
        );
    }
    Ok(())
}

fn show(line: &mut ProgressLine, at: Progress) {
    line.show(at.done_bytes, Some(at.total_bytes), || {
        format!("{} of {}", bytes(at.done_bytes), bytes(at.total_bytes))
    });
}

fn tell(manifest: &Manifest, as_json: bool, done: &str) -> anyhow::Result<ExitCode> {
    if as_json {
        say(&serde_json::to_string_pretty(manifest)?);
        return Ok(ExitCode::SUCCESS);
    }
    for entry in &manifest.files {
        say(&format!("{}\t{}", entry.name, bytes(entry.bytes)));
    }
    say(&format!("{done}: the state of {}", manifest.taken_at));
    Ok(ExitCode::SUCCESS)
}
