//! Embeds the web UI and says which commit this is.
//!
//! `OUT_DIR/assets.rs` is an expression, a slice of `Asset` sorted by path, for
//! `static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));` beside
//!
//! ```ignore
//! struct Asset {
//!     path: &'static str,              // "/assets/app-0123456789abcdef.css"
//!     content_type: &'static str,
//!     etag: &'static str,              // of the content, without quotes
//!     is_immutable: bool,              // the name changes with the content
//!     plain: &'static [u8],
//!     gzip: Option<&'static [u8]>,
//!     brotli: Option<&'static [u8]>,
//! }
//! ```
//!
//! The slice is empty when the UI has not been built: `cargo xtask web` does it, and the server
//! says so. The files are read from `BELLWETHER_WEB_DIST`, by default `target/web-dist`.
//!
//! `BELLWETHER_COMMIT` and `BELLWETHER_BUILD_DATE` come from git, or from the environment where
//! there is no repository. The date is the commit's, so that the same commit builds the same bytes.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() -> io::Result<()> {
    // Naming any file stops cargo from watching the whole package, this one included.
    println!("cargo::rerun-if-changed=build.rs");
    embed_web_ui()?;
    name_commit();
    Ok(())
}

fn embed_web_ui() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=BELLWETHER_WEB_DIST");
    let package = variable("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let dist = variable("BELLWETHER_WEB_DIST")
        .map_or_else(|| package.join("../target/web-dist"), |dist| package.join("..").join(dist));
    // A folder that is not there would count as changed at every build.
    fs::create_dir_all(&dist)?;
    let dist = dist.canonicalize()?;
    println!("cargo::rerun-if-changed={}", dist.display());
    let out = variable("OUT_DIR").map(PathBuf::from).unwrap_or_default().join("assets.rs");
    fs::write(out, assets(&dist)?)
}

/// The expression with every file below `dist`, its compressed copies beside it.
fn assets(dist: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    walk(dist, &mut files)?;
    // By the address as text: paths sort by their parts, which is another order.
    let mut addressed: Vec<(String, PathBuf)> = files
        .into_iter()
        .filter(|file| !is_copy(file))
        .map(|file| (address(dist, &file), file))
        .collect();
    addressed.sort();
    let mut code = String::from("&[\n");
    for (address, file) in addressed {
        let copy = |extension: &str| {
            let copy = format!("{}.{extension}", file.display());
            if Path::new(&copy).exists() {
                format!("Some(include_bytes!({copy:?}))")
            } else {
                "None".to_owned()
            }
        };
        // As a Rust string literal.
        let plain = file.display().to_string();
        let _ = writeln!(
            code,
            "    Asset {{ path: {address:?}, content_type: {:?}, etag: {:?}, is_immutable: {}, \
             plain: include_bytes!({plain:?}), gzip: {}, brotli: {} }},",
            content_type(&address),
            etag(&fs::read(&file)?),
            address.starts_with("/assets/"),
            copy("gz"),
            copy("br"),
        );
    }
    code.push_str("]\n");
    Ok(code)
}

fn address(dist: &Path, file: &Path) -> String {
    let relative = file.strip_prefix(dist).unwrap_or(file).to_string_lossy();
    format!("/{}", relative.replace('\\', "/"))
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn is_copy(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "gz" || extension == "br")
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "ico" => "image/x-icon",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        "webmanifest" => "application/manifest+json",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// FNV-1a with 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>) and the length: it only has
/// to differ between builds.
fn etag(content: &[u8]) -> String {
    let hash = content.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}-{:x}", content.len())
}

fn name_commit() {
    for name in ["HEAD", "logs/HEAD"] {
        // The log of HEAD grows with every commit; HEAD alone only changes with the branch.
        if let Some(path) = git(&["rev-parse", "--path-format=absolute", "--git-path", name])
            && Path::new(&path).exists()
        {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let facts = [
        ("BELLWETHER_COMMIT", git(&["rev-parse", "--short=12", "HEAD"])),
        ("BELLWETHER_BUILD_DATE", git(&["log", "-1", "--format=%cs"])),
    ];
    for (name, found) in facts {
        println!("cargo::rerun-if-env-changed={name}");
        let value = variable(name).filter(|value| !value.is_empty()).or(found);
        println!("cargo::rustc-env={name}={}", value.as_deref().unwrap_or("unknown"));
    }
}

/// What git says, when it is there and this is a repository.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|o| o.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).and_then(|value| value.into_string().ok())
}
