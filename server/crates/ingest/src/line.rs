//! The StatsD wire: one line in, borrowed samples out.
//!
//! ```text
//! packet  = *( line LF ) [ line ]            CR LF, empty lines and no last LF are fine
//! line    = metric / event / check
//! metric  = head ":" sample *( ":" sample )                            head = name and name tags
//! sample  = value *( ":" value ) "|" type *( "|" field )
//! field   = "@" rate / "#" tags / "T" seconds / "c:" id / "e:" data / "card:" level / other
//! ```
//! All dialects are read at once. Two decisions make that possible:
//! - A `:` before the next `|` separates values (packing, DogStatsD 1.1); a `:` inside the type or
//!   the rate starts a new sample of the same name (etsy). A `:` inside any other field belongs to
//!   that field, so container ids and tag values may hold one.
//! - Sets are never packed: the whole text before `|` is one member.
//!
//! Sources: `docs/metric_types.md` and `stats.js` of etsy/statsd, the datagram page of DogStatsD
//! (versions 1.0 to 1.6), and the parsers of the servers in the conformance table of the tests.

use memchr::{memchr, memchr2, memchr3};

use crate::reason::Reason;

mod event;
mod number;
mod tags;

pub use event::{CheckStatus, Event, ServiceCheck};
pub use number::parse as parse_number;
pub use tags::{NameTags, Tag, Tags};

/// The longest name, name tags included, in bytes.
pub const MAX_NAME_BYTES: usize = 1024;
/// The most tags of one line.
pub const MAX_TAGS: usize = 64;
/// The longest key or value of a tag, in bytes.
pub const MAX_TAG_BYTES: usize = 1024;
/// The smallest sample rate that is believed: one sample in ten million.
pub const MIN_RATE: f64 = 1e-7;
/// The last second of the year 9999, the largest timestamp that is believed.
const MAX_TIMESTAMP_SECONDS: i64 = 253_402_300_799;

/// The type letter of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// `c`, and `C` as in Netdata.
    Counter,
    /// `g`
    Gauge,
    /// `ms`: values in milliseconds.
    Timer,
    /// `h`
    Histogram,
    /// `d`
    Distribution,
    /// `s`
    Set,
    /// `m`: counts like a counter.
    Meter,
    /// `kv` as in statsite: a gauge that is always set.
    KeyValue,
}

impl Kind {
    #[inline]
    fn read(letters: &[u8]) -> Result<Self, Reason> {
        Ok(match letters {
            b"c" | b"C" => Self::Counter,
            b"g" => Self::Gauge,
            b"ms" => Self::Timer,
            b"h" => Self::Histogram,
            b"d" => Self::Distribution,
            b"s" => Self::Set,
            b"m" => Self::Meter,
            b"kv" => Self::KeyValue,
            b"" => return Err(Reason::MissingType),
            _ => return Err(Reason::UnknownType),
        })
    }

    /// Whether the sample rate is a weight for this type.
    pub fn is_weighted(self) -> bool {
        !matches!(self, Self::Gauge | Self::Set | Self::KeyValue)
    }
}

/// One sample of a line: a name, a type and one or several values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric<'a> {
    /// The name as sent, with name tags when there are any; never empty.
    pub head: &'a [u8],
    /// The type.
    pub kind: Kind,
    /// The values as sent, separated by `:`; see [`Self::values`].
    pub values: &'a [u8],
    /// The number, when the values are just one short decimal; else `None`.
    pub number: Option<f64>,
    /// The sample rate, in `[MIN_RATE, 1]`; 1 when not sent.
    pub rate: f64,
    /// The tag section as sent, without the `#`; see [`Tags`].
    pub tags: &'a [u8],
    /// Everything behind the type, as sent.
    pub(crate) fields: &'a [u8],
    pub(crate) has_timestamp: bool,
}

impl<'a> Metric<'a> {
    /// The values one by one. Empty members are left out; the value of a set is never split.
    pub fn values(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let whole = self.kind == Kind::Set;
        self.values.split(move |b| *b == b':' && !whole).filter(|value| !value.is_empty())
    }

    /// Whether the sample brings its own time.
    pub fn has_timestamp(&self) -> bool {
        self.has_timestamp
    }

    /// The time of the sample in seconds since the epoch, when it brings its own.
    pub fn timestamp_seconds(&self) -> Option<i64> {
        if self.has_timestamp { self.field(b"T").and_then(parse_timestamp) } else { None }
    }

    /// The container id or cgroup inode (`c:`).
    pub fn container(&self) -> Option<&'a [u8]> {
        self.field(b"c:")
    }

    /// External data of the sender (`e:`).
    pub fn external(&self) -> Option<&'a [u8]> {
        self.field(b"e:")
    }

    /// The cardinality the sender asks for (`card:`).
    pub fn cardinality(&self) -> Option<&'a [u8]> {
        self.field(b"card:")
    }

    /// The last field with a prefix that is not empty behind it.
    fn field(&self, prefix: &[u8]) -> Option<&'a [u8]> {
        let fields = self.fields.split(|b| *b == b'|');
        fields.filter_map(|field| field.strip_prefix(prefix)).rfind(|rest| !rest.is_empty())
    }
}

/// What a line is.
#[derive(Debug, Clone)]
pub enum Line<'a> {
    /// Samples of a metric.
    Metric(Samples<'a>),
    /// A DogStatsD event, to be read by [`Event::parse`].
    Event(&'a [u8]),
    /// A DogStatsD service check, to be read by [`ServiceCheck::parse`].
    ServiceCheck(&'a [u8]),
}

/// The lines of a datagram without line ends, empty ones left out.
pub fn lines(datagram: &[u8]) -> Lines<'_> {
    Lines { rest: datagram }
}

/// See [`lines`].
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    /// The sample of the next line, when it is the usual one: a name, one short decimal, a type of
    /// which a number is expected, and no field but tags. Else `None`, and the line is still there for
    /// [`Iterator::next`] and [`read`], which say the same of every such line with more searching.
    #[inline]
    pub fn next_usual(&mut self) -> Option<Metric<'a>> {
        let rest = self.rest;
        // Events and service checks begin like this.
        if rest.first() == Some(&b'_') {
            return None;
        }
        let colon = memchr3(b':', b'|', b'\n', rest)?;
        if rest[colon] != b':' || colon == 0 || colon > MAX_NAME_BYTES {
            return None;
        }
        let (head, value) = (&rest[..colon], &rest[colon + 1..]);
        let (number, length) = number::scan(value)?;
        let (kind, end) = match value.get(length..)? {
            [b'|', b'm', b's', ..] => (Kind::Timer, length + 3),
            [b'|', b'c', ..] => (Kind::Counter, length + 2),
            [b'|', b'g', ..] => (Kind::Gauge, length + 2),
            [b'|', b'h', ..] => (Kind::Histogram, length + 2),
            [b'|', b'd', ..] => (Kind::Distribution, length + 2),
            _ => return None,
        };
        let (fields, rest) = match &value[end..] {
            [] => (&value[end..], &value[end..]),
            [b'\n', rest @ ..] => (&value[end..end], rest),
            [b'|', b'#', ..] => {
                let fields = &value[end..];
                match memchr2(b'|', b'\n', &fields[1..]).map(|at| at + 1) {
                    None => (fields, &value[value.len()..]),
                    Some(at) if fields[at] == b'\n' => (&fields[..at], &fields[at + 1..]),
                    Some(_) => return None,
                }
            }
            _ => return None,
        };
        if fields.last() == Some(&b'\r') {
            return None;
        }
        self.rest = rest;
        Some(Metric {
            head,
            kind,
            values: &value[..length],
            number: Some(number),
            rate: 1.0,
            tags: fields.get(2..).unwrap_or(fields),
            fields,
            has_timestamp: false,
        })
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        while let Some(first) = self.rest.first() {
            // Datagrams of nothing but line ends cost no search each.
            if *first == b'\n' {
                self.rest = &self.rest[1..];
                continue;
            }
            let line = match memchr(b'\n', self.rest) {
                Some(end) => {
                    let line = &self.rest[..end];
                    self.rest = &self.rest[end + 1..];
                    line
                }
                None => std::mem::take(&mut self.rest),
            };
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.is_empty() {
                return Some(line);
            }
        }
        None
    }
}

/// Finds out what a line is; nothing is checked yet.
#[inline]
pub fn read(line: &[u8]) -> Line<'_> {
    if line.first() == Some(&b'_') {
        if line.starts_with(b"_e{") {
            return Line::Event(line);
        }
        if line.starts_with(b"_sc|") {
            return Line::ServiceCheck(line);
        }
    }
    Line::Metric(Samples { line, head: None, done: false })
}

/// The samples of one metric line, each on its own right or wrong.
///
/// A line without any sample yields one error.
#[derive(Debug, Clone)]
pub struct Samples<'a> {
    /// What is left of the line; all of it before the head was read.
    line: &'a [u8],
    head: Option<&'a [u8]>,
    done: bool,
}

impl<'a> Iterator for Samples<'a> {
    type Item = Result<Metric<'a>, Reason>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let head = match self.head {
            Some(head) => head,
            None => match self.read_head() {
                Ok(head) => head,
                Err(reason) => {
                    self.done = true;
                    return Some(Err(reason));
                }
            },
        };
        Some(self.read_sample(head))
    }
}

impl<'a> Samples<'a> {
    #[inline]
    fn read_head(&mut self) -> Result<&'a [u8], Reason> {
        // `hits|c|#url:x`: a colon behind a bar is not that of the value.
        let colon = memchr2(b':', b'|', self.line)
            .filter(|at| self.line[*at] == b':')
            .ok_or(Reason::MissingValue)?;
        let (head, rest) = (&self.line[..colon], &self.line[colon + 1..]);
        if head.is_empty() {
            return Err(Reason::MissingName);
        }
        if head.len() > MAX_NAME_BYTES {
            return Err(Reason::NameTooLong);
        }
        self.head = Some(head);
        self.line = rest;
        Ok(head)
    }

    #[inline]
    fn read_sample(&mut self, head: &'a [u8]) -> Result<Metric<'a>, Reason> {
        let text = self.line;
        // Most values are one short decimal: reading it finds the bar on the way.
        let short = number::scan(text).filter(|(_, end)| text.get(*end) == Some(&b'|'));
        let number = short.map(|(number, _)| number);
        let Some(bar) = short.map(|(_, end)| end).or_else(|| memchr(b'|', text)) else {
            self.done = true;
            return Err(Reason::MissingType);
        };
        // Most types are one letter and end the line.
        let (letters, end) = match text.get(bar + 2) {
            None | Some(b'|') if bar + 2 <= text.len() => (&text[bar + 1..bar + 2], bar + 2),
            _ => until_bar_or_colon(text, bar + 1),
        };
        let mut fields =
            Fields { rate: 1.0, tags: &text[..0], has_timestamp: false, end, problem: None };
        while text.get(fields.end) == Some(&b'|') {
            fields.read(text);
        }
        self.line = text.get(fields.end + 1..).unwrap_or_default();
        self.done = self.line.is_empty();
        if let Some(reason) = fields.problem {
            return Err(reason);
        }
        if bar == 0 {
            return Err(Reason::MissingValue);
        }
        Ok(Metric {
            head,
            kind: Kind::read(letters)?,
            values: &text[..bar],
            number,
            rate: fields.rate,
            tags: fields.tags,
            fields: &text[end..fields.end],
            has_timestamp: fields.has_timestamp,
        })
    }
}

/// What the fields behind the type have said so far.
struct Fields<'a> {
    rate: f64,
    tags: &'a [u8],
    has_timestamp: bool,
    /// Where the last field ended: at the end of the text, at a `|`, or at the `:` that starts a new
    /// sample.
    end: usize,
    /// The first thing that was wrong.
    problem: Option<Reason>,
}

impl<'a> Fields<'a> {
    /// Reads the field behind the `|` at [`Self::end`].
    #[inline]
    fn read(&mut self, text: &'a [u8]) {
        let start = self.end + 1;
        if text.get(start) == Some(&b'@') {
            let (rate, end) = until_bar_or_colon(text, start + 1);
            self.end = end;
            match parse_rate(rate) {
                Some(rate) => self.rate = rate,
                None => self.problem = self.problem.or(Some(Reason::BadRate)),
            }
            return;
        }
        let rest = &text[start..];
        let length = memchr(b'|', rest).unwrap_or(rest.len());
        self.end = start + length;
        match &rest[..length] {
            [b'#', tags @ ..] => self.tags = tags,
            [b'T', seconds @ ..] => {
                self.has_timestamp = true;
                if parse_timestamp(seconds).is_none() {
                    self.problem = self.problem.or(Some(Reason::BadTimestamp));
                }
            }
            _ => {}
        }
    }
}

#[inline]
fn until_bar_or_colon(text: &[u8], start: usize) -> (&[u8], usize) {
    let rest = &text[start..];
    let length = rest.iter().position(|b| matches!(b, b'|' | b':')).unwrap_or(rest.len());
    (&rest[..length], start + length)
}

fn parse_rate(text: &[u8]) -> Option<f64> {
    let rate = number::parse(text).ok()?;
    (MIN_RATE..=1.0).contains(&rate).then_some(rate)
}

fn parse_timestamp(text: &[u8]) -> Option<i64> {
    let seconds: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (1..=MAX_TIMESTAMP_SECONDS).contains(&seconds).then_some(seconds)
}

#[cfg(test)]
mod tests;
