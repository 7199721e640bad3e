use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::agent::collector::{Collector, Options};

/// `stat` of a process; fields that are not read are 7.
fn stat(id: u32, command: &str, ticks: (u64, u64), threads: u64, start: u64, pages: u64) -> String {
    let (user, system) = ticks;
    format!(
        "{id} ({command}) S 1 7 7 0 -1 4194304 7 7 7 7 {user} {system} 7 7 20 0 {threads} 0 {start} 7 \
         {pages} 7\n"
    )
}

#[test]
fn a_process_is_read_whatever_its_name() {
    let plain = Process {
        command: "sh".to_owned(),
        is_kernel: false,
        ticks: 8,
        threads: 2,
        start: 99,
        resident_pages: 40,
    };
    let named = |command: &str| Process { command: command.to_owned(), ..plain.clone() };
    let kernel = "9 (kworker/0:1) I 2 0 0 0 -1 69238880 0 0 0 0 5 3 0 0 20 0 2 0 99 0 40 1";
    for (case, text, expected) in [
        ("plain", stat(1, "sh", (5, 3), 2, 99, 40), Some(plain.clone())),
        ("spaces", stat(1, "tmux: server", (5, 3), 2, 99, 40), Some(named("tmux: server"))),
        ("parentheses", stat(1, "(a) S 1)", (5, 3), 2, 99, 40), Some(named("(a) S 1)"))),
        ("no name", stat(1, "", (5, 3), 2, 99, 40), Some(named(""))),
        (
            "of the kernel",
            kernel.to_owned(),
            Some(Process { is_kernel: true, ..named("kworker/0:1") }),
        ),
        ("cut", "1 (sh) S 1 7 7".to_owned(), None),
        ("no number", stat(1, "sh", (5, 3), 2, 99, 40).replace(" 99 ", " x "), None),
        ("empty", String::new(), None),
    ] {
        assert_eq!(parse(&text), expected, "{case}");
    }
}

proptest! {
    #[test]
    fn property_a_process_keeps_its_name_and_nothing_panics(
        command in "[ -~]{0,15}", numbers in proptest::collection::vec(any::<u32>(), 5), noise in ".{0,60}"
    ) {
        let [user, system, threads, start, pages] = numbers[..] else { unreachable!() };
        let [user, system, threads, start, pages] =
            [user, system, threads, start, pages].map(u64::from);
        let text = stat(1, &command, (user, system), threads, start, pages);
        let process = parse(&text).unwrap();
        prop_assert_eq!(process.command, command);
        let numbers = (process.ticks, process.threads, process.start, process.resident_pages);
        prop_assert_eq!(numbers, (user + system, threads, start, pages));
        drop(parse(&noise));
        let _total = total_ticks(&noise);
    }
}

struct Machine {
    folder: tempfile::TempDir,
    collector: Collector,
}

impl Machine {
    fn new(top: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let roots = Roots { proc: folder.path().into(), sys: "/none".into(), root: "/none".into() };
        let sources = Options { host: Some("box".to_owned()), top_processes: top };
        Self { collector: Collector::new(roots, sources), folder }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn remove(&self, id: u32) {
        fs::remove_dir_all(Path::new(self.folder.path()).join(id.to_string())).unwrap();
    }

    /// `command value` of a metric about processes, after so many ticks of the machine.
    fn collect(&mut self, ticks: u64, seconds: u64, metric: &str) -> Vec<String> {
        self.write("stat", &format!("cpu  {ticks} 0 0 0 0 0 0 0 0 0\n"));
        let lines = self.collector.collect(Duration::from_secs(seconds), &[]);
        let own = |line: &super::super::line::Line| {
            let (_, command) = line.tags.last().unwrap();
            format!("{command} {}", line.value)
        };
        lines.iter().filter(|line| line.name == metric).map(own).collect()
    }
}

#[test]
fn the_top_is_told_by_command_and_goes_on_for_a_while() {
    let mut machine = Machine::new(1);
    machine.write("10/stat", &stat(10, "web", (100, 0), 4, 1, 10));
    machine.write("11/stat", &stat(11, "web", (0, 0), 4, 2, 10));
    machine.write("12/stat", &stat(12, "db", (0, 0), 1, 3, 900));
    machine.write("13/stat", &stat(13, "idle", (0, 0), 1, 3, 1));
    let cpu = "host.process.cpu_ratio";
    assert!(machine.collect(1_000, 0, cpu).is_empty(), "there is nothing to compare with");

    machine.write("10/stat", &stat(10, "web", (120, 10), 4, 1, 10));
    machine.write("11/stat", &stat(11, "web", (10, 10), 4, 2, 10));
    assert_eq!(machine.collect(1_200, 10, cpu), ["db 0", "web 0.25"]);

    // Another process takes the number of one that ended, and one that is new is counted whole.
    machine.write("10/stat", &stat(10, "batch", (90, 10), 1, 50, 5));
    assert_eq!(machine.collect(1_400, 20, cpu), ["batch 0.5", "db 0", "web 0"]);
    assert_eq!(machine.collect(1_600, 30, "host.process.count"), ["batch 1", "db 1", "web 1"]);

    machine.remove(10);
    machine.remove(11);
    let memory = "host.process.memory_bytes";
    let bytes = 900 * rustix::param::page_size();
    let expected = ["batch 0".to_owned(), format!("db {bytes}"), "web 0".to_owned()];
    assert_eq!(machine.collect(1_800, 40, memory), expected);
    assert_eq!(machine.collect(2_000, 1_000, memory), expected, "told once more");
    assert_eq!(machine.collect(2_200, 1_010, memory), [format!("db {bytes}")]);
}

#[test]
fn names_are_bounded_and_the_rest_is_one() {
    let mut machine = Machine::new(1);
    machine.collect(0, 0, "");
    for round in 1..=6 {
        let name = format!("random{round}");
        machine.write("20/stat", &stat(20, &name, (10, 0), 1, round, 5));
        machine.collect(100 * round, 10 * round, "");
    }
    let told = machine.collect(700, 70, "host.process.count");
    let names: Vec<&str> = told.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["[other]", "random2", "random3", "random4", "random5"], "{told:?}");
}

#[test]
fn open_files_are_counted_and_what_vanished_is_no_error() {
    let mut machine = Machine::new(3);
    machine.write("10/stat", &stat(10, "web", (0, 0), 1, 1, 10));
    machine.write("11/stat", &stat(11, "gone", (0, 0), 1, 1, 10));
    machine.write("10/fd/0", "");
    machine.write("10/fd/1", "");
    let files = "host.process.file_descriptors";
    machine.collect(0, 0, files);
    assert_eq!(machine.collect(100, 10, files), ["gone 0", "web 2"]);
    let vanished = machine.collect(200, 20, "host.agent.unreadable_processes");
    assert_eq!(vanished, ["vanished 1", "denied 0"]);
}
