//! The folders of Prometheus's blocks.

use std::{
    fs::File,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use import::BlockFiles;

use super::{ImportError, Importer};

/// The folders of blocks below a folder, or the folder itself, in order of name, which is their order in
/// time.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn find_blocks(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_block = |path: &Path| path.join("meta.json").is_file() && path.join("index").is_file();
    if is_block(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    let mut blocks = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if is_block(&path) {
            blocks.push(path);
        }
    }
    blocks.sort();
    Ok(blocks)
}

/// Imports a block; see [`import::read_block`].
///
/// # Errors
/// When the block's files cannot be opened or are damaged as a whole, or the store cannot be written.
pub(crate) fn read_block(
    folder: &Path,
    importer: &mut Importer<'_>,
    after_series: &mut dyn FnMut(&Importer<'_>, u64),
) -> Result<(), ImportError> {
    let files = open(folder)?;
    import::read_block(files, importer, &mut |importer, bytes| after_series(importer, bytes))
}

fn open(folder: &Path) -> io::Result<BlockFiles<File>> {
    let entries = std::fs::read_dir(folder.join("chunks"))?.collect::<io::Result<Vec<_>>>()?;
    let mut paths: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).collect();
    paths.sort();
    let tombstones = match File::open(folder.join("tombstones")) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        file => Some(file?),
    };
    Ok(BlockFiles {
        name: folder.display().to_string(),
        index: File::open(folder.join("index"))?,
        chunks: paths.iter().map(File::open).collect::<io::Result<_>>()?,
        tombstones,
    })
}
