//! Completion of PromQL: what is being typed, and what could follow.

use crate::promql::{FUNCTIONS, KEYWORDS, is_name_part};

/// What the text before the cursor asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A metric, function or keyword.
    Name,
    /// A label's name; the metric when it is known, to offer only its labels.
    Label {
        /// The metric before the brace; empty when there is none.
        metric: String,
    },
    /// A label's value.
    Value {
        /// The metric before the brace; empty when there is none.
        metric: String,
        /// The label.
        label: String,
    },
    /// Nothing: the cursor is in a duration or a number.
    Nothing,
}

/// What is being typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) wanted: Wanted,
    /// Byte offset of the word that a completion replaces; it ends at the cursor.
    pub(crate) start: usize,
    /// The word so far.
    pub(crate) prefix: String,
}

/// A possible continuation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// What is inserted.
    pub(crate) text: String,
    /// `metric`, `function`, `label`, `value` or `keyword`.
    pub(crate) kind: &'static str,
    /// What it does; may be empty.
    pub(crate) detail: String,
}

/// Looks at the text before the cursor.
pub(crate) fn context(before: &str) -> Context {
    let mut scanner = Scanner::default();
    for (index, c) in before.char_indices() {
        scanner.step(before, index, c);
    }
    if let Some(start) = scanner.string_start {
        let wanted = match (scanner.place, scanner.label) {
            (Place::Braces, Some(label)) => Wanted::Value { metric: scanner.metric, label },
            _ => Wanted::Nothing,
        };
        return Context { wanted, start, prefix: before[start..].to_owned() };
    }
    let start = before
        .rfind(|c| !is_name_part(c))
        .map_or(0, |index| index + before[index..].chars().next().map_or(1, char::len_utf8));
    let prefix = before[start..].to_owned();
    let wanted = match scanner.place {
        Place::Brackets => Wanted::Nothing,
        _ if prefix.starts_with(|c: char| c.is_ascii_digit()) => Wanted::Nothing,
        Place::Braces => Wanted::Label { metric: scanner.metric },
        Place::Grouping => Wanted::Label { metric: String::new() },
        Place::Outside => Wanted::Name,
    };
    Context { wanted, start, prefix }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    #[default]
    Outside,
    /// Inside `{…}`.
    Braces,
    /// Inside `[…]`.
    Brackets,
    /// Inside the list after `by` and the like.
    Grouping,
}

#[derive(Debug, Default)]
struct Scanner {
    place: Place,
    /// The name before the brace.
    metric: String,
    /// The label whose value comes next.
    label: Option<String>,
    /// Where the text of an open string starts.
    string_start: Option<usize>,
    quote: char,
    is_escaped: bool,
}

impl Scanner {
    fn step(&mut self, text: &str, index: usize, c: char) {
        if self.string_start.is_some() {
            match c {
                _ if self.is_escaped => self.is_escaped = false,
                '\\' if self.quote != '`' => self.is_escaped = true,
                _ if c == self.quote => self.string_start = None,
                _ => {}
            }
            return;
        }
        match (self.place, c) {
            (_, '"' | '\'' | '`') => {
                self.string_start = Some(index + 1);
                self.quote = c;
            }
            (Place::Outside, '{') => {
                word_before(&text[..index]).clone_into(&mut self.metric);
                self.place = Place::Braces;
                self.label = None;
            }
            (Place::Outside, '[') => self.place = Place::Brackets,
            (Place::Outside, '(') if is_grouping(word_before(text[..index].trim_end())) => {
                self.place = Place::Grouping;
            }
            (Place::Braces, '=' | '!') => {
                self.label = Some(word_before(text[..index].trim_end()).to_owned())
                    .filter(|label| !label.is_empty())
                    .or(self.label.take());
            }
            (Place::Braces, ',') => self.label = None,
            (Place::Braces, '}') | (Place::Brackets, ']') | (Place::Grouping, ')') => {
                self.place = Place::Outside;
            }
            _ => {}
        }
    }
}

fn word_before(text: &str) -> &str {
    let start = text.rfind(|c| !is_name_part(c));
    &text[start.map_or(0, |index| index + text[index..].chars().next().map_or(1, char::len_utf8))..]
}

fn is_grouping(word: &str) -> bool {
    ["by", "without", "on", "ignoring", "group_left", "group_right"].contains(&word)
}

/// Functions and keywords that start with `prefix`.
pub(crate) fn words(prefix: &str) -> Vec<Candidate> {
    let functions = FUNCTIONS.iter().map(|(name, detail)| Candidate {
        text: (*name).to_owned(),
        kind: "function",
        detail: (*detail).to_owned(),
    });
    let keywords = KEYWORDS.iter().map(|name| Candidate {
        text: (*name).to_owned(),
        kind: "keyword",
        detail: String::new(),
    });
    let prefix = prefix.to_lowercase();
    functions.chain(keywords).filter(|candidate| candidate.text.starts_with(&prefix)).collect()
}

/// The `limit` candidates that fit `prefix` best: those that start with it, then those that contain
/// it; none when the only one is what was typed.
pub(crate) fn pick(candidates: Vec<Candidate>, prefix: &str, limit: usize) -> Vec<Candidate> {
    let prefix = prefix.to_lowercase();
    let mut ranked: Vec<(bool, Candidate)> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let text = candidate.text.to_lowercase();
            let is_start = text.starts_with(&prefix);
            (is_start || text.contains(&prefix)).then_some((!is_start, candidate))
        })
        .collect();
    ranked.sort_by_key(|ranked| ranked.0);
    if ranked.len() == 1 && ranked[0].1.text == prefix {
        return Vec::new();
    }
    ranked.into_iter().map(|ranked| ranked.1).take(limit).collect()
}

#[cfg(test)]
mod tests;
