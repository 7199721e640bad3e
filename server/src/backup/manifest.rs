//! What a backup holds.

use std::{io::Read, path::Path};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The name of the list in a backup.
pub(super) const FILE: &str = "backup.json";
/// The version of the list's form.
const FORMAT: u32 = 1;
/// The databases of a data folder.
pub(super) const DATABASES: [&str; 3] = ["samples.db", "bellwether.db", "outgoing.db"];

const BUFFER_BYTES: usize = 1 << 20;

/// The list of a backup's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    format: u32,
    /// The version that made it.
    pub(crate) version: String,
    /// The moment whose state it holds, in RFC 3339.
    pub(crate) taken_at: String,
    pub(crate) files: Vec<Entry>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// In hexadecimal.
    pub(crate) sha256: String,
}

impl Manifest {
    pub(super) fn new(taken_at: String, files: Vec<Entry>) -> Self {
        Self { format: FORMAT, version: env!("CARGO_PKG_VERSION").to_owned(), taken_at, files }
    }

    pub(super) fn to_text(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Reads a list and checks that it names known files only.
    pub(super) fn parse(text: &[u8], from: &Path) -> anyhow::Result<Self> {
        let manifest: Self = serde_json::from_slice(text).with_context(|| {
            format!("the list of files of the backup {} is damaged", from.display())
        })?;
        if manifest.format != FORMAT {
            bail!(
                "the backup {} was made by Bellwether {}, in a form this version does not know; restore it \
                 with that version",
                from.display(),
                manifest.version
            );
        }
        if let Some(entry) = manifest.files.iter().find(|e| !DATABASES.contains(&e.name.as_str())) {
            bail!("the backup {} lists a file `{}`, which is unknown", from.display(), entry.name);
        }
        Ok(manifest)
    }

    pub(crate) fn total_bytes(&self) -> u64 {
        self.files.iter().map(|entry| entry.bytes).sum()
    }
}

/// Length and checksum of what a reader gives; each piece is handed on.
pub(super) fn digest(
    mut reader: impl Read,
    mut each: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<(u64, String)> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut length, mut hash) = (0, Sha256::new());
    loop {
        let count = reader.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        let piece = &buffer[..count];
        hash.update(piece);
        each(piece)?;
        length += count as u64;
    }
    Ok((length, model::text::hex(&hash.finalize())))
}
