//! Bucket layouts: runs of consecutive indices and the counts in them.

use super::Span;

/// The bucket indices with their counts, ascending. Counts that a damaged layout lacks are left out.
pub(super) fn indexed<'a>(
    spans: &'a [Span],
    counts: &'a [f64],
) -> impl Iterator<Item = (i32, f64)> + 'a {
    let mut next = 0_i32;
    spans
        .iter()
        .flat_map(move |span| {
            let start = next.saturating_add(span.offset);
            next = start.saturating_add(i32::try_from(span.length).unwrap_or(i32::MAX));
            start..next
        })
        .zip(counts.iter().copied())
}

/// The layout of buckets with ascending, unique indices.
pub(super) fn from_indexed(buckets: impl IntoIterator<Item = (i32, f64)>) -> (Vec<Span>, Vec<f64>) {
    let mut spans: Vec<Span> = Vec::new();
    let mut counts = Vec::new();
    let mut next = 0_i32;
    for (index, count) in buckets {
        match spans.last_mut() {
            Some(span) if index == next => span.length += 1,
            Some(_) | None => {
                let offset = if spans.is_empty() { index } else { index.saturating_sub(next) };
                spans.push(Span { offset, length: 1 });
            }
        }
        next = index.saturating_add(1);
        counts.push(count);
    }
    (spans, counts)
}

/// Drops empty buckets and rebuilds the runs.
pub(super) fn compact(spans: &mut Vec<Span>, counts: &mut Vec<f64>) {
    let joined = spans.iter().skip(1).all(|span| span.offset > 0 && span.length > 0);
    if joined && !counts.contains(&0.0) && spans.first().is_none_or(|span| span.length > 0) {
        return;
    }
    let kept: Vec<(i32, f64)> = indexed(spans, counts).filter(|(_, count)| *count != 0.0).collect();
    (*spans, *counts) = from_indexed(kept);
}

/// Adds `factor` times the buckets of the other side, whatever the layouts; `keep` tells which of the
/// other side's indices count.
pub(super) fn add(
    (spans, counts): (&mut Vec<Span>, &mut Vec<f64>),
    (other_spans, other_counts): (&[Span], &[f64]),
    mut combine: impl FnMut(f64, f64) -> f64,
    keep: impl Fn(i32) -> bool,
) {
    if spans.as_slice() == other_spans
        && counts.len() == other_counts.len()
        && other_spans.first().is_none_or(|span| keep(span.offset))
    {
        for (count, other) in counts.iter_mut().zip(other_counts) {
            *count = combine(*count, *other);
        }
        return;
    }
    let merged = {
        let mut ours = indexed(spans, counts).peekable();
        let mut theirs =
            indexed(other_spans, other_counts).filter(|(index, _)| keep(*index)).peekable();
        let mut merged = Vec::with_capacity(counts.len() + other_counts.len());
        loop {
            match (ours.peek().copied(), theirs.peek().copied()) {
                (Some((a, count)), Some((b, other))) if a == b => {
                    merged.push((a, combine(count, other)));
                    ours.next();
                    theirs.next();
                }
                (Some((a, count)), Some((b, _))) if a < b => {
                    merged.push((a, count));
                    ours.next();
                }
                (_, Some((b, other))) => {
                    merged.push((b, combine(0.0, other)));
                    theirs.next();
                }
                (Some(bucket), None) => {
                    merged.push(bucket);
                    ours.next();
                }
                (None, None) => break merged,
            }
        }
    };
    (*spans, *counts) = from_indexed(merged);
}

/// Merges `2^shift` neighboring buckets into one.
pub(super) fn merge_resolution(
    spans: &[Span],
    counts: &[f64],
    shift: i32,
) -> (Vec<Span>, Vec<f64>) {
    let mut merged: Vec<(i32, f64)> = Vec::new();
    for (index, count) in indexed(spans, counts) {
        let target = (index.saturating_sub(1) >> shift.min(31)) + 1;
        match merged.last_mut() {
            Some(last) if last.0 == target => last.1 += count,
            _ => merged.push((target, count)),
        }
    }
    from_indexed(merged)
}

/// Whether two layouts name the same indices; runs without buckets do not matter.
pub(super) fn match_layout(a: &[Span], b: &[Span]) -> bool {
    fn normal(spans: &[Span]) -> impl Iterator<Item = (i32, u32)> + '_ {
        let mut gap = 0_i32;
        spans.iter().filter_map(move |span| {
            gap = gap.saturating_add(span.offset);
            (span.length > 0).then(|| (std::mem::take(&mut gap), span.length))
        })
    }
    a == b || normal(a).eq(normal(b))
}
