//! The content of a runbook: text, and live charts between it.

use api_types::Block;
use leptos::prelude::*;

use crate::charts::PanelCard;

/// Renders the blocks in order. The server has made the markup safe.
#[component]
pub(crate) fn Blocks(
    /// The runbook's title, which is shown above and not repeated.
    title: String,
    blocks: Vec<Block>,
) -> impl IntoView {
    let parts = blocks
        .into_iter()
        .map(|block| match block {
            Block::Html { html } => {
                let html = demoted(&html, &title);
                view! { <div class="prose" inner_html=html></div> }.into_any()
            }
            Block::Panel { panel } => view! { <PanelCard panel/> }.into_any(),
        })
        .collect_view();
    view! { <div class="runbook-blocks">{parts}</div> }
}

/// A page has one heading of the first level, its title: the same one at the start of a text is left
/// out, others become headings of the second level. Works on the server's markup, in which tags of
/// headings have no attributes unless they carry an id.
fn demoted(html: &str, title: &str) -> String {
    let rest = html.trim_start();
    let without_title = rest
        .strip_prefix("<h1")
        .and_then(|rest| rest.split_once('>'))
        .and_then(|(_, rest)| rest.split_once("</h1>"))
        .filter(|(heading, _)| heading.trim() == title)
        .map_or(rest, |(_, rest)| rest);
    without_title.replace("<h1", "<h2").replace("</h1>", "</h2>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_is_not_repeated() {
        assert_eq!(demoted("<h1>Disk full</h1>\n<p>x</p>", "Disk full"), "\n<p>x</p>");
        assert_eq!(demoted("<h1 id=\"a\">Disk full</h1>", "Disk full"), "");
    }

    #[test]
    fn other_headings_step_back() {
        assert_eq!(demoted("<h1>Other</h1>", "Disk full"), "<h2>Other</h2>");
        assert_eq!(demoted("<p>no heading</p>", "Disk full"), "<p>no heading</p>");
    }
}
