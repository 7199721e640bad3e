//! A backup as one file: a tar archive without compression, because what is large in it is compressed
//! already.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::{Context as _, bail};

use super::manifest::{FILE, Manifest};

/// The longest list of files that is read.
const MAX_LIST_BYTES: u64 = 1 << 20;

/// Writes the files of a backup to an archive, the list first, and syncs it to disk.
pub(super) fn pack(folder: &Path, manifest: &Manifest, archive: &Path) -> io::Result<()> {
    let mut builder = tar::Builder::new(
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(archive)?,
    );
    builder.mode(tar::HeaderMode::Deterministic);
    for name in [FILE].into_iter().chain(manifest.files.iter().map(|entry| entry.name.as_str())) {
        builder.append_path_with_name(folder.join(name), name)?;
    }
    let file = builder.into_inner()?;
    file.sync_all()
}

/// Reads an archive: the list, handed to `begin`, then each file, handed to `take`.
pub(super) fn unpack(
    archive: &Path,
    begin: impl FnOnce(&Manifest) -> anyhow::Result<()>,
    mut take: impl FnMut(&Manifest, &str, &mut dyn io::Read) -> anyhow::Result<()>,
) -> anyhow::Result<Manifest> {
    let context = || format!("cannot read the backup {}", archive.display());
    let mut tar = tar::Archive::new(BufReader::new(File::open(archive).with_context(context)?));
    let mut entries = tar.entries().with_context(context)?;
    let not_one = || format!("{} is not a backup of Bellwether", archive.display());
    let mut first = entries.next().with_context(not_one)?.with_context(not_one)?;
    if first.path_bytes().as_ref() != FILE.as_bytes() {
        bail!("{}", not_one());
    }
    let mut text = Vec::new();
    first.by_ref().take(MAX_LIST_BYTES).read_to_end(&mut text).with_context(context)?;
    let manifest = Manifest::parse(&text, archive)?;
    begin(&manifest)?;
    for entry in entries {
        let mut entry = entry.with_context(context)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        take(&manifest, &name, &mut entry)?;
    }
    Ok(manifest)
}
