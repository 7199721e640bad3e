//! Making a backup, while a server runs on the folder or not.

use std::{
    ffi::OsString,
    fs::{self, File},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use db::backup::{CopyPlan, FileCopy};
use model::Clock;

use super::{
    Progress, archive, is_archive,
    manifest::{self, DATABASES, Entry, FILE, Manifest},
};

/// Copies the databases of a data folder as they are at one moment. `target` becomes a folder, or one
/// file when its name ends in `.tar`; it appears when it is complete.
///
/// # Errors
/// When there is nothing to copy, when the target exists, or when it cannot be written. Nothing is left
/// behind.
pub(crate) async fn make(
    data: &Path,
    target: &Path,
    clock: &dyn Clock,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> anyhow::Result<Manifest> {
    let found: Vec<&str> = DATABASES.into_iter().filter(|name| data.join(name).exists()).collect();
    if !found.contains(&DATABASES[0]) {
        bail!(
            "{} holds no samples.db; name the data folder with --data or the configuration with --config",
            data.display()
        );
    }
    expect_free(target)?;
    let work = Scratch::beside(target)?;
    let plans =
        found.iter().map(|name| CopyPlan { source: data.join(name), target: work.0.join(name) });
    let copies = db::backup::begin(plans.collect()).await?;
    let taken_at = crate::http::rfc3339(clock.now());
    let files = copy(copies, progress).await?;
    let manifest = Manifest::new(taken_at, files);
    fs::write(work.0.join(FILE), manifest.to_text()?)?;
    sync(&work.0.join(FILE))?;
    sync(&work.0)?;
    let context = || format!("cannot write the backup {}", target.display());
    if is_archive(target) {
        let file = work.0.join("archive");
        archive::pack(&work.0, &manifest, &file).with_context(context)?;
        fs::rename(&file, target).with_context(context)?;
    } else {
        fs::rename(&work.0, target).with_context(context)?;
    }
    sync(&parent_of(target)).with_context(context)?;
    Ok(manifest)
}

async fn copy(
    copies: Vec<FileCopy>,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> anyhow::Result<Vec<Entry>> {
    let total_bytes = copies.iter().map(FileCopy::total_bytes).sum();
    let (mut before, mut files) = (0, Vec::new());
    for copy in copies {
        let (path, bytes) = (copy.target().to_owned(), copy.total_bytes());
        copy.run(&mut |done| {
            progress(Progress { done_bytes: before + done.min(bytes), total_bytes });
        })
        .await?;
        before += bytes;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        let (bytes, sha256) = manifest::digest(File::open(&path)?, |_| Ok(()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push(Entry { name, bytes, sha256 });
    }
    Ok(files)
}

/// A backup never replaces anything.
fn expect_free(target: &Path) -> anyhow::Result<()> {
    let is_empty_folder = || fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_none());
    if target.exists() && (is_archive(target) || !is_empty_folder()) {
        bail!(
            "{} exists already; name a new folder, or a new file that ends in .tar",
            target.display()
        );
    }
    Ok(())
}

/// A folder beside the target, on the same disk, that goes away unless it becomes the target.
struct Scratch(PathBuf);

impl Scratch {
    fn beside(target: &Path) -> anyhow::Result<Self> {
        let Some(name) = target.file_name() else {
            bail!("{} is no name for a backup", target.display());
        };
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}", std::process::id()));
        let folder = parent_of(target);
        let path = folder.join(hidden);
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("cannot make a folder in {}", folder.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It is gone already when it became the target.
        drop(fs::remove_dir_all(&self.0));
    }
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => ".".into(),
    }
}

fn sync(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}
