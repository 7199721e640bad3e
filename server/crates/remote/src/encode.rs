//! Requests as their sender writes them.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use model::{Labels, Metadata, Timestamp, Value};

use crate::{
    histogram, metadata,
    protocol::Protocol,
    wire::{bytes_len, put_bytes, put_double, put_number, put_varint, varint_len},
};

/// Builds one request. Samples of one series stand together when they are added one after the other.
#[derive(Debug)]
pub struct Encoder<'a> {
    protocol: Protocol,
    symbols: Symbols<'a>,
    series: Vec<u8>,
    /// The labels of the series that is being written and whether its samples are histograms.
    open: Option<(&'a Labels, bool)>,
    /// Its fields.
    fields: Vec<u8>,
    /// Fields that come after its samples.
    tail: Vec<u8>,
    scratch: Vec<u8>,
    samples: u64,
    histograms: u64,
}

impl<'a> Encoder<'a> {
    /// An empty request.
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            symbols: Symbols::default(),
            series: Vec::new(),
            open: None,
            fields: Vec::new(),
            tail: Vec::new(),
            scratch: Vec::new(),
            samples: 0,
            histograms: 0,
        }
    }

    /// Adds a sample. What is known of the metric goes along with its series in protocol 2.0.
    pub fn push(
        &mut self,
        labels: &'a Labels,
        timestamp: Timestamp,
        value: &Value,
        metadata: Option<&'a Metadata>,
    ) {
        let is_histogram = matches!(value, Value::Histogram(_));
        if self.open != Some((labels, is_histogram)) {
            self.close_series();
            self.open_series(labels, metadata);
            self.open = Some((labels, is_histogram));
        }
        self.scratch.clear();
        match value {
            Value::Float(value) => {
                put_double(&mut self.scratch, 1, *value);
                put_number(&mut self.scratch, 2, timestamp as u64);
                put_bytes(&mut self.fields, 2, &self.scratch);
                self.samples += 1;
            }
            Value::Histogram(value) => {
                histogram::put(&mut self.scratch, timestamp, value);
                let number = if self.protocol == Protocol::V1 { 4 } else { 3 };
                put_bytes(&mut self.fields, number, &self.scratch);
                self.histograms += 1;
            }
        }
    }

    /// About how long the request is by now.
    pub fn bytes(&self) -> usize {
        self.symbols.bytes + self.series.len() + self.fields.len()
    }

    /// How many numbers were added.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// How many histograms were added.
    pub fn histograms(&self) -> u64 {
        self.histograms
    }

    /// About how long the request is so far, in bytes.
    pub fn len_bytes(&self) -> usize {
        self.symbols.bytes + self.series.len() + self.fields.len()
    }

    /// The finished request, to be packed.
    pub fn finish(mut self) -> Vec<u8> {
        self.close_series();
        if self.symbols.list.is_empty() {
            return self.series;
        }
        let mut message = Vec::with_capacity(self.symbols.bytes + self.series.len());
        for symbol in &self.symbols.list {
            put_bytes(&mut message, 4, symbol.as_bytes());
        }
        message.extend_from_slice(&self.series);
        message
    }

    fn open_series(&mut self, labels: &'a Labels, known: Option<&'a Metadata>) {
        if self.protocol == Protocol::V1 {
            for (name, value) in labels {
                let length = bytes_len(name.len()) + bytes_len(value.len());
                self.fields.push(0x0a);
                put_varint(&mut self.fields, length as u64);
                put_bytes(&mut self.fields, 1, name.as_bytes());
                put_bytes(&mut self.fields, 2, value.as_bytes());
            }
            return;
        }
        self.scratch.clear();
        for text in labels.iter().flat_map(|(name, value)| [name, value]) {
            let number = self.symbols.number(text);
            put_varint(&mut self.scratch, u64::from(number));
        }
        put_bytes(&mut self.fields, 1, &self.scratch);
        if let Some(known) = known {
            self.scratch.clear();
            put_number(&mut self.scratch, 1, metadata::number_of(known.kind));
            put_number(&mut self.scratch, 3, u64::from(self.symbols.number(&known.help)));
            put_number(&mut self.scratch, 4, u64::from(self.symbols.number(&known.unit)));
            put_bytes(&mut self.tail, 5, &self.scratch);
        }
    }

    fn close_series(&mut self) {
        if self.open.take().is_none() {
            return;
        }
        self.fields.append(&mut self.tail);
        let number = if self.protocol == Protocol::V1 { 1 } else { 5 };
        put_bytes(&mut self.series, number, &self.fields);
        self.fields.clear();
    }
}

/// A request of protocol 1.0 that only says what is known of metrics.
pub fn metadata_request(metadata: &[Metadata]) -> Vec<u8> {
    let mut message = Vec::new();
    let mut one = Vec::new();
    for metadata in metadata {
        one.clear();
        metadata::put(&mut one, metadata);
        put_bytes(&mut message, 3, &one);
    }
    message
}

/// The table of texts of protocol 2.0, whose first is the empty one.
#[derive(Debug, Default)]
struct Symbols<'a> {
    list: Vec<&'a str>,
    numbers: HashMap<&'a str, u32, RandomState>,
    bytes: usize,
}

impl<'a> Symbols<'a> {
    fn number(&mut self, text: &'a str) -> u32 {
        if self.list.is_empty() {
            self.add("");
        }
        match self.numbers.get(text) {
            Some(number) => *number,
            None => self.add(text),
        }
    }

    fn add(&mut self, text: &'a str) -> u32 {
        let number = self.list.len() as u32;
        self.list.push(text);
        self.numbers.insert(text, number);
        self.bytes += 1 + varint_len(text.len() as u64) + text.len();
        number
    }
}
