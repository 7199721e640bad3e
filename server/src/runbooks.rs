//! Runbooks: Markdown files that say what to do when an alert fires.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

use api_types::{Block, Panel, PanelQuery, Unit};
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};
use serde::Deserialize;

/// The language of a fenced block that is a live chart.
const PANEL_FENCE: &str = "panel";

/// A runbook as it was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Page {
    /// The first heading; the file's name when there is none.
    pub(crate) title: String,
    /// The first paragraph as plain text.
    pub(crate) summary: String,
    /// The first section below the title, as Markdown.
    pub(crate) first_section: String,
    /// What a browser shows, without the title.
    pub(crate) blocks: Vec<Block>,
}

/// All runbooks by name; a reload swaps them.
#[derive(Debug, Default)]
pub(crate) struct RunbookShelf(RwLock<Arc<BTreeMap<String, Page>>>);

impl RunbookShelf {
    pub(crate) fn new(pages: BTreeMap<String, Page>) -> Self {
        Self(RwLock::new(Arc::new(pages)))
    }

    pub(crate) fn replace(&self, pages: BTreeMap<String, Page>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pages);
    }

    pub(crate) fn pages(&self) -> Arc<BTreeMap<String, Page>> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The first section of the runbook that a `runbook_url` names, when it is one of ours.
    pub(crate) fn first_section(&self, url: &str) -> Option<String> {
        let pages = self.pages();
        let page = pages.get(name_of(url)?)?;
        Some(page.first_section.clone()).filter(|section| !section.is_empty())
    }
}

/// The name of our runbook that a `runbook_url` means: `runbooks/high-load`, `/runbooks/high-load`.
pub(crate) fn name_of(url: &str) -> Option<&str> {
    let path = url.split(['#', '?']).next().unwrap_or_default();
    let path = path.strip_prefix('/').unwrap_or(path);
    let name = path.strip_prefix("runbooks/")?.trim_end_matches('/');
    Some(name.strip_suffix(".md").unwrap_or(name)).filter(|name| !name.contains('/'))
}

/// Reads all `*.md` of a folder.
pub(crate) fn load(folder: Option<&Path>) -> Result<BTreeMap<String, Page>, Vec<String>> {
    let Some(folder) = folder else { return Ok(BTreeMap::new()) };
    let failed = |error| vec![format!("{}: cannot be read: {error}", folder.display())];
    let mut pages = BTreeMap::new();
    let mut errors = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let (Some("md"), Some(name)) =
            (path.extension().and_then(|e| e.to_str()), path.file_stem().and_then(|s| s.to_str()))
        else {
            continue;
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => match parse(name, &text) {
                Ok(page) => drop(pages.insert(name.to_owned(), page)),
                Err((line, message)) => {
                    errors.push(format!("{}:{line}:1: {message}", path.display()));
                }
            },
            Err(error) => errors.push(format!("{}: cannot be read: {error}", path.display())),
        }
    }
    if errors.is_empty() { Ok(pages) } else { Err(errors) }
}

/// Reads one runbook. An error has the line of the block that is wrong.
pub(crate) fn parse(name: &str, text: &str) -> Result<Page, (usize, String)> {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut reader = Reader::default();
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        let line = text[..range.start].matches('\n').count() + 1;
        reader.take(event, line)?;
    }
    reader.flush();
    Ok(Page {
        title: if reader.title.is_empty() { name.to_owned() } else { reader.title },
        summary: reader.summary,
        first_section: first_section(text),
        blocks: reader.blocks,
    })
}

/// The text below the first heading of level two, up to the next one.
fn first_section(text: &str) -> String {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("## "));
    lines.next();
    let section: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
    section.join("\n").trim().to_owned()
}

#[derive(Default)]
struct Reader<'a> {
    title: String,
    summary: String,
    blocks: Vec<Block>,
    /// Events of the HTML block that is being gathered.
    events: Vec<Event<'a>>,
    in_title: bool,
    in_summary: bool,
    /// The text of the chart that is being read and the line it began at.
    panel: Option<(String, usize)>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, event: Event<'a>, line: usize) -> Result<(), (usize, String)> {
        if let Some((text, started)) = &mut self.panel {
            match event {
                Event::Text(part) => text.push_str(&part),
                Event::End(TagEnd::CodeBlock) => {
                    let panel = panel(text, self.blocks.len());
                    let panel = panel.map_err(|message| (*started, message))?;
                    self.blocks.push(Block::Panel { panel });
                    self.panel = None;
                }
                _ => {}
            }
            return Ok(());
        }
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language)))
                if &*language == PANEL_FENCE =>
            {
                self.flush();
                self.panel = Some((String::new(), line));
            }
            Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) if self.title.is_empty() => {
                self.in_title = true;
            }
            Event::End(TagEnd::Heading(HeadingLevel::H1)) if self.in_title => self.in_title = false,
            Event::Text(text) | Event::Code(text) if self.in_title => self.title.push_str(&text),
            // The source may hold HTML; it is shown as text.
            Event::Html(text) | Event::InlineHtml(text) => self.events.push(Event::Text(text)),
            event => {
                self.note_summary(&event);
                self.events.push(event);
            }
        }
        Ok(())
    }

    fn note_summary(&mut self, event: &Event<'_>) {
        match event {
            Event::Start(Tag::Paragraph) if self.summary.is_empty() => self.in_summary = true,
            Event::End(TagEnd::Paragraph) => self.in_summary = false,
            Event::Text(text) | Event::Code(text) if self.in_summary => self.summary.push_str(text),
            Event::SoftBreak | Event::HardBreak if self.in_summary => self.summary.push(' '),
            _ => {}
        }
    }

    fn flush(&mut self) {
        if self.events.is_empty() {
            return;
        }
        let mut text = String::new();
        html::push_html(&mut text, self.events.drain(..));
        self.blocks.push(Block::Html { html: text });
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PanelSource {
    title: String,
    query: String,
    #[serde(default)]
    unit: Unit,
}

fn panel(text: &str, number: usize) -> Result<Panel, String> {
    let source: PanelSource = serde_saphyr::from_str(text)
        .map_err(|error| format!("the panel needs `title:` and `query:`: {error}"))?;
    promql::parse(&source.query).map_err(|error| format!("the panel's query: {error}"))?;
    Ok(Panel {
        id: format!("panel-{number}"),
        title: source.title,
        queries: vec![PanelQuery { expr: source.query, legend: String::new() }],
        unit: source.unit,
        thresholds: Vec::new(),
        only: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# High load\n\nThe host has `more` work\nthan CPUs.\n\n## Meaning\n\nWork waits.\n\n\
        ```panel\ntitle: Load\nquery: host_load1\nunit: ratio\n```\n\n## Impact\n\n<b>Slow</b>\n";

    #[test]
    fn a_runbook_has_a_title_a_summary_and_live_charts() {
        let page = parse("high-load", TEXT).unwrap();
        assert_eq!(
            (&*page.title, &*page.summary),
            ("High load", "The host has more work than CPUs.")
        );
        assert_eq!(page.first_section.lines().next(), Some("Work waits."));
        let kinds: Vec<bool> =
            page.blocks.iter().map(|b| matches!(b, Block::Panel { .. })).collect();
        assert_eq!(kinds, [false, true, false]);
    }

    #[test]
    fn raw_html_is_shown_as_text() {
        let page = parse("x", "a <script>alert(1)</script>\n\n<img src=x onerror=y>\n").unwrap();
        let Block::Html { html } = &page.blocks[0] else { panic!("{page:?}") };
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    }

    #[test]
    fn a_bad_panel_is_named_with_its_line() {
        let error = parse("x", "# T\n\n```panel\ntitle: A\nquery: rate(\n```\n").unwrap_err();
        assert_eq!(error.0, 3);
        assert!(error.1.starts_with("the panel's query: 1:"), "{}", error.1);
    }

    #[test]
    fn a_link_names_one_of_ours_or_not() {
        for (url, name) in [
            ("runbooks/high-load", Some("high-load")),
            ("/runbooks/high-load.md#impact", Some("high-load")),
            ("https://wiki.example/runbooks/x", None),
            ("runbooks/a/b", None),
            ("", None),
        ] {
            assert_eq!(name_of(url), name, "{url}");
        }
    }
}
