//! Lays out the browser bundle: content-hashed names, filled placeholders, compressed copies.

use crate::files::{self, Tree};
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// What the compiler made.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub(crate) js: String,
    pub(crate) wasm: Vec<u8>,
    /// JavaScript that dependencies bring along, by the relative address under which `js` imports it.
    pub(crate) snippets: BTreeMap<String, String>,
}

/// How much time compression may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    Smallest,
    Quickest,
}

/// Returns every file of the bundle by its path below the site's root.
///
/// # Errors
/// When a file of `assets` is missing or names a placeholder that does not exist.
pub(crate) fn lay_out(bundle: &Bundle, assets: &Path, effort: Effort) -> Result<Tree> {
    let mut layout = Layout { tree: Tree::new(), effort };
    let wasm = layout.add_hashed("web", "wasm", &bundle.wasm)?;
    let mut js = bundle.js.clone();
    for (address, snippet) in &bundle.snippets {
        let hashed = layout.add_hashed("snippet", "js", snippet.as_bytes())?;
        js = js.replace(address.as_str(), &hashed);
    }
    let js = layout.add_hashed("web", "js", js.as_bytes())?;
    let font =
        layout.add_hashed("inter", "woff2", &files::read(&assets.join("fonts/inter.woff2"))?)?;
    let mut css = String::new();
    for part in style_sheets(assets)? {
        css += &fill(&part, &[("font", &font)])?;
    }
    let css = layout.add_hashed("app", "css", css.as_bytes())?;
    let boot = fill(&assets.join("boot.js"), &[("js", &js), ("wasm", &wasm)])?;
    let boot = layout.add_hashed("boot", "js", boot.as_bytes())?;
    let addresses =
        [("css", &*css), ("js", &*js), ("wasm", &*wasm), ("font", &*font), ("boot", &*boot)];
    let page = fill(&assets.join("index.html"), &addresses)?;
    layout.add("index.html", page.as_bytes())?;
    for path in other_files(assets)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        layout.add(&name, &files::read(&path)?)?;
    }
    Ok(layout.tree)
}

/// One line per kind of file that a first visit downloads, sizes in bytes.
pub(crate) fn sizes(tree: &Tree) -> Vec<String> {
    let size = |name: &str| tree.get(name).map(Vec::len);
    tree.keys()
        .filter(|name| {
            [".wasm", ".js", ".css", ".html", ".woff2"].iter().any(|e| name.ends_with(e))
        })
        .map(|name| {
            let plain = size(name).unwrap_or_default();
            let packed = size(&format!("{name}.br")).or_else(|| size(&format!("{name}.gz")));
            format!("{name}: {plain} B, {} B sent", packed.unwrap_or(plain))
        })
        .collect()
}

struct Layout {
    tree: Tree,
    effort: Effort,
}

impl Layout {
    /// Adds a file under a name that changes with its content and returns its address.
    fn add_hashed(&mut self, stem: &str, extension: &str, content: &[u8]) -> Result<String> {
        let name = format!("assets/{stem}-{:016x}.{extension}", xxh3_64(content));
        self.add(&name, content)?;
        Ok(format!("/{name}"))
    }

    fn add(&mut self, name: &str, content: &[u8]) -> Result<()> {
        if is_compressible(name) {
            self.tree.insert(format!("{name}.gz"), gzip(content, self.effort)?);
            if self.effort == Effort::Smallest {
                self.tree.insert(format!("{name}.br"), brotli(content)?);
            }
        }
        self.tree.insert(name.to_owned(), content.to_vec());
        Ok(())
    }
}

/// Formats that are compressed in themselves only grow.
fn is_compressible(name: &str) -> bool {
    ![".woff2", ".png", ".ico", ".webp"].iter().any(|extension| name.ends_with(extension))
}

fn gzip(content: &[u8], effort: Effort) -> Result<Vec<u8>> {
    let level = match effort {
        Effort::Smallest => flate2::Compression::best(),
        Effort::Quickest => flate2::Compression::fast(),
    };
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
    encoder.write_all(content).context("compressing with gzip")?;
    encoder.finish().context("compressing with gzip")
}

fn brotli(content: &[u8]) -> Result<Vec<u8>> {
    let parameters =
        brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 24, ..Default::default() };
    let mut packed = Vec::new();
    brotli::BrotliCompress(&mut &content[..], &mut packed, &parameters)
        .context("compressing with brotli")?;
    Ok(packed)
}

/// Reads a text and replaces each `{{name}}` by its value.
fn fill(path: &Path, values: &[(&str, &str)]) -> Result<String> {
    let mut text = files::read_text(path)?;
    for (name, value) in values {
        text = text.replace(&format!("{{{{{name}}}}}"), value);
    }
    if let Some(name) = placeholder(&text) {
        let known: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
        bail!("{}: no value for {{{{{name}}}}}; known here: {}", path.display(), known.join(", "));
    }
    Ok(text)
}

/// The first `{{name}}` in `text`.
fn placeholder(text: &str) -> Option<&str> {
    text.split("{{").skip(1).find_map(|rest| {
        let (name, _) = rest.split_once("}}")?;
        (!name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
            .then_some(name)
    })
}

/// `app.css` first when there is one, then `css/*.css` in name order.
fn style_sheets(assets: &Path) -> Result<Vec<PathBuf>> {
    let main = assets.join("app.css");
    let folder = assets.join("css");
    let mut found: Vec<PathBuf> = main.exists().then_some(main).into_iter().collect();
    if folder.exists() {
        let is_css = |path: &PathBuf| path.extension().is_some_and(|e| e == "css");
        found.extend(files::walk(&folder)?.into_iter().filter(is_css));
    }
    if found.is_empty() {
        bail!("no style sheet: neither {0}/app.css nor {0}/css/*.css", assets.display());
    }
    Ok(found)
}

/// Files at the top of `assets` that have no place of their own.
fn other_files(assets: &Path) -> Result<Vec<PathBuf>> {
    let is_other = |path: &PathBuf| {
        path.parent() == Some(assets)
            && !["index.html", "app.css", "boot.js"].iter().any(|known| path.ends_with(known))
    };
    Ok(files::walk(assets)?.into_iter().filter(is_other).collect())
}

#[cfg(test)]
mod tests;
