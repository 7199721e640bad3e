//! A list that grows without moving what it holds.

use std::ops::{Index, IndexMut};

/// How many items are in a segment.
const SEGMENT: usize = 1 << 12;

/// A list of items that are found by their place and never taken out, for lists of millions: a vector
/// that grows moves everything, and for a moment needs three times the memory of its items.
#[derive(Debug, Clone)]
pub struct Segments<T> {
    /// All but the last one are full.
    segments: Vec<Vec<T>>,
}

impl<T> Default for Segments<T> {
    fn default() -> Self {
        Self { segments: Vec::new() }
    }
}

impl<T> Segments<T> {
    /// How many items there are.
    pub fn len(&self) -> usize {
        let full = self.segments.len().saturating_sub(1) * SEGMENT;
        full + self.segments.last().map_or(0, Vec::len)
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Adds an item at the end.
    // Inlined, the item is written to its place at once. By way of the stack the processor waits until
    // all that was written before it has reached the caches, which of new series is most of their cost.
    #[inline]
    pub fn push(&mut self, item: T) {
        match self.segments.last_mut() {
            Some(last) if last.len() < SEGMENT => last.push(item),
            _ => self.push_segment(item),
        }
    }

    #[cold]
    fn push_segment(&mut self, item: T) {
        let mut segment = Vec::with_capacity(SEGMENT);
        segment.push(item);
        self.segments.push(segment);
    }

    /// The item at a place; `None` beyond the end.
    #[inline]
    pub fn get(&self, at: usize) -> Option<&T> {
        self.segments.get(at / SEGMENT)?.get(at % SEGMENT)
    }

    /// As [`Self::get`], to be changed.
    #[inline]
    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.segments.get_mut(at / SEGMENT)?.get_mut(at % SEGMENT)
    }

    /// All items in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.segments.iter().flatten()
    }

    /// As [`Self::iter`], to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.segments.iter_mut().flatten()
    }

    /// Takes out everything.
    pub fn clear(&mut self) {
        self.segments.clear();
    }
}

impl<T> Index<usize> for Segments<T> {
    type Output = T;

    #[inline]
    fn index(&self, at: usize) -> &T {
        &self.segments[at / SEGMENT][at % SEGMENT]
    }
}

impl<T> IndexMut<usize> for Segments<T> {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.segments[at / SEGMENT][at % SEGMENT]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_found_by_their_place_across_segments() {
        let mut list = Segments::default();
        assert!(list.is_empty());
        assert_eq!(list.get(0), None);
        for number in 0..2 * SEGMENT + 3 {
            assert_eq!(list.len(), number);
            list.push(number);
        }
        for at in [0, 1, SEGMENT - 1, SEGMENT, 2 * SEGMENT, 2 * SEGMENT + 2] {
            assert_eq!((list[at], list.get(at)), (at, Some(&at)));
        }
        assert_eq!(list.get(2 * SEGMENT + 3), None);
        list[SEGMENT] = 7;
        *list.get_mut(SEGMENT + 1).unwrap() = 8;
        list.iter_mut().for_each(|number| *number += 1);
        let around: Vec<usize> = list.iter().skip(SEGMENT - 1).take(3).copied().collect();
        assert_eq!(around, [SEGMENT, 8, 9]);
        list.clear();
        assert_eq!(list.len(), 0);
    }
}
