//! Netdata with nothing switched on but its `StatsD` plugin.

use std::{
    fs, net::SocketAddrV4, os::unix::fs::MetadataExt as _, path::Path, process::Command,
    time::Duration,
};

use anyhow::Context as _;

/// Its folders in ours, by the names of its settings.
const FOLDERS: [&str; 8] =
    ["config", "stock config", "log", "web", "cache", "lib", "home", "plugins"];

/// Writes the configuration; the command stays in the foreground.
pub(crate) fn command(
    program: &Path,
    folder: &Path,
    address: SocketAddrV4,
    interval: Duration,
) -> anyhow::Result<Command> {
    for name in FOLDERS.iter().copied().chain(["lib/cloud.d"]) {
        fs::create_dir_all(folder.join(name)).context("making the folders of netdata")?;
    }
    fs::write(folder.join("lib/cloud.d/cloud.conf"), "[global]\n    enabled = no\n")?;
    fs::write(folder.join("config/.opt-out-from-anonymous-statistics"), "")?;
    let config = folder.join("netdata.conf");
    fs::write(&config, configuration(folder, address, interval)?)?;
    let mut command = Command::new(program);
    command.arg("-D").arg("-c").arg(config).arg("-P").arg(folder.join("pid"));
    command.env("DO_NOT_TRACK", "1");
    Ok(command)
}

/// Histograms, percentiles and private charts (at most 1,000) are as by default. The default
/// priority, batch with nice 19, would measure what else the machine does: it is kept like ours.
fn configuration(
    folder: &Path,
    address: SocketAddrV4,
    interval: Duration,
) -> anyhow::Result<String> {
    let setting = |name: &&str| format!("    {name} = {}", folder.join(name).display());
    let directories = FOLDERS.iter().map(setting).collect::<Vec<_>>().join("\n");
    // As root it would become a user who may not write to our folder.
    let is_root = fs::metadata(folder)?.uid() == 0;
    let user = if is_root { "    run as user = root\n" } else { "" };
    Ok(format!(
        "[global]
{user}    process scheduling policy = keep
    OOM score = keep
[directories]
{directories}
[logs]
    debug = none
    access = none
    health = none
    error = stderr
[db]
    mode = ram
[plugins]
    statsd = yes
    timex = no
    idlejitter = no
    netdata monitoring = no
    profile = no
    tc = no
    diskspace = no
    proc = no
    cgroups = no
    enable running new plugins = no
    check for new plugins every = 72000
[statsd]
    enabled = yes
    update every (flushInterval) = {interval}
    bind to = udp:{address}
[web]
    mode = none
[health]
    enabled = no
[ml]
    enabled = no
[registry]
    enabled = no
",
        interval = interval.as_secs(),
    ))
}
