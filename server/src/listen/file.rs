//! The file of a socket: made at the start, gone at the end, never taken from another process.

use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net::{UnixDatagram, UnixStream},
    },
    path::{Path, PathBuf},
};

use super::Transport;

/// Removes its file when it is dropped, unless another file took its place.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    /// Removes a socket file that a process left behind.
    ///
    /// # Errors
    /// When the file is no socket, or when a process still listens on it.
    pub(super) fn make_room(path: &Path, transport: Transport) -> io::Result<()> {
        let kind = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?.file_type(),
        };
        if !kind.is_socket() {
            let message = "a file that is no socket is in the way";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        let answer = match transport {
            Transport::UnixStream => UnixStream::connect(path).map(drop),
            _ => UnixDatagram::unbound()?.connect(path),
        };
        match answer {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
            // Also a socket of another type: the kernel says so only when somebody listens.
            _ => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens on it")),
        }
    }

    /// Takes charge of a file that was just made, and says who may use it.
    ///
    /// # Errors
    /// When its permissions cannot be set.
    pub(super) fn adopt(path: &Path, mode: u32) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        let file = Self { path: path.to_owned(), device: found.dev(), inode: found.ino() };
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        Ok(file)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        if !is_ours {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a socket file cannot be removed");
        }
    }
}
