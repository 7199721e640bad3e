//! A disk that can be full: a small file system of its own where the tests may mount one, else a limit on
//! how large files may become, under which the server's writes fail in the same places.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::Server;

const SIZE: &str = "12m";

/// A folder for data whose room a test decides on.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: TempDir,
    is_mounted: bool,
    /// Takes all room for as long as it runs, also what the server gives back while it is full.
    filling: Option<Child>,
}

async fn succeeds(command: &mut Command) -> bool {
    let output = command.output().await;
    output.is_ok_and(|output| output.status.success())
}

impl Disk {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={SIZE}"), "tmpfs"]).arg(folder.path());
        let is_mounted = succeeds(&mut mount).await;
        Self { folder, is_mounted, filling: None }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn filler(&self) -> PathBuf {
        self.folder.path().join("filler")
    }

    /// Leaves no room.
    pub(crate) async fn fill(&mut self, server: &Server) {
        if self.is_mounted {
            let fill = format!("cat /dev/zero >>{}", self.filler().display());
            // It ends by having no room.
            assert!(!succeeds(Command::new("sh").args(["-c", &fill])).await);
            let script = format!("while sleep 0.05; do {fill}; done 2>/dev/null");
            let mut shell = Command::new("sh");
            self.filling = Some(shell.args(["-c", &script]).kill_on_drop(true).spawn().unwrap());
        } else {
            limit(server, "1").await;
        }
    }

    /// Makes room again.
    pub(crate) async fn make_room(&mut self, server: &Server) {
        if let Some(mut filling) = self.filling.take() {
            filling.kill().await.unwrap();
        }
        if self.is_mounted {
            std::fs::remove_file(self.filler()).unwrap();
        } else {
            limit(server, "unlimited").await;
        }
    }
}

/// Sets how large files may become that the server writes; what is there stays as it is.
async fn limit(server: &Server, bytes: &str) {
    let mut prlimit = Command::new("prlimit");
    prlimit.arg(format!("--pid={}", server.id())).arg(format!("--fsize={bytes}:unlimited"));
    assert!(succeeds(&mut prlimit).await, "prlimit of util-linux is needed");
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted {
            let path = self.folder.path();
            // Lazily: the server may still be about to end.
            drop(std::process::Command::new("umount").arg("--lazy").arg(path).status());
        }
    }
}
