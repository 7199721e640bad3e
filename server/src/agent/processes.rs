//! Processes by command: `/proc/<pid>/stat` of all, `/proc/<pid>/fd` of those that are told.
//!
//! What counts is who uses the machine, not how many processes do it: all with the same command name
//! are one. Told are the commands that used the most processor time or memory, and those that did so
//! within [`KEPT`]: a command that leaves the top does not end as a line in the air, its numbers go on.
//! One that is forgotten gets a last 0.
//!
//! Arguments are never read: they may hold secrets. Threads of the kernel are one command, `[kernel]`.
//! At most [`NAMES_PER_TOP`] times the top are known by name, so that names made up at random cannot
//! make series without end; the others are told as `[other]`.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    time::Duration,
};

use super::{
    collector::Output,
    source::{Roots, Source},
};

/// How long a command is told after it was last in the top.
const KEPT: Duration = Duration::from_mins(10);
/// Names known at a time, for each place in the top.
const NAMES_PER_TOP: usize = 4;
const KERNEL: &str = "[kernel]";
const OTHER: &str = "[other]";
/// `PF_KTHREAD` of the kernel's `include/linux/sched.h`.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// What is remembered between two collections.
#[derive(Debug, Default)]
pub(super) struct Processes {
    /// How many commands make the top, by processor time and by memory each; 0 turns it off.
    top: usize,
    /// Processor time in ticks of each process, by its number and start.
    ticks: HashMap<(u32, u64), u64>,
    /// Commands that are told, with the time they were last in the top.
    told: BTreeMap<String, Duration>,
    /// Processes that were gone before they could be read, since the start.
    vanished: u64,
    /// Processes whose files may not be read, since the start.
    denied: u64,
}

/// One process, from its `stat`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    command: String,
    is_kernel: bool,
    /// Processor time since its start, in ticks.
    ticks: u64,
    threads: u64,
    /// In ticks since the machine's start; tells it from another with the same number.
    start: u64,
    resident_pages: u64,
}

/// All processes with one command.
#[derive(Debug, Default)]
struct Command {
    ids: Vec<u32>,
    ticks: u64,
    threads: u64,
    resident_pages: u64,
}

impl Command {
    fn merge(&mut self, other: Self) {
        self.ids.extend(other.ids);
        self.ticks += other.ticks;
        self.threads += other.threads;
        self.resident_pages += other.resident_pages;
    }
}

impl Processes {
    pub(super) fn new(top: usize) -> Self {
        Self { top, ..Self::default() }
    }

    /// Adds processor time, memory, threads and open files of the top commands; `now` as for the
    /// collector.
    pub(super) fn collect(&mut self, source: &mut Source, output: &mut Output, now: Duration) {
        if self.top == 0 {
            return;
        }
        let Some(total) = source.proc("stat").as_deref().and_then(total_ticks) else { return };
        let folder = source.roots.proc.clone();
        let Some(names) = source.names(&folder) else { return };
        let is_first = self.ticks.is_empty();
        let mut commands = self.read(&source.roots, &names);
        let elapsed_ticks = output.added("process ticks", &[("cpu", "all")], total);
        if let (false, Some(elapsed_ticks)) = (is_first, elapsed_ticks) {
            self.choose(&mut commands, now);
            self.tell(&commands, &source.roots, output, elapsed_ticks, now);
        }
        for (reason, count) in [("vanished", self.vanished), ("denied", self.denied)] {
            let tags = &[("reason", reason)];
            output.counter("host.agent.unreadable_processes", tags, count as f64);
        }
    }

    /// Reads every process and adds up by command what it used since the last time.
    fn read(&mut self, roots: &Roots, names: &[String]) -> HashMap<String, Command> {
        let before = std::mem::take(&mut self.ticks);
        let mut commands: HashMap<String, Command> = HashMap::new();
        for id in names.iter().filter_map(|name| name.parse::<u32>().ok()) {
            let text = match fs::read(roots.proc.join(format!("{id}/stat"))) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(error) => {
                    self.note(&error);
                    continue;
                }
            };
            let Some(process) = parse(&text) else { continue };
            let key = (id, process.start);
            // One that is new began since the last time, so all it used is of that time.
            let used = process.ticks.saturating_sub(before.get(&key).copied().unwrap_or_default());
            self.ticks.insert(key, process.ticks);
            let name = if process.is_kernel { KERNEL.to_owned() } else { process.command };
            let command = commands.entry(name).or_default();
            command.ids.push(id);
            command.ticks += used;
            command.threads += process.threads;
            command.resident_pages += process.resident_pages;
        }
        commands
    }

    /// Notes which commands are in the top now. Those for whom there is no name left become one.
    fn choose(&mut self, commands: &mut HashMap<String, Command>, now: Duration) {
        let mut top = ranked(commands, self.top, |command| command.ticks);
        top.extend(ranked(commands, self.top, |command| command.resident_pages));
        for name in top {
            let is_room = self.told.len() < self.top * NAMES_PER_TOP;
            if is_room || self.told.contains_key(&name) {
                self.told.insert(name, now);
            } else if let Some(command) = commands.remove(&name) {
                commands.entry(OTHER.to_owned()).or_default().merge(command);
                self.told.insert(OTHER.to_owned(), now);
            }
        }
    }

    fn tell(
        &mut self,
        commands: &HashMap<String, Command>,
        roots: &Roots,
        output: &mut Output,
        elapsed_ticks: f64,
        now: Duration,
    ) {
        let page_bytes = rustix::param::page_size() as f64;
        let nothing = Command::default();
        for (name, at) in std::mem::take(&mut self.told) {
            let is_kept = now.saturating_sub(at) <= KEPT;
            let command = commands.get(&name).filter(|_| is_kept).unwrap_or(&nothing);
            let tags = &[("command", name.as_str())];
            output.ratio("host.process.cpu_ratio", tags, command.ticks as f64, elapsed_ticks);
            let memory = command.resident_pages as f64 * page_bytes;
            output.gauge("host.process.memory_bytes", tags, memory);
            output.gauge("host.process.count", tags, command.ids.len() as f64);
            output.gauge("host.process.threads", tags, command.threads as f64);
            if let Some(open) = self.open_files(&command.ids, roots) {
                output.gauge("host.process.file_descriptors", tags, open as f64);
            }
            if is_kept {
                self.told.insert(name, at);
            }
        }
    }

    /// Open files of all these processes; `None` when those of one may not be counted.
    fn open_files(&mut self, ids: &[u32], roots: &Roots) -> Option<usize> {
        let mut open = 0;
        for id in ids {
            match fs::read_dir(roots.proc.join(format!("{id}/fd"))) {
                Ok(entries) => open += entries.count(),
                Err(error) => {
                    self.note(&error);
                    if error.kind() == io::ErrorKind::PermissionDenied {
                        return None;
                    }
                }
            }
        }
        Some(open)
    }

    fn note(&mut self, error: &io::Error) {
        if error.kind() == io::ErrorKind::PermissionDenied {
            self.denied += 1;
        } else {
            self.vanished += 1;
        }
    }
}

/// The commands with the most of something, and any of it.
fn ranked(
    commands: &HashMap<String, Command>,
    top: usize,
    value: fn(&Command) -> u64,
) -> Vec<String> {
    let mut ranked: Vec<(u64, &String)> =
        commands.iter().map(|(name, command)| (value(command), name)).collect();
    ranked.retain(|(value, _)| *value > 0);
    ranked.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    ranked.into_iter().take(top).map(|(_, name)| name.clone()).collect()
}

/// Ticks of all processors and modes, from the line `cpu` of `/proc/stat`; the two columns behind
/// `steal` are contained in others.
fn total_ticks(stat: &str) -> Option<f64> {
    let columns = stat.lines().find_map(|line| line.strip_prefix("cpu "))?.split_whitespace();
    columns.take(8).map(|column| column.parse::<f64>().ok()).sum()
}

/// `/proc/<pid>/stat`: the command stands in parentheses and may hold any, so the last one ends it.
/// Numbers of fields as in the manual page `proc_pid_stat`.
fn parse(text: &str) -> Option<Process> {
    let (before, after) = text.rsplit_once(')')?;
    let (_, command) = before.split_once('(')?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    // The first field behind the command is number 3.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Process {
        command: command.to_owned(),
        is_kernel: field(9)? & KERNEL_THREAD != 0,
        ticks: field(14)? + field(15)?,
        threads: field(20)?,
        start: field(22)?,
        resident_pages: field(24)?,
    })
}

#[cfg(test)]
mod tests;
