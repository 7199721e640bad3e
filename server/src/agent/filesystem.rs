//! Filesystems: `/proc/mounts`, then `statvfs` of each that lies on a local disk.

use std::collections::BTreeMap;

use super::{collector::Output, source::Source};

/// Types that hold data on this machine. Network types are left out on purpose; see the agent's
/// documentation.
const LOCAL_TYPES: [&str; 16] = [
    "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuseblk", "jfs", "nilfs2",
    "ntfs3", "reiserfs", "vfat", "xfs", "zfs", "overlay",
];

struct Mount {
    point: String,
    kind: String,
}

/// Adds size, free space and inodes by mount.
pub(super) fn collect(source: &mut Source, output: &mut Output) {
    let Some(text) = source.proc("mounts") else { return };
    for Mount { point, kind } in mounts(&text) {
        let path = source.roots.root.join(point.trim_start_matches('/'));
        // Containers see single files of the host as mounts.
        if !path.is_dir() {
            continue;
        }
        let Ok(found) = rustix::fs::statvfs(&path) else { continue };
        if found.f_blocks == 0 {
            continue;
        }
        let tags = &[("mount", point.as_str()), ("fstype", kind.as_str())];
        let unit = found.f_frsize as f64;
        let (size, free) = (found.f_blocks as f64 * unit, found.f_bavail as f64 * unit);
        output.gauge("host.filesystem.size_bytes", tags, size);
        output.gauge("host.filesystem.free_bytes", tags, free);
        // What is reserved for root is neither used nor free, as in df.
        let used = found.f_blocks.saturating_sub(found.f_bfree) as f64 * unit;
        output.ratio("host.filesystem.used_ratio", tags, used, used + free);
        let inodes = found.f_files as f64;
        let used = inodes - found.f_ffree as f64;
        output.ratio("host.filesystem.inodes_used_ratio", tags, used, inodes);
    }
}

/// One mount for each filesystem: that with the shortest path.
fn mounts(text: &str) -> Vec<Mount> {
    let mut shortest: BTreeMap<String, Mount> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(device), Some(point), Some(kind)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        // Only the root of a container is worth telling among overlays.
        let is_local = LOCAL_TYPES.contains(&kind) && (kind != "overlay" || point == "/");
        if !is_local {
            continue;
        }
        let mount = Mount { point: unescaped(point), kind: kind.to_owned() };
        match shortest.get(device) {
            Some(known) if known.point.len() <= mount.point.len() => {}
            _ => drop(shortest.insert(device.to_owned(), mount)),
        }
    }
    shortest.into_values().collect()
}

/// Spaces and such are written as a backslash and three octal digits.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let octal = (first == b'\\').then(|| after.get(..3)).flatten();
        let code = octal
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filesystem_is_told_once_by_its_shortest_mount() {
        let text = "/dev/sda1 /var/lib/data ext4 rw 0 0
/dev/sda1 /data ext4 rw 0 0
proc /proc proc rw 0 0
server:/x /mnt nfs4 rw 0 0
overlay /var/lib/docker/overlay2/1/merged overlay rw 0 0
overlay / overlay rw 0 0
/dev/sdb1 /a\\040b xfs rw 0 0
broken
";
        let points: Vec<_> = mounts(text).into_iter().map(|mount| mount.point).collect();
        assert_eq!(points, ["/data", "/a b", "/"]);
    }

    #[test]
    fn escapes_are_undone_and_other_backslashes_stay() {
        for (text, expected) in
            [("/a\\040b", "/a b"), ("/a\\134b", "/a\\b"), ("/a\\9", "/a\\9"), ("\\", "\\")]
        {
            assert_eq!(unescaped(text), expected);
        }
    }
}
