//! What is known of metrics, as bytes: name, kind (1 byte), unit, help and original name.

use model::{Metadata, MetricKind};

use crate::bytes::{FormatError, Reader, put_text};

pub(crate) fn put(metadata: &Metadata, out: &mut Vec<u8>) {
    put_text(out, &metadata.metric);
    out.push(match metadata.kind {
        MetricKind::Unknown => 0,
        MetricKind::Counter => 1,
        MetricKind::Gauge => 2,
        MetricKind::Histogram => 3,
    });
    put_text(out, &metadata.unit);
    put_text(out, &metadata.help);
    put_text(out, &metadata.original);
}

pub(crate) fn take(reader: &mut Reader<'_>) -> Result<Metadata, FormatError> {
    Ok(Metadata {
        metric: reader.text()?.to_owned(),
        kind: match reader.u8()? {
            0 => MetricKind::Unknown,
            1 => MetricKind::Counter,
            2 => MetricKind::Gauge,
            3 => MetricKind::Histogram,
            _ => return Err(FormatError::Invalid("kind of a metric")),
        },
        unit: reader.text()?.to_owned(),
        help: reader.text()?.to_owned(),
        original: reader.text()?.to_owned(),
    })
}
