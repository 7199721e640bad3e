//! Labels as the protocol wants them: sorted by name, each name once, none empty, a metric's name.

use model::{
    Labels,
    labels::{LabelsPacker, LabelsRef, METRIC_NAME, Quoted, RawLabelsPacker},
};

use crate::{
    message::Message,
    wire::{Reader, WireError},
};

/// The most bytes of all names and values of a series together.
pub const MAX_LABEL_BYTES: usize = 16 << 10;

/// How much of a series is shown in a message.
const SHOWN_BYTES: usize = 400;

/// How many labels most series have at most.
const USUAL_LABELS: usize = 16;

/// Names and values as they were sent.
pub(crate) type Pairs<'a> = Vec<(&'a [u8], &'a [u8])>;

/// Why labels were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLabels {
    /// The message is damaged.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A name without a value.
    #[error("the last label has a name and no value")]
    Odd,
    /// A name or value is no UTF-8.
    #[error("a label is not UTF-8")]
    NotUtf8,
    /// A name is empty.
    #[error("a label has an empty name")]
    EmptyName,
    /// A name comes twice.
    #[error("the label `{0}` comes twice")]
    Duplicate(String),
    /// Names are not ascending.
    #[error("the label `{0}` is out of order; labels must be sorted by name")]
    Unsorted(String),
    /// There is no metric's name.
    #[error("the label `__name__` is missing or empty")]
    NoMetricName,
    /// There is too much of it.
    #[error("the labels have {0} bytes, at most {MAX_LABEL_BYTES} are allowed")]
    TooLong(usize),
}

/// The labels of protocol 1.0 in the form in which senders write them; `None` when there is anything
/// else about them, be it wrong or only unusual. Every new series comes through here, so each byte is
/// looked at as few times as can be.
pub(crate) fn pack_fields<'p>(
    bytes: &[u8],
    packer: &'p mut RawLabelsPacker,
) -> Option<LabelsRef<'p>> {
    /// The tag of a label, and of its name.
    const FIRST: u8 = 0x0a;
    /// The tag of a label's value.
    const SECOND: u8 = 0x12;
    if bytes.len() > MAX_LABEL_BYTES {
        return None;
    }
    packer.clear();
    let mut has_metric_name = false;
    let mut reader = Reader::new(bytes);
    while let Some(label) = reader.expected(FIRST).ok()? {
        let mut label = Reader::new(label);
        let name = label.expected(FIRST).ok()??;
        let value = label.expected(SECOND).ok()??;
        if !label.rest().is_empty() || !packer.push(name, value) {
            return None;
        }
        has_metric_name = has_metric_name || name == METRIC_NAME.as_bytes();
    }
    (reader.rest().is_empty() && has_metric_name).then(|| packer.finish())?
}

/// As [`pack_fields`], of protocol 2.0.
pub(crate) fn pack_references<'p>(
    bytes: &[u8],
    message: &Message<'_>,
    packer: &'p mut RawLabelsPacker,
) -> Option<LabelsRef<'p>> {
    packer.clear();
    let (mut has_metric_name, mut size) = (false, 0);
    let mut reader = Reader::new(bytes);
    while !reader.rest().is_empty() {
        let name = message.symbol(reader.varint().ok()?).ok()?;
        let value = message.symbol(reader.varint().ok()?).ok()?;
        size += name.len() + value.len();
        if size > MAX_LABEL_BYTES || !packer.push(name, value) {
            return None;
        }
        has_metric_name = has_metric_name || name == METRIC_NAME.as_bytes();
    }
    has_metric_name.then(|| packer.finish())?
}

/// The pairs of protocol 1.0.
pub(crate) fn pairs_of_fields(bytes: &[u8]) -> Result<Pairs<'_>, BadLabels> {
    let mut pairs = Pairs::with_capacity(USUAL_LABELS);
    let mut reader = Reader::new(bytes);
    while let Some((number, field)) = reader.field()? {
        let mut pair: (&[u8], &[u8]) = (&[], &[]);
        let mut label = Reader::new(field.bytes(number)?);
        while let Some((number, field)) = label.field()? {
            match number {
                1 => pair.0 = field.bytes(number)?,
                2 => pair.1 = field.bytes(number)?,
                _ => {}
            }
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

/// The pairs of protocol 2.0.
pub(crate) fn pairs_of_references<'a>(
    bytes: &[u8],
    message: &Message<'a>,
) -> Result<Pairs<'a>, BadLabels> {
    let mut pairs = Pairs::with_capacity(USUAL_LABELS);
    let mut reader = Reader::new(bytes);
    while !reader.rest().is_empty() {
        let name = message.symbol(reader.varint()?)?;
        if reader.rest().is_empty() {
            return Err(BadLabels::Odd);
        }
        pairs.push((name, message.symbol(reader.varint()?)?));
    }
    Ok(pairs)
}

/// The labels, when they are in order.
pub(crate) fn check(pairs: &Pairs<'_>) -> Result<Labels, BadLabels> {
    let size = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MAX_LABEL_BYTES {
        return Err(BadLabels::TooLong(size));
    }
    // The lengths take a byte or two each.
    let mut packer = LabelsPacker::with_capacity(size + 4 * pairs.len());
    let mut last = "";
    let mut has_metric_name = false;
    for &(name, value) in pairs {
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| BadLabels::NotUtf8);
        let (name, value) = (text(name)?, text(value)?);
        if name.is_empty() {
            return Err(BadLabels::EmptyName);
        }
        if name == last {
            return Err(BadLabels::Duplicate(name.to_owned()));
        }
        if name < last || !packer.push(name, value) {
            return Err(BadLabels::Unsorted(name.to_owned()));
        }
        last = name;
        has_metric_name |= name == METRIC_NAME && !value.is_empty();
    }
    if !has_metric_name {
        return Err(BadLabels::NoMetricName);
    }
    Ok(packer.finish())
}

/// The pairs as a text of bounded length, whatever they hold.
pub(crate) fn describe(pairs: &Pairs<'_>) -> String {
    let mut text = String::from("{");
    for (at, (name, value)) in pairs.iter().enumerate() {
        if text.len() > SHOWN_BYTES {
            text.push_str(", …");
            break;
        }
        if at > 0 {
            text.push_str(", ");
        }
        text.push_str(&shorten(name));
        text.push('=');
        text.push_str(&Quoted(&shorten(value)).to_string());
    }
    text.push('}');
    text
}

fn shorten(bytes: &[u8]) -> String {
    const MOST: usize = 100;
    let shown = &bytes[..bytes.len().min(MOST)];
    let mut text = String::from_utf8_lossy(shown).into_owned();
    if bytes.len() > MOST {
        text.push('…');
    }
    text
}
