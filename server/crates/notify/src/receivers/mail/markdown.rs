//! A short runbook text as HTML: paragraphs, headings, lists, fenced code, `code`, **strong** and links
//! of Markdown; all else stays as it is written.

use std::iter::Peekable;

use super::template::{Html, Slot, fill_part, is_web_address, text_part};

/// Renders the text. Tags in it are shown, not used.
pub(super) fn markdown(text: &str) -> Html {
    let mut html = Html::default();
    let mut lines = text.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        if line.starts_with(FENCE) {
            let code: Vec<&str> =
                lines.by_ref().take_while(|line| !line.starts_with(FENCE)).collect();
            html.push(&text_part("md-block", &code.join("\n")));
        } else if let Some(item) = list_item(line) {
            html.push(&list(line, item, &mut lines));
        } else if let Some(heading) = line.strip_prefix('#') {
            html.push(&wrap("md-heading", &inline(heading.trim_start_matches('#').trim())));
        } else if !line.is_empty() {
            let mut paragraph = line.to_owned();
            while let Some(next) = lines.next_if(|line| continues_paragraph(line)) {
                paragraph.push(' ');
                paragraph.push_str(next);
            }
            html.push(&wrap("md-paragraph", &inline(&paragraph)));
        }
    }
    html
}

const FENCE: &str = "```";

fn wrap(part: &str, inner: &Html) -> Html {
    fill_part(part, &[("text", Slot::Html(inner))])
}

fn continues_paragraph(line: &str) -> bool {
    !line.is_empty()
        && !line.starts_with(FENCE)
        && !line.starts_with('#')
        && list_item(line).is_none()
}

/// The list that begins with this line.
fn list<'a>(line: &str, first: &str, lines: &mut Peekable<impl Iterator<Item = &'a str>>) -> Html {
    let mut items = wrap("md-item", &inline(first));
    while let Some(item) = lines.peek().and_then(|line| list_item(line)) {
        items.push(&wrap("md-item", &inline(item)));
        lines.next();
    }
    let is_ordered = line.starts_with(|c: char| c.is_ascii_digit());
    wrap(if is_ordered { "md-ordered" } else { "md-unordered" }, &items)
}

/// The text of `- item`, `* item` or `1. item`.
fn list_item(line: &str) -> Option<&str> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 {
        return line[digits..].strip_prefix(". ");
    }
    line.strip_prefix("- ").or_else(|| line.strip_prefix("* "))
}

fn inline(text: &str) -> Html {
    let mut html = Html::default();
    let mut rest = text;
    while let Some(start) = rest.find(['`', '*', '[']) {
        html.push_text(&rest[..start]);
        let marked = &rest[start..];
        let markup = code(marked).or_else(|| strong(marked)).or_else(|| link(marked));
        // What begins no markup stands for itself; all three markers are one byte long.
        let (inner, length) = markup.unwrap_or_else(|| (Html::escaped(&marked[..1]), 1));
        html.push(&inner);
        rest = &marked[length..];
    }
    html.push_text(rest);
    html
}

/// The HTML and how many bytes of the text it stands for.
fn code(text: &str) -> Option<(Html, usize)> {
    let (inner, _) = text.strip_prefix('`')?.split_once('`')?;
    (!inner.is_empty()).then(|| (text_part("md-code", inner), inner.len() + "``".len()))
}

fn strong(text: &str) -> Option<(Html, usize)> {
    let (inner, _) = text.strip_prefix("**")?.split_once("**")?;
    (!inner.is_empty()).then(|| (text_part("md-strong", inner), inner.len() + "****".len()))
}

fn link(text: &str) -> Option<(Html, usize)> {
    let (label, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (url, _) = rest.split_once(')')?;
    is_web_address(url).then(|| {
        let html = fill_part("link", &[("url", Slot::Text(url)), ("text", Slot::Text(label))]);
        (html, label.len() + url.len() + "[]()".len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn runbook_text_becomes_html() {
        let html = markdown(
            "First **see** `top`,\nthen [ask](https://a.example/?b&c).\n\n1. one\n2. two <x>\n\n\
             ```\na < b\n```\n[bad](javascript:x) * `",
        )
        .0;
        for expected in [
            "First <strong>see</strong> <code",
            ">top</code>, then <a class=\"link\"",
            " href=\"https://a.example/?b&amp;c\">ask</a>.</p>",
            "<li>one</li><li>two &lt;x&gt;</li></ol>",
            "a &lt; b</pre>",
            "[bad](javascript:x) * `</p>",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }

    proptest! {
        #[test]
        fn property_runbook_text_never_brings_its_own_tags(text in "[a<>&`*\\[\\]()#\n .1-]{0,60}") {
            let html = markdown(&text).0;
            let tags = ["p", "li", "ul", "ol", "pre", "code", "strong", "a"];
            for tag in html.split('<').skip(1) {
                let name = tag.trim_start_matches('/').split([' ', '>']).next().unwrap_or_default();
                prop_assert!(tags.contains(&name), "{} in {}", name, html);
            }
        }
    }
}
