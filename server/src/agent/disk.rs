//! Disks: `/proc/diskstats`, for whole devices that were ever used.

use super::{collector::Output, source::Source};

const SECTOR_BYTES: f64 = 512.0;
/// Devices that are memory or files.
const VIRTUAL: [&str; 3] = ["loop", "ram", "zram"];

/// Adds bytes, time busy, utilization and queue length by device.
pub(super) fn collect(source: &mut Source, output: &mut Output) {
    let Some(text) = source.proc("diskstats") else { return };
    let block = source.roots.sys.join("block");
    let whole_devices = source.names(&block);
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, _, device, numbers @ ..] = &fields[..] else { continue };
        // Without `/sys` a partition cannot be told from a device and counts twice.
        let is_part =
            whole_devices.as_ref().is_some_and(|names| !names.iter().any(|n| n == device));
        if is_part || VIRTUAL.iter().any(|prefix| device.starts_with(prefix)) {
            continue;
        }
        // reads, merged, sectors read, ms reading, writes, merged, sectors written, ms writing,
        // in flight, ms busy, ms weighted by the queue
        let numbers: Vec<f64> = numbers.iter().map_while(|number| number.parse().ok()).collect();
        let [reads, _, read, _, writes, _, written, _, _, busy_ms, queued_ms, ..] = numbers[..]
        else {
            continue;
        };
        if reads + writes == 0.0 {
            continue;
        }
        let tags = &[("device", *device)];
        output.counter("host.disk.read_bytes", tags, read * SECTOR_BYTES);
        output.counter("host.disk.written_bytes", tags, written * SECTOR_BYTES);
        output.counter_in("host.disk.io_seconds", tags, busy_ms, 1000.0);
        let busy_ms = output.added("busy", tags, busy_ms);
        let queued_ms = output.added("queued", tags, queued_ms);
        if let (Some(busy_ms), Some(queued_ms), Some(elapsed)) =
            (busy_ms, queued_ms, output.elapsed)
        {
            let elapsed_ms = elapsed.as_secs_f64() * 1000.0;
            output.ratio("host.disk.utilization_ratio", tags, busy_ms, elapsed_ms);
            output.gauge("host.disk.queue_length", tags, queued_ms / elapsed_ms);
        }
    }
}
