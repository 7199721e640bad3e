//! Pages that were read, up to a bound in bytes.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::{block::open_page, bytes::FormatError};

/// The key of a page: block and number.
pub(crate) type PageKey = (u64, u32);

/// A page whose checksum was checked.
#[derive(Debug)]
pub(crate) struct Page(Vec<u8>);

impl Page {
    /// Checks a page as it comes from the engine.
    pub(crate) fn open(bytes: Vec<u8>) -> Result<Self, FormatError> {
        open_page(&bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes of a chunk; `None` when they lie outside.
    pub(crate) fn chunk(&self, offset: u32, length: u32) -> Option<&[u8]> {
        let payload = self.0.get(crate::bytes::ENVELOPE_BYTES..)?;
        payload.get(offset as usize..)?.get(..length as usize)
    }
}

/// What the cache knows of a page.
#[derive(Debug)]
pub(crate) enum Cached {
    /// The page.
    Page(Arc<Page>),
    /// It cannot be read.
    Damaged,
    /// Nothing: ask the engine.
    Unknown,
}

/// The pages used last. A page that could not be read is remembered too, so that it is counted once
/// and not read again by every query.
#[derive(Debug)]
pub(crate) struct PageCache {
    entries: HashMap<PageKey, Entry, foldhash::fast::FixedState>,
    limit_bytes: usize,
    bytes: usize,
    /// Rises with every use.
    time: u64,
    hits: u64,
    misses: u64,
}

#[derive(Debug)]
struct Entry {
    /// `None` for a page that could not be read.
    page: Option<Arc<Page>>,
    used: u64,
}

impl Entry {
    fn bytes(&self) -> usize {
        size_of::<(PageKey, Self)>() + self.page.as_ref().map_or(0, |page| page.0.len())
    }
}

impl PageCache {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self { entries: HashMap::default(), limit_bytes, bytes: 0, time: 0, hits: 0, misses: 0 }
    }

    /// What is known of a page.
    pub(crate) fn get(&mut self, key: PageKey) -> Cached {
        let Some(entry) = self.entries.get_mut(&key) else {
            self.misses += 1;
            return Cached::Unknown;
        };
        self.time += 1;
        self.hits += 1;
        entry.used = self.time;
        entry.page.as_ref().map_or(Cached::Damaged, |page| Cached::Page(Arc::clone(page)))
    }

    /// Adds a page, or that it cannot be read. Returns whether it was not known before.
    pub(crate) fn insert(&mut self, key: PageKey, page: Option<Arc<Page>>) -> bool {
        self.time += 1;
        let entry = Entry { page, used: self.time };
        self.bytes += entry.bytes();
        let before = self.entries.insert(key, entry);
        self.bytes -= before.as_ref().map_or(0, Entry::bytes);
        while self.bytes > self.limit_bytes {
            // A page is large, so there are few and looking at all of them is cheap beside reading one.
            let Some((&oldest, _)) = self.entries.iter().min_by_key(|(_, entry)| entry.used) else {
                break;
            };
            self.remove(oldest);
        }
        before.is_none()
    }

    /// The pages known not to be readable, ascending.
    pub(crate) fn damaged(&self) -> Vec<PageKey> {
        let damaged = self.entries.iter().filter(|(_, entry)| entry.page.is_none());
        let mut keys: Vec<PageKey> = damaged.map(|(&key, _)| key).collect();
        keys.sort_unstable();
        keys
    }

    /// Drops all pages of a block.
    pub(crate) fn forget_block(&mut self, block: u64) {
        let keys: Vec<PageKey> =
            self.entries.keys().filter(|key| key.0 == block).copied().collect();
        for key in keys {
            self.remove(key);
        }
    }

    pub(crate) fn hits(&self) -> u64 {
        self.hits
    }

    pub(crate) fn misses(&self) -> u64 {
        self.misses
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn remove(&mut self, key: PageKey) {
        if let Some(entry) = self.entries.remove(&key) {
            self.bytes -= entry.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(cache: &mut PageCache, key: PageKey, length: usize) -> bool {
        cache.insert(key, Some(Arc::new(Page(vec![0; length]))))
    }

    fn has(cache: &mut PageCache, key: PageKey) -> bool {
        matches!(cache.get(key), Cached::Page(_))
    }

    #[test]
    fn the_page_used_longest_ago_goes_first_and_the_bound_holds() {
        let mut cache = PageCache::new(3_500);
        for number in 0..3 {
            assert!(insert(&mut cache, (1, number), 1_000));
        }
        assert!(has(&mut cache, (1, 0)));
        insert(&mut cache, (2, 0), 1_000);
        assert!(cache.bytes() <= 3_500);
        assert!(!has(&mut cache, (1, 1)), "used longest ago");
        assert!(has(&mut cache, (1, 0)));
        insert(&mut cache, (2, 0), 500);
        cache.forget_block(1);
        assert!(!has(&mut cache, (1, 0)));
        cache.forget_block(2);
        assert_eq!(cache.bytes(), 0);
        assert_eq!((cache.hits(), cache.misses()), (2, 2));
    }

    #[test]
    fn a_page_larger_than_the_cache_is_not_kept() {
        let mut cache = PageCache::new(100);
        insert(&mut cache, (1, 0), 1_000);
        assert_eq!(cache.bytes(), 0);
    }

    #[test]
    fn a_page_that_cannot_be_read_is_remembered() {
        let mut cache = PageCache::new(1_000);
        assert!(cache.insert((1, 0), None));
        assert!(!cache.insert((1, 0), None));
        insert(&mut cache, (1, 1), 10);
        assert_eq!(cache.damaged(), [(1, 0)]);
        assert!(matches!(cache.get((1, 0)), Cached::Damaged));
    }
}
