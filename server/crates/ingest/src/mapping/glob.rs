//! Globs in a tree by part, and the templates they fill.

use std::collections::HashMap;

use regex::Captures;

/// Globs by part: each node has a child for every literal and one for `*`.
#[derive(Debug, Default)]
pub(super) struct GlobTree {
    root: Node,
    /// The most literal glob wins instead of the first.
    prefers_literals: bool,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, Node>,
    star: Option<Box<Node>>,
    /// The rules whose glob ends here, ascending.
    rules: Vec<usize>,
}

impl GlobTree {
    pub(super) fn new(prefers_literals: bool) -> Self {
        Self { root: Node::default(), prefers_literals }
    }

    pub(super) fn insert(&mut self, glob: &str, rule: usize) {
        let mut node = &mut self.root;
        for part in glob.split('.') {
            node = if part == "*" {
                node.star.get_or_insert_default()
            } else {
                node.literals.entry(part.into()).or_default()
            };
        }
        node.rules.push(rule);
    }

    /// The rule that wins for a name, with the texts of its stars.
    pub(super) fn find<'n>(
        &self,
        name: &'n str,
        fits: impl Fn(usize) -> bool,
    ) -> Option<(usize, Vec<&'n str>)> {
        if self.root.is_leaf() {
            return None;
        }
        let mut search =
            Search { fits: &fits, prefers_literals: self.prefers_literals, best: None };
        search.visit(&self.root, Some(name), &mut Vec::new());
        search.best
    }
}

impl Node {
    fn is_leaf(&self) -> bool {
        self.literals.is_empty() && self.star.is_none()
    }
}

struct Search<'f, 'n> {
    fits: &'f dyn Fn(usize) -> bool,
    prefers_literals: bool,
    best: Option<(usize, Vec<&'n str>)>,
}

impl<'n> Search<'_, 'n> {
    /// `rest` is `None` behind the last part. At each part at most two ways go on, and the tree is as
    /// deep as the longest glob, so a long name costs no more than that.
    fn visit(&mut self, node: &Node, rest: Option<&'n str>, captures: &mut Vec<&'n str>) {
        if self.prefers_literals && self.best.is_some() {
            return;
        }
        let Some(rest) = rest else {
            let rule = node.rules.iter().copied().find(|rule| (self.fits)(*rule));
            if let Some(rule) = rule
                && self.best.as_ref().is_none_or(|(best, _)| rule < *best)
            {
                self.best = Some((rule, captures.clone()));
            }
            return;
        };
        let (part, rest) = match rest.split_once('.') {
            Some((part, rest)) => (part, Some(rest)),
            None => (rest, None),
        };
        if let Some(next) = node.literals.get(part) {
            self.visit(next, rest, captures);
        }
        if let Some(next) = &node.star {
            captures.push(part);
            self.visit(next, rest, captures);
            captures.pop();
        }
    }
}

/// A text with references to captures.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Template(String);

impl Template {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// Fills in the texts of a glob's stars: `$1` and `${1}`, where digits end a `$1`. A reference
    /// without a star is empty.
    pub(super) fn expand_glob(&self, captures: &[&str]) -> String {
        let mut expanded = String::new();
        let mut rest = self.0.as_str();
        while let Some(dollar) = rest.find('$') {
            expanded.push_str(&rest[..dollar]);
            let Some((number, length)) = reference(&rest[dollar..]) else {
                expanded.push('$');
                rest = &rest[dollar + 1..];
                continue;
            };
            let text = number.checked_sub(1).and_then(|at| captures.get(at));
            expanded.push_str(text.unwrap_or(&""));
            rest = &rest[dollar + length..];
        }
        expanded.push_str(rest);
        expanded
    }

    /// Fills in the groups of a regular expression, where `$1_x` is the group named `1_x`.
    pub(super) fn expand_regex(&self, captures: &Captures<'_>) -> String {
        let mut expanded = String::new();
        captures.expand(&self.0, &mut expanded);
        expanded
    }

    /// The text with every reference replaced, for a look at what surrounds them.
    pub(super) fn with_placeholders(&self, placeholder: &str) -> String {
        let mut text = String::new();
        let mut rest = self.0.as_str();
        while let Some(dollar) = rest.find('$') {
            let length = reference(&rest[dollar..]).map_or(1, |(_, length)| length);
            text.push_str(&rest[..dollar]);
            text.push_str(if length > 1 { placeholder } else { "$" });
            rest = &rest[dollar + length..];
        }
        text + rest
    }
}

/// The number of a reference at the start of a text, and its length.
fn reference(text: &str) -> Option<(usize, usize)> {
    let inner = text.strip_prefix('$')?;
    let digits_of = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    if let Some(braced) = inner.strip_prefix('{') {
        let digits = digits_of(braced);
        let is_closed = braced[digits..].starts_with('}');
        return is_closed.then(|| braced[..digits].parse().ok().map(|n| (n, digits + 3)))?;
    }
    let digits = digits_of(inner);
    inner[..digits].parse().ok().map(|number| (number, digits + 1))
}
