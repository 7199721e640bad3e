//! Finds a Rust toolchain that can compile for the browser, in this order:
//!
//! 1. the current one, when it has the target;
//! 2. the same after `rustup target add`;
//! 3. Debian's packages of the compiler with the sources of the standard library, which is then
//!    compiled too. This works where rustup cannot download.
//!
//! `XTASK_WASM_ROUTE=build-std` goes straight to the third.

use crate::{apt, command, progress};
use anyhow::{Context as _, Result};
use std::fmt::{self, Display};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];
const DISTRIBUTION_CARGO: &str = "/usr/bin/cargo";
const DISTRIBUTION_RUSTC: &str = "/usr/bin/rustc";
const DISTRIBUTION_LINKER: &str = "/usr/lib/llvm-19/bin/wasm-ld";

/// A way to compile for [`TARGET`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The current toolchain has the target's standard library.
    Current,
    /// The distribution's toolchain compiles the standard library from its sources.
    BuildStd,
}

impl Toolchain {
    /// Takes the first way that works, installing what it needs.
    ///
    /// # Errors
    /// When none works; the message says what to type.
    pub(crate) fn choose() -> Result<Self> {
        if !is_build_std_forced() && (current_has_target() || add_target()) {
            return Ok(Self::Current);
        }
        if missing_for_build_std().is_some() {
            apt::install(&PACKAGES).with_context(|| {
                format!("no toolchain here can build for {TARGET}; either `rustup target add {TARGET}` or, on Debian, install these packages")
            })?;
        }
        if let Some(missing) = missing_for_build_std() {
            anyhow::bail!("{} is missing although its package is installed", missing.display());
        }
        Ok(Self::BuildStd)
    }

    /// A cargo command for the target.
    pub(crate) fn cargo(self, subcommand: &str) -> Command {
        let mut cargo = match self {
            Self::Current => command::cargo(),
            Self::BuildStd => distribution(DISTRIBUTION_CARGO),
        };
        cargo.args([subcommand, "--target", TARGET]);
        if self == Self::BuildStd {
            cargo
                .arg("-Zbuild-std=std,panic_abort")
                // The flag above is unstable; the distribution's compiler is a stable release.
                .env("RUSTC_BOOTSTRAP", "1")
                .env("RUSTC", DISTRIBUTION_RUSTC)
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DISTRIBUTION_LINKER);
        }
        cargo
    }

    /// The folder for compiled code below cargo's target folder. Each way has its own: two
    /// compilers must not share one, and builds for the host never wait for its lock.
    pub(crate) fn target_folder(self) -> &'static str {
        match self {
            Self::Current => "web",
            Self::BuildStd => "web-build-std",
        }
    }
}

impl Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => write!(f, "compiling with the current toolchain, which has {TARGET}"),
            Self::BuildStd => {
                write!(f, "compiling the standard library too, with {DISTRIBUTION_RUSTC}")
            }
        }
    }
}

/// What [`Toolchain::choose`] would do, without doing it.
pub(crate) fn describe() -> String {
    if !is_build_std_forced() {
        if current_has_target() {
            return Toolchain::Current.to_string();
        }
        if command::find("rustup").is_some() {
            return format!("will run `rustup target add {TARGET}`");
        }
    }
    match missing_for_build_std() {
        None => Toolchain::BuildStd.to_string(),
        Some(_) if apt::is_usable() => format!("will install {}", PACKAGES.join(" ")),
        Some(_) => format!("missing; {}", apt::remedy(&PACKAGES)),
    }
}

fn is_build_std_forced() -> bool {
    std::env::var_os("XTASK_WASM_ROUTE").is_some_and(|route| route == "build-std")
}

fn current_has_target() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let folder = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    // The compiler prints where the library would be, installed or not.
    folder.ok().and_then(|folder| fs::read_dir(folder).ok()).is_some_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
    })
}

fn add_target() -> bool {
    if command::find("rustup").is_none() {
        return false;
    }
    let added = progress::step(&format!("rustup target add {TARGET}"), || {
        command::run(Command::new("rustup").args(["target", "add", TARGET]))
    });
    added.is_ok() && current_has_target()
}

/// The first thing that [`Toolchain::BuildStd`] needs and that is not there.
fn missing_for_build_std() -> Option<PathBuf> {
    let sources = command::capture(distribution(DISTRIBUTION_RUSTC).args(["--print", "sysroot"]))
        .map(|sysroot| Path::new(&sysroot).join("lib/rustlib/src/rust/library/Cargo.lock"));
    let needed = [
        PathBuf::from(DISTRIBUTION_CARGO),
        PathBuf::from(DISTRIBUTION_RUSTC),
        PathBuf::from(DISTRIBUTION_LINKER),
        sources.unwrap_or_else(|_| "the standard library's sources".into()),
    ];
    needed.into_iter().find(|path| !path.exists())
}

/// A program of the distribution, without the variables by which rustup's cargo points at itself.
fn distribution(program: &str) -> Command {
    let mut command = Command::new(program);
    for name in
        ["CARGO", "RUSTC", "RUSTDOC", "RUSTC_WRAPPER", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"]
    {
        command.env_remove(name);
    }
    command
}
