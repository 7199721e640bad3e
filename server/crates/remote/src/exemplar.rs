//! Exemplars of both protocols: `Exemplar` has labels, a value and a time, and only the form of the
//! labels differs.

use model::{Labels, Timestamp};

use crate::{
    labels::{self, BadLabels, MAX_LABEL_BYTES},
    message::Message,
    protocol::Protocol,
    wire::{Reader, WireError},
};

/// One observation among those that a sample counts, with a hint where to look further, such as the
/// identity of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// What it says beyond the labels of its series, often nothing but `trace_id`.
    pub labels: Labels,
    /// What was observed.
    pub value: f64,
    /// When, in milliseconds since the Unix epoch.
    pub timestamp: Timestamp,
}

/// Reads an exemplar of a message.
pub(crate) fn read(
    bytes: &[u8],
    message: &Message<'_>,
) -> Result<Result<Exemplar, BadLabels>, WireError> {
    let (mut raw, mut value, mut timestamp) = (Vec::new(), 0.0, 0);
    let mut reader = Reader::new(bytes);
    loop {
        let before = reader.rest();
        let Some((number, field)) = reader.field()? else { break };
        match (number, message.protocol()) {
            (1, Protocol::V1) => {
                raw.extend_from_slice(&before[..before.len() - reader.rest().len()]);
            }
            (1, Protocol::V2) => {
                // References are packed; alone, they follow a tag of one byte.
                let alone = &before[1..before.len() - reader.rest().len()];
                raw.extend_from_slice(field.bytes(number).unwrap_or(alone));
            }
            (2, _) => value = field.double(number)?,
            (3, _) => timestamp = field.varint(number)? as Timestamp,
            _ => {}
        }
    }
    let pairs = match message.protocol() {
        Protocol::V1 => labels::pairs_of_fields(&raw),
        Protocol::V2 => labels::pairs_of_references(&raw, message),
    };
    match pairs.and_then(|pairs| sorted(&pairs)) {
        Ok(labels) => Ok(Ok(Exemplar { labels, value, timestamp })),
        Err(BadLabels::Wire(error)) => Err(error),
        Err(error) => Ok(Err(error)),
    }
}

/// The labels of an exemplar: in any order, and with no metric's name.
fn sorted(pairs: &labels::Pairs<'_>) -> Result<Labels, BadLabels> {
    let size = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MAX_LABEL_BYTES {
        return Err(BadLabels::TooLong(size));
    }
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| BadLabels::NotUtf8);
    let texts = pairs.iter().map(|&(name, value)| Ok((text(name)?, text(value)?)));
    let texts = texts.collect::<Result<Vec<_>, BadLabels>>()?;
    if texts.iter().any(|(name, _)| name.is_empty()) {
        return Err(BadLabels::EmptyName);
    }
    Ok(Labels::from_pairs(texts))
}
