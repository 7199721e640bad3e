//! Programs that the integration and browser tests need beside Rust.

use crate::{apt, command, files, progress};
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program and where it comes from.
#[derive(Debug)]
pub(crate) struct Tool {
    /// As `doctor` shows it.
    pub(crate) name: &'static str,
    /// The environment variable that tells the tests where it is, and by which one can say so.
    variable: &'static str,
    debian: &'static [&'static str],
    ubuntu: &'static [&'static str],
    look: fn() -> Option<PathBuf>,
}

/// The folder of the programs: the tests make and start a cluster of their own.
const POSTGRES: Tool = Tool {
    name: "postgresql",
    variable: "BELLWETHER_TEST_POSTGRES_BIN",
    debian: &["postgresql"],
    ubuntu: &["postgresql"],
    look: || newest_postgres(Path::new("/usr/lib/postgresql")),
};

/// The server alone: the tests make a database of their own from the statements in its package.
const MARIADB: Tool = Tool {
    name: "mariadbd",
    variable: "BELLWETHER_TEST_MARIADBD",
    debian: &["mariadb-server-core"],
    ubuntu: &["mariadb-server-core"],
    look: || {
        // The folder is in the search path of root only.
        let usual = PathBuf::from("/usr/sbin/mariadbd");
        command::find("mariadbd").or_else(|| usual.is_file().then_some(usual))
    },
};

const CHROMIUM: Tool = Tool {
    name: "chromium",
    variable: "BELLWETHER_TEST_CHROMIUM",
    debian: &["chromium"],
    ubuntu: &["chromium-browser"],
    look: || ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(command::find),
};

const CHROMEDRIVER: Tool = Tool {
    name: "chromedriver",
    variable: "BELLWETHER_TEST_CHROMEDRIVER",
    debian: &["chromium-driver"],
    ubuntu: &["chromium-chromedriver"],
    look: || command::find("chromedriver"),
};

/// For the tests this becomes the virtualenv's interpreter.
const PYTHON: Tool = Tool {
    name: "python",
    variable: "BELLWETHER_TEST_PYTHON",
    debian: &["python3", "python3-venv"],
    ubuntu: &["python3", "python3-venv"],
    look: || command::find("python3").filter(|python| has_venv(python)),
};

/// For the tests this becomes axe-core's script, which the variable may name as well.
const NPM: Tool = Tool {
    name: "npm",
    variable: "BELLWETHER_TEST_AXE",
    debian: &["npm"],
    ubuntu: &["npm"],
    look: || command::find("npm"),
};

/// The library that gives a program another time than the machine's.
const FAKETIME: Tool = Tool {
    name: "libfaketime",
    variable: "BELLWETHER_TEST_FAKETIME",
    debian: &["libfaketime"],
    ubuntu: &["libfaketime"],
    look: || find_faketime(Path::new("/usr/lib")),
};

/// Another engine for the same queries.
const PROMETHEUS: Tool = Tool {
    name: "prometheus",
    variable: "BELLWETHER_TEST_PROMETHEUS",
    debian: &["prometheus"],
    ubuntu: &["prometheus"],
    look: || command::find("prometheus"),
};

pub(crate) const ALL: [&Tool; 8] =
    [&POSTGRES, &MARIADB, &CHROMIUM, &CHROMEDRIVER, &PYTHON, &NPM, &FAKETIME, &PROMETHEUS];

/// Client libraries that the integration tests drive the server with, at fixed versions.
const PYTHON_PACKAGES: [&str; 3] = ["statsd==4.0.1", "datadog==0.56.0", "aiosmtpd==1.4.6"];

/// What the browser tests check accessibility with. It is under the MPL-2.0, so it is fetched rather
/// than kept in this repository.
const AXE_PACKAGE: &str = "axe-core@4.14.1";

/// The environment variables that tell the tests where everything is.
pub(crate) type Variables = Vec<(&'static str, PathBuf)>;

impl Tool {
    /// Where it is, if it can be used.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        match std::env::var_os(self.variable) {
            Some(path) => Some(PathBuf::from(path)).filter(|path| path.exists()),
            None => (self.look)(),
        }
    }

    pub(crate) fn packages(&self) -> &'static [&'static str] {
        if is_ubuntu() { self.ubuntu } else { self.debian }
    }
}

/// Parts of the Rust toolchain that a minimal installation leaves out.
const COMPONENTS: [(&str, &str); 2] = [("rustfmt", "fmt"), ("clippy", "clippy")];

/// Finds or installs every tool.
///
/// # Errors
/// When one is missing and cannot be installed: one line for each, with what to type.
pub(crate) fn prepare(target_dir: &Path) -> Result<Variables> {
    for (component, subcommand) in COMPONENTS {
        if command::capture(command::cargo().args([subcommand, "--version"])).is_err() {
            command::run(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    let missing: Vec<&Tool> = ALL.into_iter().filter(|tool| tool.find().is_none()).collect();
    if !missing.is_empty() && apt::is_usable() {
        let packages: Vec<&str> =
            missing.iter().flat_map(|tool| tool.packages()).copied().collect();
        apt::install(&packages)?;
    }
    let mut variables = Variables::new();
    let mut lines = Vec::new();
    for tool in ALL {
        if let Some(path) = tool.find() {
            variables.push((tool.variable, path));
        } else {
            lines.push(format!("{} is missing: {}", tool.name, apt::remedy(tool.packages())));
        }
    }
    if !lines.is_empty() {
        bail!("{}", lines.join("\n"));
    }
    for (variable, path) in &mut variables {
        if *variable == PYTHON.variable {
            *path = virtualenv(path, target_dir)?;
        } else if *variable == NPM.variable && std::env::var_os(NPM.variable).is_none() {
            *path = axe(path, target_dir)?;
        }
    }
    Ok(variables)
}

/// Makes the virtualenv with [`PYTHON_PACKAGES`] once and returns its interpreter.
fn virtualenv(python: &Path, target_dir: &Path) -> Result<PathBuf> {
    let folder = target_dir.join("py");
    let interpreter = folder.join("bin/python");
    let title = "python clients for the integration tests";
    install_once(title, &folder, &interpreter, &PYTHON_PACKAGES, || {
        command::run(Command::new(python).args(["-m", "venv"]).arg(&folder))?;
        let mut pip = Command::new(&interpreter);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        command::run(pip.args(PYTHON_PACKAGES))
    })?;
    Ok(interpreter)
}

/// Fetches [`AXE_PACKAGE`] once and returns its script.
fn axe(npm: &Path, target_dir: &Path) -> Result<PathBuf> {
    let folder = target_dir.join("js");
    let script = folder.join("node_modules/axe-core/axe.min.js");
    let title = "axe-core for the browser tests";
    install_once(title, &folder, &script, &[AXE_PACKAGE], || {
        let mut npm = Command::new(npm);
        npm.args(["install", "--silent", "--no-save", "--no-audit", "--no-fund"]);
        command::run(npm.args(["--ignore-scripts", "--prefix"]).arg(&folder).arg(AXE_PACKAGE))
    })?;
    Ok(script)
}

/// Fills `folder` unless it holds `product`, made of the same packages.
fn install_once(
    title: &str,
    folder: &Path,
    product: &Path,
    packages: &[&str],
    install: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let stamp = folder.join("installed.txt");
    let wanted = packages.join("\n");
    if product.exists() && stamp.exists() && files::read_text(&stamp)? == wanted {
        return Ok(());
    }
    progress::step(title, || {
        if folder.exists() {
            fs::remove_dir_all(folder)
                .with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        install()?;
        files::write(&stamp, wanted.as_bytes())
    })
}

/// Debian splits the module that fills a virtualenv into a package of its own.
fn has_venv(python: &Path) -> bool {
    command::capture(Command::new(python).args(["-c", "import ensurepip, venv"])).is_ok()
}

/// The programs of the highest version below `root`.
fn newest_postgres(root: &Path) -> Option<PathBuf> {
    let version =
        |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let mut folders: Vec<PathBuf> =
        fs::read_dir(root).ok()?.flatten().map(|entry| entry.path()).collect();
    folders.sort_by_key(|path| std::cmp::Reverse(version(path)));
    folders.into_iter().map(|folder| folder.join("bin")).find(|bin| bin.join("initdb").exists())
}

/// The library lies in a folder of its own, below that of the machine's kind.
fn find_faketime(root: &Path) -> Option<PathBuf> {
    let kinds = fs::read_dir(root).ok()?.flatten().map(|entry| entry.path());
    let mut folders = kinds.chain([root.to_owned()]);
    folders.find_map(|folder| {
        let library = folder.join("faketime/libfaketimeMT.so.1");
        library.is_file().then_some(library)
    })
}

/// Ubuntu has the browser under other names.
fn is_ubuntu() -> bool {
    fs::read_to_string("/etc/os-release").is_ok_and(|text| text.lines().any(|l| l == "ID=ubuntu"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_postgres_that_is_complete_is_taken() -> Result<()> {
        let root = files::TestFolder::new();
        assert_eq!(newest_postgres(&root.path().join("none")), None);
        for file in ["9/bin/initdb", "15/bin/initdb", "17/bin/psql"] {
            files::write(&root.path().join(file), b"")?;
        }
        assert_eq!(newest_postgres(root.path()), Some(root.path().join("15/bin")));
        Ok(())
    }

    #[test]
    fn packages_are_installed_again_only_when_they_have_changed_or_are_gone() -> Result<()> {
        let root = files::TestFolder::new();
        let folder = root.path().join("packages");
        let product = folder.join("product");
        let mut installed = 0;
        let mut install = |packages: &[&str]| {
            let fill = || {
                installed += 1;
                files::write(&product, b"")
            };
            install_once("packages", &folder, &product, packages, fill).map(|()| installed)
        };
        assert_eq!(install(&["statsd==1"])?, 1);
        assert_eq!(install(&["statsd==1"])?, 1);
        assert_eq!(install(&["statsd==2"])?, 2);
        fs::remove_file(&product)?;
        assert_eq!(install(&["statsd==2"])?, 3);
        Ok(())
    }
}
