//! `bellwether import`: history into the data folder of a server that does not run.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use flate2::bufread::MultiGzDecoder;
use model::Clock as _;
use tsdb::Tsdb;

use super::{account::Place, fail, progress::ProgressLine, say};
use crate::{
    app::{self, SystemClock},
    import::{self, Importer, Outcome},
    query::blocking,
};

const BUFFER_BYTES: usize = 1 << 20;

/// Imports history: what `/api/v1/export` of VictoriaMetrics writes, OpenMetrics text with timestamps, or
/// blocks of Prometheus. What is there already is left out, so it can be repeated. It needs a data folder
/// that no server runs on; a server that runs takes lines by POST to `/api/v1/import`.
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Files, with gzip or without, or folders with blocks of Prometheus; `-` for standard input
    #[arg(required = true)]
    sources: Vec<PathBuf>,
    /// What the sources hold; without it, it is told from how they begin
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Print what became of everything as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A series of JSON in each line, as VictoriaMetrics exports it
    Lines,
    /// OpenMetrics text whose samples have timestamps in seconds
    Openmetrics,
    /// A folder with blocks of Prometheus
    Blocks,
}

pub(super) fn run(args: ImportArgs) -> anyhow::Result<ExitCode> {
    let ImportArgs { sources, format, json, place } = args;
    for source in &sources {
        let is_there = source.as_os_str() == "-" || source.exists();
        if !is_there {
            bail!("{}: there is no such file or folder", source.display());
        }
    }
    let config = place.load()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let opened = app::open_offline(&config).await?;
        let store = Arc::clone(&opened.store);
        let outcome = blocking(move || import_all(&store, &sources, format)).await;
        opened.close().await;
        outcome
    })?;
    tell(&outcome, json)
}

fn import_all(
    store: &Tsdb,
    sources: &[PathBuf],
    format: Option<Format>,
) -> anyhow::Result<Outcome> {
    let mut importer = Importer::new(store, SystemClock.now());
    for source in sources {
        let done = import_one(source, format, &mut importer);
        done.with_context(|| format!("importing {} ended early", source.display()))?;
    }
    Ok(importer.finish()?)
}

fn import_one(
    source: &Path,
    format: Option<Format>,
    importer: &mut Importer<'_>,
) -> anyhow::Result<()> {
    let mut line = ProgressLine::new("import");
    if source.is_dir() {
        if format.is_some_and(|format| format != Format::Blocks) {
            bail!("it is a folder; only blocks of Prometheus are");
        }
        return import_blocks(source, importer, &mut line);
    }
    let (input, total): (Box<dyn BufRead>, Option<u64>) = if source.as_os_str() == "-" {
        (Box::new(BufReader::with_capacity(BUFFER_BYTES, std::io::stdin())), None)
    } else {
        let file = File::open(source)?;
        let length = file.metadata()?.len();
        (Box::new(BufReader::with_capacity(BUFFER_BYTES, file)), Some(length))
    };
    let (mut input, total) = unpacked(input, total)?;
    let format = match format {
        Some(format) => format,
        None => guess(&mut *input)?,
    };
    let mut after = |importer: &Importer<'_>, bytes: u64| {
        show(&mut line, bytes, total, importer.read());
    };
    match format {
        Format::Lines => ::import::read_json_lines(&mut *input, importer, &mut after)?,
        Format::Openmetrics => ::import::read_openmetrics(&mut *input, importer, &mut after)?,
        Format::Blocks => bail!("it is a file; name the folder with the blocks of Prometheus"),
    }
    Ok(())
}

fn import_blocks(
    folder: &Path,
    importer: &mut Importer<'_>,
    line: &mut ProgressLine,
) -> anyhow::Result<()> {
    let blocks = import::find_blocks(folder)?;
    if blocks.is_empty() {
        bail!("there are no blocks of Prometheus in it: folders with meta.json, index and chunks");
    }
    let size =
        |block: &PathBuf| std::fs::metadata(block.join("index")).map_or(0, |file| file.len());
    let total = blocks.iter().map(size).sum();
    let mut before = 0;
    for block in &blocks {
        import::read_block(block, importer, &mut |importer, bytes| {
            show(line, before + bytes, Some(total), importer.read());
        })?;
        before += size(block);
    }
    Ok(())
}

/// What gzip packed is told by its first bytes. How much of it was read cannot be told from what comes
/// out, so there is no share then.
fn unpacked(
    mut input: Box<dyn BufRead>,
    total: Option<u64>,
) -> std::io::Result<(Box<dyn BufRead>, Option<u64>)> {
    if input.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        let unpacked = BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(input));
        return Ok((Box::new(unpacked), None));
    }
    Ok((input, total))
}

/// Lines of JSON begin with a brace, and nothing in OpenMetrics does.
fn guess(input: &mut dyn BufRead) -> std::io::Result<Format> {
    loop {
        match input.fill_buf()?.first() {
            Some(b'{') => return Ok(Format::Lines),
            Some(byte) if byte.is_ascii_whitespace() => input.consume(1),
            _ => return Ok(Format::Openmetrics),
        }
    }
}

fn show(line: &mut ProgressLine, done: u64, total: Option<u64>, samples: u64) {
    let seconds = line.elapsed().as_secs_f64().max(0.001);
    line.show(done, total, || {
        format!("{samples} samples, {:.0} samples/s", samples as f64 / seconds)
    });
}

/// Exit code 1 when anything was refused.
fn tell(outcome: &Outcome, as_json: bool) -> anyhow::Result<ExitCode> {
    if as_json {
        say(&serde_json::to_string_pretty(outcome)?);
    } else {
        outcome.errors.iter().for_each(|error| fail(error));
        say(&outcome.to_string());
    }
    Ok(if outcome.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
