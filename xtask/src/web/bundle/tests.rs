use super::*;
use std::io::Read as _;

fn sources() -> Result<files::TestFolder> {
    let folder = files::TestFolder::new();
    let texts = [
        ("index.html", "{{css}} {{js}} {{wasm}} {{font}} {{boot}}"),
        ("css/20-page.css", "second"),
        ("css/10-tokens.css", "first {{font}} "),
        ("boot.js", "import('{{js}}'); '{{wasm}}'"),
        ("fonts/inter.woff2", "font"),
        ("favicon.svg", "<svg/>"),
    ];
    for (name, text) in texts {
        files::write(&folder.path().join(name), text.as_bytes())?;
    }
    Ok(folder)
}

fn bundle() -> Bundle {
    Bundle {
        js: "import './snippets/dom/inline0.js'".to_owned(),
        wasm: b"module".to_vec(),
        snippets: BTreeMap::from([("./snippets/dom/inline0.js".to_owned(), "code".to_owned())]),
    }
}

fn text(tree: &Tree, start: &str, end: &str) -> String {
    let (_, content) = tree
        .iter()
        .find(|(name, _)| name.starts_with(start) && name.ends_with(end))
        .expect("the file is in the bundle");
    String::from_utf8_lossy(content).into_owned()
}

fn is_copy(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "gz" || extension == "br")
}

#[test]
fn the_page_names_every_file_by_its_hashed_address() -> Result<()> {
    let folder = sources()?;
    let tree = lay_out(&bundle(), folder.path(), Effort::Quickest)?;
    let page = text(&tree, "index", ".html");
    let addresses: Vec<&str> = page.split(' ').collect();
    assert_eq!(addresses.len(), 5);
    for address in addresses {
        let name = address.strip_prefix('/').expect("addresses are absolute");
        assert!(tree.contains_key(name), "{name} is not in {:?}", tree.keys());
    }
    assert!(tree.contains_key("favicon.svg"));
    Ok(())
}

#[test]
fn style_sheets_are_joined_in_name_order() -> Result<()> {
    let folder = sources()?;
    let tree = lay_out(&bundle(), folder.path(), Effort::Quickest)?;
    let css = text(&tree, "assets/app-", ".css");
    assert!(css.starts_with("first /assets/inter-") && css.ends_with(".woff2 second"), "{css}");
    Ok(())
}

#[test]
fn javascript_of_dependencies_is_imported_by_its_hashed_address() -> Result<()> {
    let folder = sources()?;
    let tree = lay_out(&bundle(), folder.path(), Effort::Quickest)?;
    let glue = text(&tree, "assets/web-", ".js");
    let name = glue.strip_prefix("import '/").and_then(|rest| rest.strip_suffix('\''));
    assert_eq!(tree.get(name.expect("absolute address")), Some(&b"code".to_vec()), "{glue}");
    Ok(())
}

#[test]
fn a_name_changes_with_its_content_only() -> Result<()> {
    let folder = sources()?;
    let first = lay_out(&bundle(), folder.path(), Effort::Quickest)?;
    assert_eq!(first, lay_out(&bundle(), folder.path(), Effort::Quickest)?);
    let edited = Bundle { wasm: b"module 2".to_vec(), ..bundle() };
    let second = lay_out(&edited, folder.path(), Effort::Quickest)?;
    let changed: Vec<&String> =
        second.keys().filter(|name| !first.contains_key(*name) && !is_copy(name)).collect();
    // The start script names the module, so its name changes too; style and glue keep theirs.
    assert!(
        matches!(&changed[..], [boot, wasm] if boot.contains("boot-") && wasm.contains("web-")),
        "{changed:?}"
    );
    Ok(())
}

#[test]
fn compressed_copies_hold_the_same_bytes() -> Result<()> {
    let folder = sources()?;
    let tree = lay_out(&bundle(), folder.path(), Effort::Smallest)?;
    let mut unzipped = Vec::new();
    flate2::read::GzDecoder::new(&tree["index.html.gz"][..]).read_to_end(&mut unzipped)?;
    assert_eq!(unzipped, tree["index.html"]);
    let mut unpacked = Vec::new();
    brotli::BrotliDecompress(&mut &tree["index.html.br"][..], &mut unpacked)?;
    assert_eq!(unpacked, tree["index.html"]);
    assert!(!tree.keys().any(|name| name.contains(".woff2.")), "fonts are compressed already");
    Ok(())
}

#[test]
fn an_unknown_placeholder_is_an_error_that_names_file_and_choices() -> Result<()> {
    let folder = sources()?;
    files::write(&folder.path().join("boot.js"), b"{{css}}")?;
    let error =
        lay_out(&bundle(), folder.path(), Effort::Quickest).expect_err("css is not for boot.js");
    let message = error.to_string();
    assert!(message.ends_with("boot.js: no value for {{css}}; known here: js, wasm"), "{message}");
    Ok(())
}

#[test]
fn a_missing_font_is_an_error_that_names_it() -> Result<()> {
    let folder = sources()?;
    std::fs::remove_file(folder.path().join("fonts/inter.woff2"))?;
    let error = lay_out(&bundle(), folder.path(), Effort::Quickest).expect_err("no font");
    assert!(error.to_string().contains("fonts/inter.woff2"), "{error}");
    Ok(())
}
