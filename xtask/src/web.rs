//! `cargo xtask web`: compiles the UI to WebAssembly and lays out the files that the server embeds.
//!
//! Sources are `web/` and, for the page around the program, `web/assets/`:
//!
//! | file | becomes |
//! |---|---|
//! | `index.html` | `index.html`, with `{{css}}`, `{{js}}`, `{{wasm}}`, `{{font}}` and `{{boot}}` replaced by addresses |
//! | `app.css`, then `css/*.css` in name order | `assets/app-HASH.css`, with `{{font}}` replaced |
//! | `boot.js` | `assets/boot-HASH.js`, with `{{js}}` and `{{wasm}}` replaced |
//! | `fonts/inter.woff2` | `assets/inter-HASH.woff2` |
//! | any other file at the top (`favicon.svg`) | the same name at the root |
//!
//! Every compressible file gets a `.gz` and, except with `--dev`, a `.br` beside it.

mod bundle;
mod stamp;
mod toolchain;

pub(crate) use toolchain::{Toolchain, describe};

use crate::{command, files, progress, workspace};
use anyhow::{Context as _, Result, bail};
use bundle::{Bundle, Effort};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How the bundle is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Small: what is shipped and tested.
    Release,
    /// Quick: the edit loop.
    Dev,
}

impl Mode {
    /// The profile in the workspace's Cargo.toml.
    fn profile(self) -> &'static str {
        match self {
            Self::Release => "wasm",
            Self::Dev => "wasm-dev",
        }
    }

    fn effort(self) -> Effort {
        match self {
            Self::Release => Effort::Smallest,
            Self::Dev => Effort::Quickest,
        }
    }
}

pub(crate) fn run(args: &[String]) -> Result<()> {
    let mode = match args {
        [] => Mode::Release,
        [flag] if flag == "--dev" => Mode::Dev,
        _ => bail!("usage: cargo xtask web [--dev]"),
    };
    build(mode)
}

/// Builds the bundle unless nothing it is made of has changed, as a step of its own.
///
/// # Errors
/// As [`update`].
pub(crate) fn build(mode: Mode) -> Result<()> {
    progress::step(&format!("web UI ({})", mode.profile()), || update(mode))
}

/// Builds the bundle unless nothing it is made of has changed.
///
/// # Errors
/// When no toolchain can be had, the UI does not compile or a file of `web/assets` is missing.
pub(crate) fn update(mode: Mode) -> Result<()> {
    let dist = workspace::web_dist();
    let stamp = stamp::current(mode.profile())?;
    if stamp::is_fresh(&dist, &stamp)? {
        progress::note(format!("unchanged, {} is up to date", dist.display()));
        return Ok(());
    }
    let toolchain = Toolchain::choose()?;
    progress::note(toolchain);
    stamp::clear(&dist)?;
    let wasm = compile(toolchain, mode)?;
    let bundle = bindgen(&wasm, mode)?;
    let tree = bundle::lay_out(&bundle, Path::new("web/assets"), mode.effort())?;
    files::write_tree(&dist, &tree)?;
    stamp::save(&dist, &stamp)?;
    for line in bundle::sizes(&tree) {
        progress::note(line);
    }
    Ok(())
}

/// Returns the path of the compiled module.
fn compile(toolchain: Toolchain, mode: Mode) -> Result<PathBuf> {
    let target_dir = workspace::metadata()?.target_dir.join(toolchain.target_folder());
    let mut cargo = toolchain.cargo("build");
    cargo.args(["--package", "web", "--lib", "--profile", mode.profile()]);
    cargo.arg("--target-dir").arg(&target_dir);
    command::run(&mut cargo)?;
    Ok(target_dir.join(toolchain::TARGET).join(mode.profile()).join("web.wasm"))
}

/// Makes the JavaScript glue and the module that fits it.
fn bindgen(wasm: &Path, mode: Mode) -> Result<Bundle> {
    let is_release = mode == Mode::Release;
    let mut output = wasm_bindgen_cli_support::Bindgen::new()
        .input_path(wasm)
        .web(true)?
        .typescript(false)
        // The page passes the module's hashed address; a built-in one would be wrong.
        .omit_default_module_path(true)
        .remove_producers_section(is_release)
        .remove_name_section(is_release)
        .out_name("web")
        .generate_output()
        .with_context(|| format!("wasm-bindgen cannot read {}", wasm.display()))?;
    let mut snippets = BTreeMap::new();
    for (package, texts) in output.snippets() {
        for (index, text) in texts.iter().enumerate() {
            snippets.insert(format!("./snippets/{package}/inline{index}.js"), text.clone());
        }
    }
    for (path, text) in output.local_modules() {
        snippets.insert(format!("./snippets/{path}"), text.clone());
    }
    Ok(Bundle { js: output.js().to_owned(), wasm: output.wasm_mut().emit_wasm(), snippets })
}
