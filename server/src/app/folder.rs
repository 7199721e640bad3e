//! The data folder: who may use it, and that only one process does.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{ErrorKind, Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

/// Holds the number of the process that uses the folder, and its lock.
const LOCK: &str = "bellwether.lock";
/// Is there while a restore has replaced some of the files and not all.
const UNFINISHED: &str = "restore.unfinished";

/// The right to change what is in a data folder. It ends with the value, however the process ends.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    /// The lock is the kernel's and is tied to this file being open.
    _lock: File,
}

impl DataFolder {
    /// Makes the folder if it is missing and claims it.
    ///
    /// # Errors
    /// When it cannot be made or written, or when another process has claimed it.
    pub(crate) fn claim(path: &Path) -> anyhow::Result<Self> {
        make(path)?;
        let lock = path.join(LOCK);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock);
        let mut file = file.map_err(|error| unusable(path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who holds it is a help; without it the message says enough.
                drop(file.read_to_string(&mut holder));
                let who = match holder.trim() {
                    "" => "another process".to_owned(),
                    id => format!("process {id}"),
                };
                bail!(
                    "the data folder {} is in use by {who}; stop it first, or choose another folder \
                     with --data or server.data_dir",
                    path.display()
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", lock.display()));
            }
        }
        write_holder(&mut file).map_err(|error| unusable(path, &error))?;
        Ok(Self { path: path.to_owned(), _lock: file })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses a folder in which a restore was interrupted.
    ///
    /// # Errors
    /// When one was: some files are of the backup and some are not.
    pub(crate) fn expect_whole(&self) -> anyhow::Result<()> {
        if self.path.join(UNFINISHED).exists() {
            bail!(
                "a restore into {} was interrupted, so its files do not belong together; repeat \
                 `bellwether restore FROM --force`",
                self.path.display()
            );
        }
        Ok(())
    }

    /// Says that files are being replaced, so that nobody uses half of them after a crash.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(crate) fn begin_restore(&self) -> std::io::Result<()> {
        File::create(self.path.join(UNFINISHED))?.sync_all()?;
        self.sync()
    }

    /// Says that all files have been replaced.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(crate) fn finish_restore(&self) -> std::io::Result<()> {
        self.sync()?;
        fs::remove_file(self.path.join(UNFINISHED))?;
        self.sync()
    }

    fn sync(&self) -> std::io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// Makes a folder that only its owner may look into: the databases hold password hashes and whatever
/// labels tell.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn make(path: &Path) -> anyhow::Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| {
        format!(
            "cannot make the data folder {}; choose another with --data or server.data_dir",
            path.display()
        )
    })
}

fn write_holder(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Why nothing can be written to a folder, and what to do about it.
fn unusable(path: &Path, error: &std::io::Error) -> anyhow::Error {
    let place = path.display();
    let cause = match error.kind() {
        ErrorKind::PermissionDenied => {
            let user = rustix::process::geteuid().as_raw();
            let owner = fs::metadata(path).map_or_else(
                |_| "somebody else".to_owned(),
                |found| format!("user {}", found.uid()),
            );
            format!(
                "the data folder {place} belongs to {owner}, and this process runs as user {user}, who \
                 may not write to it; run `chown -R {user} {place}`, or start as its owner"
            )
        }
        ErrorKind::ReadOnlyFilesystem => format!(
            "the data folder {place} is on a file system that is mounted read-only; mount it writable, \
             or choose another folder with --data or server.data_dir"
        ),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            format!("the disk of the data folder {place} is full; make room on it and start again")
        }
        _ => format!("cannot write to the data folder {place}"),
    };
    anyhow::anyhow!("{cause}: {error}")
}
