//! The content of a runbook: text, and live charts between it.

use api_types::Block;
use leptos::prelude::*;

use crate::charts::PanelCard;
use crate::views::CollectViews;

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
                let html = prepared(&html, &title);
                view! { <div class="prose" inner_html=html></div> }.into_any()
            }
            Block::Panel { panel } => view! { <PanelCard panel/> }.into_any(),
        })
        .collect_views();
    view! { <div class="runbook-blocks">{parts}</div> }
}

/// A step of a task list as the server renders it.
const TASK: &str = "<input disabled=\"\" type=\"checkbox\"/>";

/// Fits the server's markup into a page.
///
/// A page has one heading of the first level, its title: the same one at the start of a text is left
/// out, others become headings of the second level. Code that is too wide scrolls, which the keyboard
/// must reach. Steps can be ticked while the page is open. Text in the markup is escaped, so tags can be found as text.
fn prepared(html: &str, title: &str) -> String {
    let rest = html.trim_start();
    let without_title = rest
        .strip_prefix("<h1")
        .and_then(|rest| rest.split_once('>'))
        .and_then(|(_, rest)| rest.split_once("</h1>"))
        .filter(|(heading, _)| heading.trim() == title)
        .map_or(rest, |(_, rest)| rest);
    let demoted = without_title.replace("<h1", "<h2").replace("</h1>", "</h2>");
    demoted
        .replace("<pre>", "<pre tabindex=\"0\">")
        .replace(TASK, "<input type=\"checkbox\" aria-label=\"Done\"/>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_is_not_repeated() {
        assert_eq!(prepared("<h1>Disk full</h1>\n<p>x</p>", "Disk full"), "\n<p>x</p>");
        assert_eq!(prepared("<h1 id=\"a\">Disk full</h1>", "Disk full"), "");
    }

    #[test]
    fn other_headings_step_back() {
        assert_eq!(prepared("<h1>Other</h1>", "Disk full"), "<h2>Other</h2>");
        assert_eq!(prepared("<p>no heading</p>", "Disk full"), "<p>no heading</p>");
    }

    #[test]
    fn steps_can_be_ticked() {
        let html = format!("<li>{TASK}Restart</li>");
        assert_eq!(
            prepared(&html, ""),
            "<li><input type=\"checkbox\" aria-label=\"Done\"/>Restart</li>"
        );
    }

    #[test]
    fn the_keyboard_reaches_code() {
        assert_eq!(
            prepared("<pre><code>x</code></pre>", ""),
            "<pre tabindex=\"0\"><code>x</code></pre>"
        );
    }
}
