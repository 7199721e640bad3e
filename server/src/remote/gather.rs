//! From a message to samples of series that the store knows.

use std::collections::HashSet;

use model::{
    Labels, Metadata, Timestamp, Value,
    labels::{LabelsList, RawLabelsPacker},
};
use remote::{BadLabels, Exemplar, Message, Series, WireError};
use tsdb::{Committed, SeriesRef, Tsdb};

use super::{
    commits::{Commits, Writing},
    known::{KnownSeries, NoRoom, Number},
    outgoing::Row,
    receive::ReceiveOptions,
    refusal::{Reason, Refusals},
};

/// The most samples that room is made for in advance.
const MAX_EXPECTED: usize = 20_000;

/// How many series are looked up together: what the tables hold of one is on its way from memory while
/// the next is looked up.
const GROUP: usize = 128;

/// Why a series is not taken.
type Refused = (Reason, String);
/// Where a series is known, or why it is not taken.
type Found = Result<(Number, SeriesRef), Refused>;

/// A series of a message.
#[derive(Debug)]
struct Incoming<'m> {
    series: Series<'m>,
    key: u128,
    found: Option<Found>,
}

/// What became of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Received {
    /// Numbers that were written.
    pub(crate) samples: u64,
    /// Native histograms that were written.
    pub(crate) histograms: u64,
    /// Values that took the place of another one of the same series and time.
    pub(crate) replaced: u64,
    /// Exemplars that were stored.
    pub(crate) exemplars: u64,
    /// Series that say when they were created, which is not kept.
    pub(crate) created_times: u64,
    pub(crate) refusals: Refusals,
}

/// The samples of one request on their way into the store.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    samples: Vec<(SeriesRef, Timestamp, Value)>,
    metadata: Vec<Metadata>,
    /// With the labels of their series.
    pub(super) exemplars: Vec<(Labels, Exemplar)>,
    /// Exemplars whose labels make no sense.
    pub(super) bad_exemplars: u64,
    pub(super) received: Received,
}

/// Reads a message.
#[derive(Debug)]
pub(super) struct Gathering<'a> {
    store: &'a Tsdb,
    options: ReceiveOptions,
    known: &'a mut KnownSeries,
    now: Timestamp,
    out: Gathered,
    /// Memory that is used again.
    packer: RawLabelsPacker,
    labels: LabelsList,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(
        store: &'a Tsdb,
        options: ReceiveOptions,
        known: &'a mut KnownSeries,
        now: Timestamp,
    ) -> Self {
        let mut out = Gathered::default();
        out.samples.reserve(known.expected_samples);
        let (packer, labels) = (RawLabelsPacker::default(), LabelsList::default());
        Self { store, options, known, now, out, packer, labels }
    }

    /// Everything that can be taken of a message.
    ///
    /// # Errors
    /// When it is damaged.
    pub(super) fn read(mut self, message: &Message<'_>) -> Result<Gathered, WireError> {
        let mut all = message.series();
        let mut group = Vec::with_capacity(GROUP);
        loop {
            group.clear();
            for series in all.by_ref().take(GROUP) {
                let series = series?;
                let key = series.key()?;
                group.push(Incoming { series, key, found: None });
            }
            if group.is_empty() {
                break;
            }
            self.find(&mut group);
            for incoming in &group {
                self.take(incoming)?;
            }
        }
        for metadata in message.metadata() {
            let metadata = metadata?;
            if !metadata.metric.is_empty() {
                self.metadata(metadata);
            }
        }
        self.known.expected_samples = self.out.samples.len().min(MAX_EXPECTED);
        Ok(self.out)
    }

    /// Finds the series of a group in the store, and makes those that are new.
    fn find(&mut self, group: &mut [Incoming<'_>]) {
        self.known.tidy(self.now);
        for incoming in &mut *group {
            incoming.found = self.known.find(incoming.key, self.now).map(Ok);
        }
        let new = group.iter().filter(|incoming| incoming.found.is_none()).count();
        if new == 0 {
            return;
        }
        if self.known.has_room(new) {
            self.learn_all(group);
            return;
        }
        for incoming in group.iter_mut().filter(|incoming| incoming.found.is_none()) {
            incoming.found = Some(self.learn(incoming));
        }
    }

    /// Finds the series of a group by their labels, because this form of them is new. There is room.
    fn learn_all(&mut self, group: &mut [Incoming<'_>]) {
        let mut labels = std::mem::take(&mut self.labels);
        for incoming in group.iter_mut().filter(|incoming| incoming.found.is_none()) {
            if let Err(refused) = self.put_labels(&incoming.series, &mut labels) {
                incoming.found = Some(Err(refused));
            }
        }
        let found = self.store.resolve_all(&labels);
        let new = group.iter_mut().filter(|incoming| incoming.found.is_none());
        for (incoming, series) in new.zip(found) {
            let number = self.known.remember(incoming.key, series, self.now);
            incoming.found = Some(Ok((number, series)));
        }
        labels.clear();
        self.labels = labels;
    }

    /// As [`Self::learn_all`], of one, for which there may be no room.
    fn learn(&mut self, incoming: &Incoming<'_>) -> Found {
        let labels = incoming.series.labels().map_err(|error| refused(&error))?;
        self.known.learn(incoming.key, &labels, self.store, self.now).map_err(|NoRoom| {
            let limit = self.options.max_series;
            let text = format!(
                "remote writers have {limit} series already, which is remote_write.max_series"
            );
            (Reason::TooManySeries, text)
        })
    }

    fn put_labels(&mut self, series: &Series<'_>, out: &mut LabelsList) -> Result<(), Refused> {
        series.put_labels(&mut self.packer, out).map_err(|error| refused(&error))
    }

    fn take(&mut self, incoming: &Incoming<'_>) -> Result<(), WireError> {
        let series = &incoming.series;
        self.out.received.created_times += u64::from(series.has_created_time);
        let (number, reference) = match &incoming.found {
            Some(Ok(found)) => *found,
            Some(Err((reason, text))) => {
                let samples = count_samples(series)?;
                let describe = || format!("{}: {text}", series.describe());
                self.out.received.refusals.note(*reason, samples, describe);
                return Ok(());
            }
            // Every series of a group is looked up before it is taken.
            None => return Ok(()),
        };
        for sample in series.samples() {
            let (timestamp, value) = sample?;
            if self.is_in_time(timestamp, series) {
                self.out.samples.push((reference, timestamp, Value::Float(value)));
                self.out.received.samples += 1;
            }
        }
        if series.has_histograms {
            self.histograms(series, reference)?;
        }
        if series.has_exemplars && self.options.max_exemplars > 0 {
            self.exemplars(series)?;
        }
        if let Some(said) = series.metadata()?
            && self.known.says_new(number, said.key())
            && let Some(name) = self.store.metric_name(reference)
        {
            self.metadata(said.for_metric(&name));
        }
        Ok(())
    }

    fn histograms(&mut self, series: &Series<'_>, reference: SeriesRef) -> Result<(), WireError> {
        for histogram in series.histograms() {
            let (timestamp, histogram) = histogram?;
            match histogram {
                Ok(histogram) if self.is_in_time(timestamp, series) => {
                    let value = Value::Histogram(histogram.into());
                    self.out.samples.push((reference, timestamp, value));
                    self.out.received.histograms += 1;
                }
                Ok(_) => {}
                Err(error) => {
                    let describe = || format!("{} at {timestamp}: {error}", series.describe());
                    self.out.received.refusals.note(Reason::BadHistogram, 1, describe);
                }
            }
        }
        Ok(())
    }

    fn exemplars(&mut self, series: &Series<'_>) -> Result<(), WireError> {
        // The labels were looked at when the series was.
        let Ok(labels) = series.labels() else { return Ok(()) };
        for exemplar in series.exemplars() {
            match exemplar? {
                Ok(exemplar) => self.out.exemplars.push((labels.clone(), exemplar)),
                Err(_) => self.out.bad_exemplars += 1,
            }
        }
        Ok(())
    }

    #[inline]
    fn is_in_time(&mut self, timestamp: Timestamp, series: &Series<'_>) -> bool {
        let behind_ms = self.now.saturating_sub(timestamp);
        let reason = if behind_ms > self.options.out_of_order_window_ms {
            Reason::TooOld
        } else if behind_ms < -self.options.future_window_ms {
            Reason::TooNew
        } else {
            return true;
        };
        let describe = || {
            let seconds = behind_ms.unsigned_abs() / 1000;
            let side = if behind_ms > 0 { "behind" } else { "ahead of" };
            format!("{} at {timestamp}: {seconds} s {side} the server's clock", series.describe())
        };
        self.out.received.refusals.note(reason, 1, describe);
        false
    }

    fn metadata(&mut self, metadata: Metadata) {
        if self.known.is_new_metadata(&metadata) {
            self.out.metadata.push(metadata);
        }
    }
}

fn refused(error: &BadLabels) -> Refused {
    (Reason::BadLabels, error.to_string())
}

/// How many samples of any kind a series has.
fn count_samples(series: &Series<'_>) -> Result<u64, WireError> {
    let mut count = 0;
    for sample in series.samples() {
        sample?;
        count += 1;
    }
    for histogram in series.histograms() {
        drop(histogram?);
        count += 1;
    }
    Ok(count)
}

impl Gathered {
    /// All samples with the labels of their series, to be sent on.
    pub(super) fn rows(&self, store: &Tsdb) -> Vec<Row> {
        let with_labels = |(series, timestamp, value): &(SeriesRef, Timestamp, Value)| {
            Some((store.labels(*series)?, *timestamp, value.clone()))
        };
        self.samples.iter().filter_map(with_labels).collect()
    }

    /// Writes the samples. `again` reads the message once more, for what turns out to belong to series
    /// that the store forgot since they were last sent; they go on under new references, which replace
    /// the old ones here. Returns whether everything is on stable storage.
    ///
    /// # Errors
    /// Those of `again`.
    pub(super) fn commit(
        &mut self,
        commits: &Commits,
        store: &Tsdb,
        now: Timestamp,
        again: impl FnOnce(&HashSet<SeriesRef>) -> Result<Gathered, WireError>,
    ) -> Result<bool, WireError> {
        let committed = self.commit_once(commits, store, now);
        if committed.unknown.is_empty() {
            return Ok(committed.is_durable);
        }
        let unknown: HashSet<SeriesRef> = committed.unknown.into_iter().collect();
        self.samples.retain(|(series, ..)| !unknown.contains(series));
        let written: HashSet<SeriesRef> = self.samples.iter().map(|(series, ..)| *series).collect();
        let mut rest = again(&unknown)?;
        rest.samples.retain(|(series, ..)| !written.contains(series));
        rest.metadata.clear();
        let second = rest.commit_once(commits, store, now);
        self.received.replaced += rest.received.replaced;
        self.samples.append(&mut rest.samples);
        if !second.unknown.is_empty() {
            tracing::error!(series = second.unknown.len(), "the store refused series twice");
        }
        Ok(committed.is_durable && second.is_durable && second.unknown.is_empty())
    }

    fn commit_once(&mut self, commits: &Commits, store: &Tsdb, now: Timestamp) -> Committed {
        let samples = std::mem::take(&mut self.samples);
        let metadata = std::mem::take(&mut self.metadata);
        let writing = Writing { timestamp: now, samples, metadata };
        let (writing, committed) = commits.commit(writing, store);
        self.samples = writing.samples;
        self.metadata = writing.metadata;
        self.received.replaced += committed.duplicates;
        committed
    }
}
