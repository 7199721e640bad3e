//! Requests as their receiver reads them: series by series, borrowed from the message.
//!
//! Nothing is allocated for a series whose labels were seen before: [`Series::key`] stands for the
//! labels as they were sent, and only a key that is new needs [`Series::labels`].

use std::borrow::Cow;

use model::{
    Labels, Metadata, NativeHistogram, Timestamp,
    labels::{LabelsList, LabelsRef, RawLabelsPacker},
};
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

use crate::{
    exemplar::{self, Exemplar},
    histogram::{self, BadHistogram},
    labels::{self, BadLabels},
    metadata::{self, SeriesMetadata},
    protocol::Protocol,
    wire::{Field, Reader, WireError},
};

/// The labels of a series, in both protocols.
const LABELS: u32 = 1;
/// The samples of a series, in both protocols.
const SAMPLES: u32 = 2;

/// The numbers of the fields in which the protocols differ.
#[derive(Debug)]
struct Fields {
    series: u32,
    histograms: u32,
    exemplars: u32,
    /// 0 where series have none.
    metadata: u32,
    /// 0 where series have none.
    created: u32,
}

impl Fields {
    const V1: Self = Self { series: 1, histograms: 4, exemplars: 3, metadata: 0, created: 0 };
    const V2: Self = Self { series: 5, histograms: 3, exemplars: 4, metadata: 5, created: 6 };

    fn of(protocol: Protocol) -> &'static Self {
        match protocol {
            Protocol::V1 => &Self::V1,
            Protocol::V2 => &Self::V2,
        }
    }
}

/// Mixes the hashes of symbols: odd, so that it keeps every bit of what came before.
const MULTIPLIER: u128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645;

/// The table of symbols of protocol 2.0.
const SYMBOLS_V2: u32 = 4;
/// What is known of metrics in protocol 1.0.
const METADATA_V1: u32 = 3;

/// A request, unpacked.
#[derive(Debug)]
pub struct Message<'a> {
    protocol: Protocol,
    bytes: &'a [u8],
    seed: u64,
    symbols: Vec<&'a [u8]>,
    /// Hashes of the symbols, so that the key of a series is made of a few numbers.
    hashes: Vec<u64>,
}

impl<'a> Message<'a> {
    /// Looks over a message. `seed` should be random and the same for all messages whose keys are
    /// compared; it keeps senders from choosing labels with equal keys.
    ///
    /// # Errors
    /// When the message is damaged. Damage within a series is found when the series is read.
    pub fn open(protocol: Protocol, bytes: &'a [u8], seed: u64) -> Result<Self, WireError> {
        let mut message = Self { protocol, bytes, seed, symbols: Vec::new(), hashes: Vec::new() };
        if protocol == Protocol::V2 {
            let mut reader = Reader::new(bytes);
            while let Some((number, field)) = reader.field()? {
                if number == SYMBOLS_V2 {
                    let symbol = field.bytes(number)?;
                    message.symbols.push(symbol);
                    message.hashes.push(xxh3_64_with_seed(symbol, seed));
                }
            }
        }
        Ok(message)
    }

    /// The series in order, until the first error.
    pub fn series<'m>(
        &'m self,
    ) -> impl Iterator<Item = Result<Series<'m>, WireError>> + use<'m, 'a> {
        let wanted = Fields::of(self.protocol).series;
        let mut reader = Some(Reader::new(self.bytes));
        std::iter::from_fn(move || {
            let series = next_of(reader.as_mut()?, wanted).transpose()?;
            let series = series.and_then(|bytes| Series::open(self, bytes));
            if series.is_err() {
                reader = None;
            }
            Some(series)
        })
    }

    /// What a message of protocol 1.0 says of metrics, until the first error.
    pub fn metadata(&self) -> impl Iterator<Item = Result<Metadata, WireError>> + '_ {
        // In 2.0 the number is reserved.
        let wanted = (self.protocol == Protocol::V1).then_some(METADATA_V1);
        fields(self.bytes).filter_map(move |field| match field {
            Ok((number, field)) if Some(number) == wanted => {
                Some(field.bytes(number).and_then(metadata::read))
            }
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(crate) fn symbol(&self, number: u64) -> Result<&'a [u8], WireError> {
        let found = usize::try_from(number).ok().and_then(|at| self.symbols.get(at));
        found.copied().ok_or(WireError::Symbol(number))
    }

    pub(crate) fn symbol_hash(&self, number: u64) -> Result<u64, WireError> {
        let found = usize::try_from(number).ok().and_then(|at| self.hashes.get(at));
        found.copied().ok_or(WireError::Symbol(number))
    }
}

/// The tag of a field with a length; its number is below 16.
fn tag(number: u32) -> u8 {
    (number << 3 | 2) as u8
}

/// The next field with this number, which must have a length.
#[inline]
fn next_of<'a>(reader: &mut Reader<'a>, wanted: u32) -> Result<Option<&'a [u8]>, WireError> {
    loop {
        if let Some(bytes) = reader.expected(tag(wanted))? {
            return Ok(Some(bytes));
        }
        match reader.field()? {
            None => return Ok(None),
            Some((number, field)) if number == wanted => return field.bytes(number).map(Some),
            Some(_) => {}
        }
    }
}

/// The fields of a message, until the first error.
fn fields(bytes: &[u8]) -> impl Iterator<Item = Result<(u32, Field<'_>), WireError>> {
    let mut reader = Some(Reader::new(bytes));
    std::iter::from_fn(move || {
        let field = reader.as_mut()?.field();
        if field.is_err() {
            reader = None;
        }
        field.transpose()
    })
}

/// One series of a request.
#[derive(Debug)]
pub struct Series<'m> {
    message: &'m Message<'m>,
    /// In 1.0 the fields of the labels, in 2.0 their references.
    labels: Cow<'m, [u8]>,
    /// Where everything but the labels begins.
    rest: &'m [u8],
    metadata: Option<&'m [u8]>,
    /// The first sample; most series have no other.
    first_sample: Option<&'m [u8]>,
    has_more_samples: bool,
    /// Whether native histograms came with it.
    pub has_histograms: bool,
    /// Whether exemplars came with it.
    pub has_exemplars: bool,
    /// Whether it says when it was created.
    pub has_created_time: bool,
}

impl<'m> Series<'m> {
    fn open(message: &'m Message<'m>, bytes: &'m [u8]) -> Result<Self, WireError> {
        let (labels, rest) = match message.protocol {
            Protocol::V1 => leading_labels(bytes)?,
            Protocol::V2 => leading_references(bytes)?,
        };
        let mut series = Self {
            message,
            labels: Cow::Borrowed(labels),
            rest,
            metadata: None,
            first_sample: None,
            has_more_samples: false,
            has_histograms: false,
            has_exemplars: false,
            has_created_time: false,
        };
        series.look_over()?;
        Ok(series)
    }

    /// Notes what is not read later, and gathers labels that do not stand together.
    fn look_over(&mut self) -> Result<(), WireError> {
        let known = Fields::of(self.message.protocol);
        let mut reader = Reader::new(self.rest);
        self.first_sample = reader.expected(tag(SAMPLES))?;
        loop {
            let before = reader.rest();
            let Some((number, field)) = reader.field()? else { return Ok(()) };
            if number == SAMPLES {
                self.has_more_samples |= self.first_sample.is_some();
                self.first_sample = self.first_sample.or(Some(field.bytes(number)?));
            } else if number == LABELS {
                let raw = &before[..before.len() - reader.rest().len()];
                self.add_labels(raw, field);
            } else if number == known.histograms {
                self.has_histograms = true;
            } else if number == known.exemplars {
                self.has_exemplars = true;
            } else if number == known.metadata {
                self.metadata = Some(field.bytes(number)?);
            } else if number == known.created {
                self.has_created_time = field.varint(number)? != 0;
            }
        }
    }

    fn add_labels(&mut self, raw: &'m [u8], field: Field<'m>) {
        let more = match (self.message.protocol, field) {
            (Protocol::V2, Field::Bytes(packed)) => packed,
            // A reference alone: its tag has one byte.
            (Protocol::V2, _) => &raw[1..],
            (Protocol::V1, _) => raw,
        };
        self.labels.to_mut().extend_from_slice(more);
    }

    /// Stands for the labels in the form in which they were sent: the same key means the same labels,
    /// while the same labels can come under several keys.
    ///
    /// # Errors
    /// When a reference leads nowhere.
    pub fn key(&self) -> Result<u128, WireError> {
        if self.message.protocol == Protocol::V1 {
            return Ok(xxh3_128_with_seed(&self.labels, self.message.seed));
        }
        let mut key = 1_u128;
        let mut reader = Reader::new(&self.labels);
        while !reader.rest().is_empty() {
            let hash = self.message.symbol_hash(reader.varint()?)?;
            key = (key.rotate_left(29) ^ u128::from(hash)).wrapping_mul(MULTIPLIER);
        }
        Ok(key)
    }

    /// The labels.
    ///
    /// # Errors
    /// When they are damaged or not as the protocol wants them.
    pub fn labels(&self) -> Result<Labels, BadLabels> {
        let mut list = LabelsList::default();
        self.put_labels(&mut RawLabelsPacker::default(), &mut list)?;
        Ok(list.iter().next().map(LabelsRef::to_labels).unwrap_or_default())
    }

    /// Adds the labels to a list, by way of a packer whose memory is used again.
    ///
    /// # Errors
    /// As [`Self::labels`]; then nothing is added.
    pub fn put_labels(
        &self,
        packer: &mut RawLabelsPacker,
        out: &mut LabelsList,
    ) -> Result<(), BadLabels> {
        let usual = match self.message.protocol {
            Protocol::V1 => labels::pack_fields(&self.labels, packer),
            Protocol::V2 => labels::pack_references(&self.labels, self.message, packer),
        };
        match usual {
            Some(labels) => out.push(labels),
            None => out.push(labels::check(&self.pairs()?)?.as_ref()),
        }
        Ok(())
    }

    /// The labels as far as they can be read, for messages.
    pub fn describe(&self) -> String {
        self.pairs().map_or_else(|error| format!("({error})"), |pairs| labels::describe(&pairs))
    }

    fn pairs(&self) -> Result<labels::Pairs<'_>, BadLabels> {
        match self.message.protocol {
            Protocol::V1 => labels::pairs_of_fields(&self.labels),
            Protocol::V2 => labels::pairs_of_references(&self.labels, self.message),
        }
    }

    /// The numbers in the order in which they were sent, until the first error.
    pub fn samples(&self) -> impl Iterator<Item = Result<(Timestamp, f64), WireError>> + 'm {
        let more = if self.has_more_samples { self.rest } else { &[] };
        let more = fields(more).filter_map(|field| match field {
            Ok((SAMPLES, field)) => Some(field.bytes(SAMPLES).and_then(read_sample)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        });
        self.first_sample.map(read_sample).into_iter().chain(more.skip(1))
    }

    /// The native histograms in the order in which they were sent, until the first damage. One that
    /// makes no sense spoils only itself.
    pub fn histograms(
        &self,
    ) -> impl Iterator<Item = Result<(Timestamp, Result<NativeHistogram, BadHistogram>), WireError>> + 'm
    {
        let wanted = Fields::of(self.message.protocol).histograms;
        fields(self.rest).filter_map(move |field| match field {
            Ok((number, field)) if number == wanted => {
                Some(field.bytes(number).and_then(histogram::read))
            }
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }

    /// The exemplars in the order in which they were sent, until the first damage. One whose labels make
    /// no sense spoils only itself.
    pub fn exemplars(
        &self,
    ) -> impl Iterator<Item = Result<Result<Exemplar, BadLabels>, WireError>> + 'm {
        let message = self.message;
        let wanted = Fields::of(message.protocol).exemplars;
        fields(self.rest).filter_map(move |field| match field {
            Ok((number, field)) if number == wanted => {
                Some(field.bytes(number).and_then(|bytes| exemplar::read(bytes, message)))
            }
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }

    /// What a series of protocol 2.0 says of its metric; `None` when nothing.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn metadata(&self) -> Result<Option<SeriesMetadata<'m>>, WireError> {
        self.metadata.map_or(Ok(None), |bytes| metadata::read_of_series(bytes, self.message))
    }
}

/// The fields of labels at the start of a series, which is where everyone puts them, and the rest.
fn leading_labels(bytes: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    let mut reader = Reader::new(bytes);
    while reader.expected(tag(LABELS))?.is_some() {}
    let rest = reader.rest();
    Ok((&bytes[..bytes.len() - rest.len()], rest))
}

/// The references to labels at the start of a series, which is where everyone puts them, and the rest.
fn leading_references(bytes: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    let mut reader = Reader::new(bytes);
    match reader.field()? {
        Some((LABELS, Field::Bytes(references))) => Ok((references, reader.rest())),
        _ => Ok((&[], bytes)),
    }
}

#[inline]
fn read_sample(bytes: &[u8]) -> Result<(Timestamp, f64), WireError> {
    /// The tag of the value, eight bytes.
    const VALUE: u8 = 0x09;
    /// The tag of the time, a varint.
    const TIME: u8 = 0x10;
    // Nearly every sample has just these two, in this order.
    if let [VALUE, a, b, c, d, e, f, g, h, TIME, time @ ..] = bytes {
        let mut reader = Reader::new(time);
        let timestamp = reader.varint()? as Timestamp;
        if reader.rest().is_empty() {
            return Ok((timestamp, f64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h])));
        }
    }
    let (mut timestamp, mut value) = (0, 0.0);
    let mut reader = Reader::new(bytes);
    while let Some((number, field)) = reader.field()? {
        match number {
            1 => value = field.double(number)?,
            2 => timestamp = field.varint(number)? as Timestamp,
            _ => {}
        }
    }
    Ok((timestamp, value))
}
