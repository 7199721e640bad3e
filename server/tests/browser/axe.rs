//! Checks of a page that need no eyes: accessibility with axe-core, and that nothing sticks out.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::browser::Browser;

/// The rules that are checked: WCAG 2.0, 2.1 and 2.2, levels A and AA.
const TAGS: [&str; 5] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

const RUN: &str = r"
    const [tags, done] = arguments;
    axe.run({ runOnly: tags, resultTypes: ['violations'] }).then(
        ({ violations }) => done(violations.flatMap(({ id, nodes }) => nodes.map(
            node => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary.slice(0, 300)}`,
        ))),
        error => done([`axe failed: ${error}`]),
    );";

/// What reaches beyond the right edge of the page without a region of its own that scrolls.
const OVERFLOW: &str = r"
    const page = document.scrollingElement;
    if (page.scrollWidth <= window.innerWidth) return [];
    const scrolls = e => e !== page && getComputedStyle(e).overflowX !== 'visible';
    const isContained = e => e && e !== document.body && (scrolls(e) || isContained(e.parentElement));
    const wide = [...document.body.querySelectorAll('*')].filter(
        e => e.getBoundingClientRect().right > window.innerWidth + 0.5 && !isContained(e.parentElement),
    );
    return [`${page.scrollWidth} pixels wide`, ...wide.slice(0, 5).map(e => e.outerHTML.slice(0, 160))];";

impl Browser {
    /// What axe-core finds wrong with the page.
    pub(crate) async fn violations(&self) -> Vec<String> {
        if !self.run("return 'axe' in window", &[]).await {
            let axe = std::fs::read_to_string(axe()).unwrap();
            self.run::<Value>(&axe, &[]).await;
        }
        self.run_async(RUN, &[json!(TAGS)]).await
    }

    /// Where the page is wider than the window; empty when it is not.
    pub(crate) async fn overflow(&self) -> Vec<String> {
        self.run(OVERFLOW, &[]).await
    }

    /// Waits until what was changed has been drawn.
    pub(crate) async fn drawn(&self) {
        let twice = "requestAnimationFrame(() => requestAnimationFrame(() => arguments[0](null)))";
        self.run_async::<Value>(twice, &[]).await;
    }
}

/// The script; it has another license than this program and is not part of it.
#[expect(clippy::disallowed_methods, reason = "the test runner tells by it where its tools are")]
fn axe() -> PathBuf {
    let path = std::env::var("BELLWETHER_TEST_AXE").map_or_else(
        |_| {
            let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
            target.with_file_name("js").join("node_modules/axe-core/axe.min.js")
        },
        PathBuf::from,
    );
    assert!(
        path.exists(),
        "{} is missing; run `cargo xtask test` once, which gets axe-core",
        path.display()
    );
    path
}
