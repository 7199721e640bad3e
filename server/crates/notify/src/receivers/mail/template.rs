//! The smallest template language that is safe for HTML: `{{name}}` is escaped, `{{{name}}}` takes HTML
//! that was made by a template itself.

const PARTS: &str = include_str!("parts.html");

/// HTML that may be put into a page as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Html(pub(super) String);

impl Html {
    /// Text with everything escaped that means something in HTML.
    pub(super) fn escaped(text: &str) -> Self {
        let mut html = Self::default();
        html.push_text(text);
        html
    }

    pub(super) fn push(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    pub(super) fn push_text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
    }
}

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Slot<'a> {
    /// Text, escaped where it is used.
    Text(&'a str),
    /// HTML from another template.
    Html(&'a Html),
}

/// Fills a template. A name without a value, or text where HTML is expected, is left empty: the
/// templates are compiled in and covered by tests.
pub(super) fn fill(template: &str, slots: &[(&str, Slot<'_>)]) -> Html {
    let mut html = Html(String::with_capacity(template.len() * 2));
    let mut rest = template;
    while let Some(start) = rest.find("{{") {
        html.0.push_str(&rest[..start]);
        let is_html = rest[start..].starts_with("{{{");
        let (open, close) = if is_html { ("{{{", "}}}") } else { ("{{", "}}") };
        let inner = &rest[start + open.len()..];
        let Some(end) = inner.find(close) else { break };
        let slot = slots.iter().find(|(name, _)| *name == &inner[..end]).map(|(_, slot)| *slot);
        match (slot, is_html) {
            (Some(Slot::Text(text)), false) => html.push_text(text),
            (Some(Slot::Html(inner)), true) => html.push(inner),
            _ => {}
        }
        rest = &inner[end + close.len()..];
    }
    html.0.push_str(rest);
    html
}

/// Fills the part of `parts.html` with this name; one that does not exist is empty.
pub(super) fn fill_part(name: &str, slots: &[(&str, Slot<'_>)]) -> Html {
    let part = PARTS.split("<!-- part ").find_map(|part| {
        let (known, template) = part.split_once(" -->\n")?;
        (known == name).then_some(template)
    });
    part.map_or(Html::default(), |template| fill(template.trim_end_matches('\n'), slots))
}

/// Fills a part whose only name is `text`.
pub(super) fn text_part(name: &str, text: &str) -> Html {
    fill_part(name, &[("text", Slot::Text(text))])
}

/// Whether a text may become a link.
pub(super) fn is_web_address(text: &str) -> bool {
    (text.starts_with("https://") || text.starts_with("http://"))
        && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_html_is_not() {
        let inner = Html("<b>x</b>".to_owned());
        let slots = [("a", Slot::Text("<i>&\"'")), ("b", Slot::Html(&inner))];
        assert_eq!(
            fill("1{{a}}2{{{b}}}3{{{a}}}4{{b}}5{{none}}", &slots).0,
            "1&lt;i&gt;&amp;&quot;&#39;2<b>x</b>345"
        );
    }

    #[test]
    fn parts_are_found_by_name() {
        assert_eq!(text_part("md-strong", "a<b").0, "<strong>a&lt;b</strong>");
        assert_eq!(text_part("none", "x"), Html::default());
    }

    #[test]
    fn only_web_addresses_become_links() {
        for (text, expected) in [
            ("https://a.example/x", true),
            ("http://a", true),
            ("javascript:alert(1)", false),
            ("https://a b", false),
            ("runbooks/x.md", false),
        ] {
            assert_eq!(is_web_address(text), expected, "{text}");
        }
    }
}
