//! `bellwether check --data DIR`: everything in the databases of a data folder is read, and what is
//! damaged is named with what it means and what to do.

use std::{path::Path, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use db::Samples;
use model::Timestamp;
use serde::Serialize;
use tsdb::verify::{self, Place, Verified};

use crate::{
    cli::{
        USAGE, fail,
        progress::{ProgressLine, bytes},
        say, small_runtime,
    },
    http::rfc3339,
    query::blocking,
    store::SqlEngine,
};

const DATABASES: [&str; 3] = ["samples.db", "bellwether.db", "outgoing.db"];

/// What was found.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// The databases that were read.
    databases: Vec<String>,
    samples: Option<Counts>,
    /// One line for each damage, with its remedy; at most a thousand of the samples.
    damages: Vec<String>,
    /// How much is damaged.
    damaged: u64,
    notes: Vec<String>,
}

/// What can be read of the samples.
#[derive(Debug, Clone, Copy, Serialize)]
struct Counts {
    frames: u64,
    blocks: u64,
    pages: u64,
    page_bytes: u64,
    chunks: u64,
    samples: u64,
}

pub(super) fn run(folder: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let found: Vec<&str> =
        DATABASES.into_iter().filter(|name| folder.join(name).exists()).collect();
    if found.is_empty() {
        fail(&format!(
            "{}: there are no databases of Bellwether in this folder. With store.engine = \"postgres\" all \
             is in the database, which pg_amcheck reads from end to end; samples whose checksums do not \
             match are named by the servers, in their logs, their answers and Settings",
            folder.display()
        ));
        return Ok(ExitCode::from(USAGE));
    }
    let report = small_runtime()?.block_on(async {
        let mut report = Report::default();
        for name in found {
            report.database(folder, name).await;
        }
        report
    });
    report.print(as_json)?;
    Ok(if report.damaged == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Report {
    fn note(&mut self, damage: String) {
        self.damaged += 1;
        self.damages.push(damage);
    }

    async fn database(&mut self, folder: &Path, name: &str) {
        let path = folder.join(name);
        self.databases.push(name.to_owned());
        match db::integrity::check(&path).await {
            Ok(faults) => {
                for fault in faults {
                    self.note(format!(
                        "{name}: {fault}. The file was changed by something else, or its disk fails; bring \
                         back a backup with `bellwether restore`"
                    ));
                }
            }
            Err(error) => {
                self.note(model::text::causes(&error));
                return;
            }
        }
        if name == DATABASES[0]
            && let Err(error) = self.samples(&path).await
        {
            self.note(format!("{name}: {error:#}"));
        }
    }

    async fn samples(&mut self, path: &Path) -> anyhow::Result<()> {
        let samples = Samples::open_snapshot(path).await?;
        let engine = Arc::new(SqlEngine::new(
            samples.clone(),
            tokio::runtime::Handle::current(),
            Arc::default(),
        ));
        let verified = blocking(move || {
            let mut line = ProgressLine::new("samples.db");
            verify::verify(&*engine, &mut |at| {
                let what = || format!("{} of {}", bytes(at.done_bytes), bytes(at.total_bytes));
                line.show(at.done_bytes, Some(at.total_bytes), what);
            })
        })
        .await;
        samples.close().await;
        let verified = verified.context("the samples cannot be read")?;
        self.damaged += verified.damaged - verified.damages.len() as u64;
        for damage in &verified.damages {
            self.note(format!("samples.db: {damage}. {}", meaning(&damage.place)));
        }
        if !verified.stray_blocks.is_empty() {
            self.notes.push(format!(
                "samples.db: {} blocks were left half written by a crash; the next start removes them",
                verified.stray_blocks.len()
            ));
        }
        self.samples = Some(Counts::of(&verified));
        Ok(())
    }

    fn print(&self, as_json: bool) -> serde_json::Result<()> {
        if as_json {
            say(&serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        self.damages.iter().for_each(|damage| fail(damage));
        self.notes.iter().for_each(|note| say(note));
        if let Some(Counts { frames, blocks, pages, page_bytes, chunks, samples }) = self.samples {
            say(&format!(
                "samples.db: {samples} samples in {chunks} chunks on {pages} pages ({}) of {blocks} blocks, \
                 and {frames} flushes that are not in a block yet",
                bytes(page_bytes)
            ));
        }
        say(&format!("{} read, {} damages", self.databases.join(", "), self.damaged));
        Ok(())
    }
}

impl Counts {
    fn of(verified: &Verified) -> Self {
        Self {
            frames: verified.frames,
            blocks: verified.blocks,
            pages: verified.pages,
            page_bytes: verified.page_bytes,
            chunks: verified.chunks,
            samples: verified.samples + verified.frame_samples,
        }
    }
}

/// What a damage costs, and what to do about it.
fn meaning(place: &Place) -> String {
    let range = |(start, end): (Timestamp, Timestamp)| {
        format!("between {} and {}", rfc3339(start), rfc3339(end))
    };
    let lost = match place {
        Place::Frame { timestamp, .. } => {
            format!("The flush of {} is left out, with those that build on it", rfc3339(*timestamp))
        }
        Place::Block { range: times, .. } => {
            format!("All samples of the block {} are left out", range(*times))
        }
        Place::Page { range: times, .. } => {
            format!("The samples of its series {} are left out", range(*times))
        }
        Place::Chunk { range: times, .. } => format!("Its samples {} are left out", range(*times)),
    };
    format!("{lost}; the rest is served. To have them again, restore a backup; look after the disk")
}
