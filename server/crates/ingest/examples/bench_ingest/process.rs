//! A child process with a folder of its own, watched through `/proc`.

pub(crate) mod procfs;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use procfs::Stat;

/// No program names a file or folder of its own like this.
const OUTPUT: &str = "output.txt";
const START_BOUND: Duration = Duration::from_secs(20);

/// A program that runs. It, the processes that it started and the folder are gone when this is
/// dropped. It stays in our process group, so that an interrupt from the terminal ends it too.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    folder: TempDir,
}

/// The processor time a process has used.
#[derive(Debug, Clone, Default)]
pub(crate) struct Used {
    /// Of all threads and children, those that ended included, in seconds.
    pub(crate) total: f64,
    /// By name of the threads that live, in seconds; without children.
    pub(crate) threads: BTreeMap<String, f64>,
}

impl Used {
    pub(crate) fn since(&self, before: &Self) -> Self {
        let spent = |(name, seconds): (&String, &f64)| {
            (name.clone(), seconds - before.threads.get(name).unwrap_or(&0.0))
        };
        Self { total: self.total - before.total, threads: self.threads.iter().map(spent).collect() }
    }
}

impl Process {
    /// Starts the command; all that it prints goes to a file in the folder.
    pub(crate) fn start(command: &mut Command, folder: TempDir) -> anyhow::Result<Self> {
        let output = File::create(folder.path().join(OUTPUT)).context("making a log")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        Ok(Self { child, folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the program has printed.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder().join(OUTPUT)).unwrap_or_default()
    }

    /// Looks again and again for what says that the program is ready.
    pub(crate) fn wait_until_ready<T>(
        &mut self,
        look: impl Fn(&Self) -> Option<T>,
    ) -> anyhow::Result<T> {
        let deadline = Instant::now() + START_BOUND;
        while Instant::now() < deadline && self.child.try_wait()?.is_none() {
            if let Some(found) = look(self) {
                return Ok(found);
            }
            sleep(Duration::from_millis(20));
        }
        bail!("the program did not start:\n{}", self.log())
    }

    pub(crate) fn used(&self) -> anyhow::Result<Used> {
        let own = stat_of(self.child.id()).context("the program has ended")?;
        let mut used = Used { total: own.cpu_seconds, ..Used::default() };
        used.total += self.descendants().iter().map(|(_, stat)| stat.cpu_seconds).sum::<f64>();
        for thread in threads(self.child.id()) {
            // A thread may end while we look.
            let read = |file| fs::read_to_string(thread.join(file)).unwrap_or_default();
            let seconds = procfs::schedstat_seconds(&read("schedstat")).unwrap_or(0.0);
            *used.threads.entry(read("comm").trim().to_owned()).or_default() += seconds;
        }
        Ok(used)
    }

    /// Resident memory now and at most, in megabytes, of the program and its children.
    pub(crate) fn resident_mb(&self) -> anyhow::Result<(f64, f64)> {
        let (mut now, mut most) = memory_of(self.child.id()).context("the program has ended")?;
        for (id, _) in self.descendants() {
            let (child_now, child_most) = memory_of(id).unwrap_or_default();
            now += child_now;
            most += child_most;
        }
        Ok((now, most))
    }

    /// The children that run and theirs, with their ids.
    fn descendants(&self) -> Vec<(u32, Stat)> {
        let mut found = Vec::new();
        let mut parents = vec![self.child.id()];
        while let Some(parent) = parents.pop() {
            for child in children_of(parent) {
                parents.push(child);
                found.extend(stat_of(child).map(|stat| (child, stat)));
            }
        }
        found
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let descendants = self.descendants();
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
        for (id, before) in descendants {
            // The id may be somebody else's by now.
            let is_same = stat_of(id).is_some_and(|stat| stat.started == before.started);
            if let (true, Ok(id)) = (is_same, i32::try_from(id)) {
                // It may end right now.
                let _: nix::Result<()> = kill(Pid::from_raw(id), Signal::SIGKILL);
            }
        }
    }
}

fn stat_of(id: u32) -> Option<Stat> {
    procfs::stat(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

fn memory_of(id: u32) -> Option<(f64, f64)> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let now = procfs::status_mb(&status, "VmRSS")?;
    Some((now, procfs::status_mb(&status, "VmHWM").unwrap_or(now)))
}

fn threads(id: u32) -> Vec<PathBuf> {
    let folder = fs::read_dir(format!("/proc/{id}/task"));
    folder.into_iter().flatten().flatten().map(|thread| thread.path()).collect()
}

fn children_of(id: u32) -> Vec<u32> {
    let read = |thread: PathBuf| fs::read_to_string(thread.join("children")).unwrap_or_default();
    let texts: Vec<String> = threads(id).into_iter().map(read).collect();
    texts.iter().flat_map(|text| text.split_whitespace()).filter_map(|id| id.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(20);

    /// A zombie has ended, though nobody has asked how.
    fn is_running(id: u32) -> bool {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, fields)| !fields.trim_start().starts_with('Z'))
    }

    #[test]
    fn what_a_program_has_started_ends_with_it() {
        let mut command = Command::new("sh");
        command.args(["-c", "(sleep 1000 & echo ready; wait) & wait"]);
        let mut process = Process::start(&mut command, tempfile::tempdir().unwrap()).unwrap();
        process.wait_until_ready(|process| process.log().contains("ready").then_some(())).unwrap();
        let folder = process.folder().to_owned();
        let mut ids: Vec<u32> = process.descendants().into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids.len(), 2, "a shell and its child");
        ids.push(process.child.id());
        assert!(ids.iter().all(|id| is_running(*id)), "{ids:?}");
        drop(process);
        let deadline = Instant::now() + BOUND;
        while ids.iter().any(|id| is_running(*id)) {
            assert!(Instant::now() < deadline, "some of {ids:?} still run");
            std::thread::yield_now();
        }
        assert!(!folder.exists(), "the folder is gone");
    }

    #[test]
    fn a_program_that_ends_at_once_tells_why() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'no such setting' >&2; exit 1"]);
        let mut process = Process::start(&mut command, tempfile::tempdir().unwrap()).unwrap();
        let error = process.wait_until_ready(|_| None::<()>).unwrap_err();
        assert!(error.to_string().contains("no such setting"), "{error}");
    }
}
