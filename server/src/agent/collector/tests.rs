use std::{fs, path::Path};

use super::*;

const STAT: &str = "cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 50 0 25 400 25 0 0 0 0 0\ncpu1 50 0 25 400 25 0 0 0 0 0\nctxt 5\n";
const NET: &str = "Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0
  eth0: 1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0
vethab: 9 9 9 9 0 0 0 0 9 9 9 9 0 0 0 0
  ifb0: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
";
const DISKS: &str = "   8 0 sda 10 0 100 0 5 0 50 0 0 1000 2000
   8 1 sda1 10 0 100 0 5 0 50 0 0 1000 2000
   7 0 loop0 10 0 100 0 5 0 50 0 0 1000 2000
   8 16 sdb 0 0 0 0 0 0 0 0 0 0 0
";

struct Host {
    folder: tempfile::TempDir,
    collector: Collector,
}

impl Host {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let roots = Roots { proc: path("proc"), sys: path("sys"), root: path("root") };
        for (name, text) in files {
            write(folder.path(), name, text);
        }
        let options = Options { host: Some("box".to_owned()), top_processes: 0 };
        let collector = Collector::new(roots, options);
        Self { folder, collector }
    }

    fn write(&self, name: &str, text: &str) {
        write(self.folder.path(), name, text);
    }

    /// The lines with this prefix, without the tag `host`.
    fn collect(&mut self, seconds: u64, prefix: &str) -> Vec<String> {
        let lines = self.collector.collect(Duration::from_secs(seconds), &[]);
        let lines = lines.iter().map(ToString::to_string);
        let own = |line: String| line.replace("|#host:box,", "|#").replace("|#host:box", "");
        lines.filter(|line| line.starts_with(prefix)).map(own).collect()
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn processors_are_counted_and_their_time_is_a_difference() {
    let mut host = Host::new(&[("proc/stat", STAT)]);
    assert_eq!(host.collect(0, "host.cpu"), ["host.cpu.count:2|g"]);
    host.write("proc/stat", &STAT.replace("cpu  100 0 50 800 50", "cpu  130 0 60 850 60"));
    let expected = [
        "host.cpu.count:2|g",
        "host.cpu.time_seconds:0.3|c|#mode:user",
        "host.cpu.time_seconds:0|c|#mode:nice",
        "host.cpu.time_seconds:0.1|c|#mode:system",
        "host.cpu.time_seconds:0.5|c|#mode:idle",
        "host.cpu.time_seconds:0.1|c|#mode:iowait",
        "host.cpu.time_seconds:0|c|#mode:irq",
        "host.cpu.time_seconds:0|c|#mode:softirq",
        "host.cpu.time_seconds:0|c|#mode:steal",
        "host.cpu.utilization_ratio:0.4|g",
    ];
    assert_eq!(host.collect(10, "host.cpu"), expected);
}

#[test]
fn processes_that_run_or_wait_are_gauges() {
    let text = format!("{STAT}procs_running 3\nprocs_blocked 1\n");
    let mut host = Host::new(&[("proc/stat", &text)]);
    let expected = ["host.processes.running:3|g", "host.processes.blocked:1|g"];
    assert_eq!(host.collect(0, "host.processes"), expected);
}

#[test]
fn memory_and_swap_are_bytes_and_ratios() {
    let meminfo =
        "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 250 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n";
    let mut host =
        Host::new(&[("proc/meminfo", meminfo), ("proc/vmstat", "pgmajfault 5\noom_kill 0\n")]);
    let expected = [
        "host.memory.total_bytes:1024000|g",
        "host.memory.available_bytes:256000|g",
        "host.memory.used_ratio:0.75|g",
    ];
    assert_eq!(host.collect(0, "host.memory"), expected);
    host.write("proc/vmstat", "pgmajfault 9\noom_kill 1\n");
    let expected = ["host.memory.major_faults:4|c", "host.memory.oom_kills:1|c"];
    assert_eq!(host.collect(10, "host.memory")[3..], expected);
    let expected = ["host.swap.total_bytes:0|g", "host.swap.used_bytes:0|g"];
    assert_eq!(host.collect(20, "host.swap"), expected, "no ratio of nothing");
}

#[test]
fn disks_are_whole_devices_with_input_and_output() {
    let mut host = Host::new(&[
        ("proc/diskstats", DISKS),
        ("sys/block/sda/size", ""),
        ("sys/block/sdb/size", ""),
        ("sys/block/loop0/size", ""),
    ]);
    assert!(host.collect(0, "host.disk").is_empty(), "all are differences");
    let later = DISKS
        .replace("sda 10 0 100 0 5 0 50 0 0 1000 2000", "sda 11 0 102 0 6 0 60 0 0 3500 22000");
    host.write("proc/diskstats", &later);
    let expected = [
        "host.disk.read_bytes:1024|c|#device:sda",
        "host.disk.written_bytes:5120|c|#device:sda",
        "host.disk.io_seconds:2.5|c|#device:sda",
        "host.disk.utilization_ratio:0.25|g|#device:sda",
        "host.disk.queue_length:2|g|#device:sda",
    ];
    assert_eq!(host.collect(10, "host.disk"), expected);
}

#[test]
fn a_counter_that_began_anew_sends_nothing_once() {
    let mut host = Host::new(&[("proc/vmstat", "pgmajfault 100\n")]);
    host.collect(0, "");
    host.write("proc/vmstat", "pgmajfault 3\n");
    assert!(host.collect(10, "host.memory").is_empty());
    host.write("proc/vmstat", "pgmajfault 5\n");
    assert_eq!(host.collect(20, "host.memory"), ["host.memory.major_faults:2|c"]);
}

#[test]
fn interfaces_but_loopback_are_counted() {
    let snmp = "Ip: a\nIp: 1\nTcp: RtoMin RetransSegs InErrs\nTcp: 200 7 0\n";
    let mut host = Host::new(&[("proc/net/dev", NET), ("proc/net/snmp", snmp)]);
    assert!(host.collect(0, "host.network").is_empty());
    host.write("proc/net/dev", &NET.replace("1000 10 1 2", "1500 10 2 4"));
    host.write("proc/net/snmp", &snmp.replace("200 7", "200 9"));
    let expected = [
        "host.network.received_bytes:500|c|#interface:eth0",
        "host.network.receive_errors:1|c|#interface:eth0",
        "host.network.receive_drops:2|c|#interface:eth0",
        "host.network.sent_bytes:0|c|#interface:eth0",
        "host.network.send_errors:0|c|#interface:eth0",
        "host.network.send_drops:0|c|#interface:eth0",
        "host.network.tcp_retransmits:2|c",
    ];
    assert_eq!(host.collect(10, "host.network"), expected);
}

#[test]
fn load_threads_descriptors_pressure_and_uptime_are_gauges() {
    let cpuinfo = "processor : 0\nmodel name : Fast, CPU\nprocessor : 1\nmodel name : Fast, CPU\n";
    let mut host = Host::new(&[
        ("proc/cpuinfo", cpuinfo),
        ("proc/loadavg", "3.00 2.00 1.00 2/500 99\n"),
        ("proc/sys/kernel/threads-max", "2000\n"),
        ("proc/sys/kernel/pid_max", "1000\n"),
        ("proc/sys/kernel/osrelease", "6.12\n"),
        ("proc/sys/fs/file-nr", "128 0 512\n"),
        ("proc/pressure/cpu", "some avg10=12.50 avg60=1.00 avg300=0.00 total=5\n"),
        (
            "proc/pressure/memory",
            "some avg10=2.00 avg60=0 avg300=0 total=5\nfull avg10=1.00 avg60=0 avg300=0 total=5\n",
        ),
        ("proc/uptime", "1234.5 99.0\n"),
        ("proc/1/stat", ""),
        ("proc/22/stat", ""),
        ("root/etc/os-release", "NAME=x\nPRETTY_NAME=\"Debian 13\"\n"),
    ]);
    let expected = [
        "host.load1:3|g",
        "host.load_per_cpu:1.5|g",
        "host.load5:2|g",
        "host.load15:1|g",
        "host.threads.count:500|g",
        "host.threads.max:1000|g",
        "host.threads.used_ratio:0.5|g",
        "host.processes.count:2|g",
        "host.file_descriptors.used:128|g",
        "host.file_descriptors.max:512|g",
        "host.file_descriptors.used_ratio:0.25|g",
        "host.pressure.cpu_some_ratio:0.125|g",
        "host.pressure.memory_some_ratio:0.02|g",
        "host.pressure.memory_full_ratio:0.01|g",
        "host.uptime_seconds:1234.5|g",
        "host.info:1|g|#os:Debian 13,kernel:6.12,cpu_model:Fast_ CPU,cpus:2",
    ];
    assert_eq!(host.collect(0, "host."), expected);
}

#[test]
fn filesystems_are_asked_for_their_size() {
    let mut host = Host::new(&[
        (
            "proc/mounts",
            "/dev/sda1 / ext4 rw 0 0\n/dev/sdb /gone xfs rw 0 0\n/dev/sdc /file xfs rw 0 0\n",
        ),
        ("root/file", ""),
    ]);
    let lines = host.collect(0, "host.filesystem");
    assert!(lines.iter().all(|line| line.ends_with("|g|#mount:/,fstype:ext4")), "{lines:?}");
    assert!(lines[0].starts_with("host.filesystem.size_bytes:"), "{lines:?}");
    assert!(lines[2].starts_with("host.filesystem.used_ratio:0"), "{lines:?}");
}

#[test]
fn missing_and_damaged_files_cost_only_their_own_metrics() {
    let mut host = Host::new(&[
        ("proc/stat", "cpu nonsense\n"),
        ("proc/meminfo", "MemTotal: lots\n"),
        ("proc/diskstats", "8 0 sda\n\n"),
        ("proc/net/dev", "eth0: x\n"),
        ("proc/loadavg", "\n"),
        ("proc/sys/fs/file-nr", "1\n"),
        ("proc/uptime", "5\n"),
    ]);
    assert_eq!(
        host.collect(0, "host."),
        ["host.uptime_seconds:5|g", "host.info:1|g|#os:Linux,cpus:0"]
    );
    let missing = host.collector.source.missing();
    assert!(missing > 0);
    host.collect(10, "host.");
    assert_eq!(host.collector.source.missing(), missing, "noted once");
}

#[test]
fn the_host_is_named_after_the_machine_unless_told() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "sys/kernel/hostname", "web,1\n");
    write(folder.path(), "uptime", "5");
    let roots = |proc: &Path| Roots { proc: proc.to_owned(), sys: "/x".into(), root: "/x".into() };
    let options = Options { host: None, top_processes: 0 };
    let mut collector = Collector::new(roots(folder.path()), options.clone());
    let lines = collector.collect(Duration::ZERO, &[]);
    assert_eq!(lines[0].tags, [("host", "web_1".to_owned())]);
    let mut collector = Collector::new(roots(Path::new("/nonexistent")), options);
    collector.note_cost(Duration::from_millis(5));
    let lines = collector.collect(Duration::ZERO, &[]);
    let last = lines.last().map(ToString::to_string);
    assert_eq!(last.as_deref(), Some("host.agent.collect_seconds:0.005|g|#host:localhost"));
}
