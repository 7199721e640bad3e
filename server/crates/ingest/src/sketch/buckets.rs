//! Bucket counts: a list while they are few, then a run as narrow as its largest count allows.

use model::histogram::Span;

use super::MAX_SPAN;

/// Spare buckets on the side that grows, so that a drifting distribution does not move its counts for
/// every new bucket.
const SLACK: usize = 8;
/// Empty buckets up to this many between two others are written out: a span costs as much.
const MAX_BRIDGED: u32 = 2;
/// Up to this many whole observations are kept as a list of their buckets, without memory of its own:
/// a sketch then fills two cache lines. A run takes a byte per bucket between the lowest and the
/// highest at least.
const MAX_LISTED: usize = 44;

/// The counts of consecutive buckets. Weights of sampled values make fractions, everything else fits
/// into integers.
#[derive(Debug, Clone, PartialEq)]
enum Counts {
    /// The bucket of every observation, in order of arrival; the offset is 0.
    List(List),
    Byte(Vec<u8>),
    Short(Vec<u16>),
    Word(Vec<u32>),
    Float(Vec<f64>),
}

/// The buckets of single observations.
#[derive(Debug, Clone, Copy, PartialEq)]
struct List {
    length: u8,
    buckets: [i16; MAX_LISTED],
}

impl List {
    const EMPTY: Self = Self { length: 0, buckets: [0; MAX_LISTED] };

    /// False when it is full.
    #[inline]
    fn push(&mut self, bucket: i16) -> bool {
        let slot = self.buckets.get_mut(usize::from(self.length));
        let has_room = slot.is_some();
        if let Some(slot) = slot {
            *slot = bucket;
            self.length += 1;
        }
        has_room
    }

    fn as_slice(&self) -> &[i16] {
        &self.buckets[..usize::from(self.length)]
    }
}

/// Buckets of one sign.
#[derive(Debug, Clone)]
pub(super) struct Buckets {
    /// The bucket of the first count.
    offset: i32,
    counts: Counts,
}

impl PartialEq for Buckets {
    /// Equal when the same buckets hold the same counts, however they are kept.
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Buckets {
    pub(super) fn new() -> Self {
        Self { offset: 0, counts: Counts::List(List::EMPTY) }
    }

    fn empty_run() -> Self {
        Self { offset: 0, counts: Counts::Byte(Vec::new()) }
    }

    /// The length of the run.
    fn len(&self) -> usize {
        match &self.counts {
            Counts::List(_) => 0,
            Counts::Byte(c) => c.len(),
            Counts::Short(c) => c.len(),
            Counts::Word(c) => c.len(),
            Counts::Float(c) => c.len(),
        }
    }

    #[inline]
    fn get(&self, at: usize) -> f64 {
        match &self.counts {
            Counts::List(_) => 0.0,
            Counts::Byte(c) => f64::from(c[at]),
            Counts::Short(c) => f64::from(c[at]),
            Counts::Word(c) => f64::from(c[at]),
            Counts::Float(c) => c[at],
        }
    }

    /// Adds to a list with room, or to a bucket inside the run; else false.
    #[inline]
    pub(super) fn add(&mut self, index: i32, weight: f64) -> bool {
        if let Counts::List(list) = &mut self.counts {
            let Ok(index) = i16::try_from(index) else { return false };
            return weight == 1.0 && list.push(index);
        }
        let at = index.wrapping_sub(self.offset) as usize;
        if at >= self.len() {
            return false;
        }
        // The common case: a whole observation and room in the counter.
        match &mut self.counts {
            Counts::Byte(c) if weight == 1.0 && c[at] < u8::MAX => c[at] += 1,
            Counts::Short(c) if weight == 1.0 && c[at] < u16::MAX => c[at] += 1,
            Counts::Word(c) if weight == 1.0 && c[at] < u32::MAX => c[at] += 1,
            _ => {
                let total = self.get(at) + weight;
                self.set(at, total);
            }
        }
        true
    }

    /// Stores a count, in wider counters when it needs them.
    fn set(&mut self, at: usize, total: f64) {
        let is_whole = total.fract() == 0.0;
        match &mut self.counts {
            Counts::Byte(c) if is_whole && total <= f64::from(u8::MAX) => c[at] = total as u8,
            Counts::Short(c) if is_whole && total <= f64::from(u16::MAX) => c[at] = total as u16,
            Counts::Word(c) if is_whole && total <= f64::from(u32::MAX) => c[at] = total as u32,
            Counts::Float(c) => c[at] = total,
            Counts::List(_) => {}
            _ => {
                self.widen_for(total);
                self.set(at, total);
            }
        }
    }

    fn widen_for(&mut self, total: f64) {
        let all = 0..self.len();
        let is_whole = total.fract() == 0.0;
        self.counts = if is_whole && total <= f64::from(u16::MAX) {
            Counts::Short(all.map(|at| self.get(at) as u16).collect())
        } else if is_whole && total <= f64::from(u32::MAX) {
            Counts::Word(all.map(|at| self.get(at) as u32).collect())
        } else {
            Counts::Float(all.map(|at| self.get(at)).collect())
        };
    }

    /// Adds to any bucket; false when the run would become longer than [`MAX_SPAN`].
    pub(super) fn grow_and_add(&mut self, index: i32, weight: f64) -> bool {
        if self.add(index, weight) {
            return true;
        }
        if matches!(self.counts, Counts::List(_)) {
            let Some(run) = self.to_run() else { return false };
            *self = run;
            return self.grow_and_add(index, weight);
        }
        let max_span = MAX_SPAN as usize;
        if self.len() == 0 {
            self.offset = index;
            self.resize(0, 1);
            return self.add(index, weight);
        }
        let end = self.offset + self.len() as i32;
        let (front, back) = if index < self.offset {
            (self.offset.abs_diff(index) as usize, 0)
        } else {
            (0, index.abs_diff(end) as usize + 1)
        };
        let needed = self.len() + front + back;
        if needed > max_span {
            // Slack and emptied ends may be in the way of a span that is allowed.
            return self.trim() && self.grow_and_add(index, weight);
        }
        let slack = SLACK.min(max_span - needed);
        if front > 0 {
            self.resize(front + slack, 0);
        } else {
            self.resize(0, back + slack);
        }
        self.add(index, weight)
    }

    /// A list as a run; `None` when that would be too long.
    fn to_run(&self) -> Option<Self> {
        let mut run = Self::empty_run();
        self.iter().all(|(index, count)| run.grow_and_add(index, count)).then_some(run)
    }

    /// Removes empty buckets at both ends; false when there are none.
    fn trim(&mut self) -> bool {
        let bounds = self.iter().next().zip(self.iter().next_back());
        let Some(((first, _), (last, _))) = bounds else {
            return false;
        };
        let (start, end) = ((first - self.offset) as usize, (last - self.offset) as usize + 1);
        if (start, end) == (0, self.len()) {
            return false;
        }
        match &mut self.counts {
            Counts::List(_) => {}
            Counts::Byte(c) => *c = c[start..end].to_vec(),
            Counts::Short(c) => *c = c[start..end].to_vec(),
            Counts::Word(c) => *c = c[start..end].to_vec(),
            Counts::Float(c) => *c = c[start..end].to_vec(),
        }
        self.offset = first;
        true
    }

    /// Makes room in front of and behind the run.
    fn resize(&mut self, front: usize, back: usize) {
        fn resized<T: Copy + Default>(counts: &[T], front: usize, back: usize) -> Vec<T> {
            let mut wider = Vec::with_capacity(front + counts.len() + back);
            wider.resize(front, T::default());
            wider.extend_from_slice(counts);
            wider.resize(front + counts.len() + back, T::default());
            wider
        }
        match &mut self.counts {
            Counts::List(_) => {}
            Counts::Byte(c) => *c = resized(c, front, back),
            Counts::Short(c) => *c = resized(c, front, back),
            Counts::Word(c) => *c = resized(c, front, back),
            Counts::Float(c) => *c = resized(c, front, back),
        }
        self.offset -= front as i32;
    }

    /// The same counts with pairs of neighbours added up.
    pub(super) fn halved(&self) -> Self {
        let mut half = Self::new();
        self.for_each(|index, count| {
            half.grow_and_add(super::coarser(index, 1), count);
        });
        half
    }

    /// The buckets that are not empty, ascending.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (i32, f64)> + '_ {
        let mut listed = match &self.counts {
            Counts::List(list) => list.as_slice().to_vec(),
            _ => Vec::new(),
        };
        listed.sort_unstable();
        let listed: Vec<(i32, f64)> = listed
            .chunk_by(|a, b| a == b)
            .map(|same| (i32::from(same[0]), same.len() as f64))
            .collect();
        let run = (0..self.len())
            .map(|at| (self.offset + at as i32, self.get(at)))
            .filter(|(_, count)| *count > 0.0);
        listed.into_iter().chain(run)
    }

    /// Calls `add` for every bucket that is not empty, in any order; a bucket may come in parts.
    pub(super) fn for_each(&self, mut add: impl FnMut(i32, f64)) {
        if let Counts::List(list) = &self.counts {
            for index in list.as_slice() {
                add(i32::from(*index), 1.0);
            }
        }
        for at in 0..self.len() {
            let count = self.get(at);
            if count > 0.0 {
                add(self.offset + at as i32, count);
            }
        }
    }

    pub(super) fn total(&self) -> f64 {
        match &self.counts {
            Counts::List(list) => f64::from(list.length),
            Counts::Byte(c) => c.iter().map(|n| u64::from(*n)).sum::<u64>() as f64,
            Counts::Short(c) => c.iter().map(|n| u64::from(*n)).sum::<u64>() as f64,
            Counts::Word(c) => c.iter().map(|n| u64::from(*n)).sum::<u64>() as f64,
            Counts::Float(c) => c.iter().sum(),
        }
    }

    /// The form of native histograms, in exactly as much memory as it needs: stores keep it.
    pub(super) fn to_spans(&self) -> (Vec<Span>, Vec<f64>) {
        let mut spans: Vec<Span> = Vec::new();
        let mut buckets: Vec<(i32, f64)> = Vec::with_capacity(self.len().max(MAX_LISTED));
        buckets.extend(self.iter());
        let mut end = 0;
        for (index, _) in &buckets {
            let gap = index.abs_diff(end);
            match spans.last_mut() {
                Some(span) if gap <= MAX_BRIDGED => span.length += gap + 1,
                _ => spans.push(Span { offset: index - end, length: 1 }),
            }
            end = index + 1;
        }
        spans.shrink_to_fit();
        let length: u32 = spans.iter().map(|span| span.length).sum();
        let mut counts = Vec::with_capacity(length as usize);
        for (index, count) in buckets {
            if !counts.is_empty() {
                // A gap inside a span; one between spans is wider.
                let gap = index.abs_diff(end);
                if gap <= MAX_BRIDGED {
                    counts.resize(counts.len() + gap as usize, 0.0);
                }
            }
            counts.push(count);
            end = index + 1;
        }
        (spans, counts)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match &self.counts {
            Counts::List(_) => 0,
            Counts::Byte(c) => c.capacity(),
            Counts::Short(c) => c.capacity() * 2,
            Counts::Word(c) => c.capacity() * 4,
            Counts::Float(c) => c.capacity() * 8,
        }
    }
}

/// The buckets of a native histogram with their indices; lengths that do not fit end it early.
pub(super) fn indexed<'a>(
    spans: &'a [Span],
    counts: &'a [f64],
) -> impl Iterator<Item = (i32, f64)> + 'a {
    let mut next = 0_i32;
    let indices = spans.iter().flat_map(move |span| {
        let start = next.saturating_add(span.offset);
        next = start.saturating_add_unsigned(span.length);
        start..next
    });
    indices.zip(counts.iter().copied())
}
