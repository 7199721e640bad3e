//! StatsD lines with DogStatsD tags, packed into datagrams.

use std::fmt;

/// What fits an Ethernet frame with room for tunnels; a larger datagram may be lost as a whole.
pub(super) const DATAGRAM_BYTES: usize = 1432;

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The value now.
    Gauge,
    /// What was added since the last collection.
    Counter,
}

/// One metric of one collection.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// Dotted.
    pub(super) name: &'static str,
    /// In the base unit that the name ends with; finite and not negative, because a sign would make a
    /// gauge a change.
    pub(super) value: f64,
    /// The type.
    pub(super) kind: Kind,
    /// With clean values; `host` comes first.
    pub(super) tags: Vec<(&'static str, String)>,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Gauge => "g",
            Kind::Counter => "c",
        };
        write!(f, "{}:{}|{kind}", self.name, self.value)?;
        for (index, (name, value)) in self.tags.iter().enumerate() {
            let separator = if index == 0 { "|#" } else { "," };
            write!(f, "{separator}{name}:{value}")?;
        }
        Ok(())
    }
}

/// A tag's value without the characters that end it.
pub(super) fn clean(value: &str) -> String {
    let cleaned = |c: char| if matches!(c, ',' | '|') || c.is_control() { '_' } else { c };
    value.trim().chars().map(cleaned).collect()
}

/// Lines joined by newlines into as few datagrams as keep to the limit. A single line above it gets a
/// datagram of its own.
pub(super) fn datagrams(lines: &[Line]) -> Vec<String> {
    let mut datagrams: Vec<String> = Vec::new();
    for line in lines {
        let text = line.to_string();
        match datagrams.last_mut() {
            Some(last) if last.len() + 1 + text.len() <= DATAGRAM_BYTES => {
                last.push('\n');
                last.push_str(&text);
            }
            _ => datagrams.push(text),
        }
    }
    datagrams
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(value: f64, tag: &str) -> Line {
        Line { name: "host.x", value, kind: Kind::Gauge, tags: vec![("host", clean(tag))] }
    }

    #[test]
    fn lines_are_statsd_with_tags() {
        assert_eq!(line(0.25, "a").to_string(), "host.x:0.25|g|#host:a");
        assert_eq!(line(1e18, "a,b|c\n").to_string(), "host.x:1000000000000000000|g|#host:a_b_c");
        let counter = Line { kind: Kind::Counter, tags: Vec::new(), ..line(3.0, "") };
        assert_eq!(counter.to_string(), "host.x:3|c");
    }

    #[test]
    fn datagrams_keep_to_the_limit_and_lose_nothing() {
        let lines: Vec<_> = (0..200).map(|n| line(f64::from(n), "box")).collect();
        let datagrams = datagrams(&lines);
        assert!(datagrams.iter().all(|datagram| datagram.len() <= DATAGRAM_BYTES));
        assert!(datagrams.len() < 5, "{}", datagrams.len());
        let back: Vec<_> = datagrams.iter().flat_map(|d| d.lines()).collect();
        assert_eq!(back, lines.iter().map(Line::to_string).collect::<Vec<_>>());
    }
}
