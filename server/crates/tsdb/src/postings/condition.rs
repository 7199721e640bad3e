//! What is known of matchers: the shape of their patterns, and which series of the head they selected
//! last time.
//!
//! A rule asks the same thing every few seconds. The shape is worked out once, and values of the head
//! that were looked at before are not looked at again. All of it is bounded; what was not asked for
//! the longest is forgotten.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use model::{MatchOp, Matcher};

use super::pattern::Pattern;

/// The most matchers known at a time,
const MAX_KNOWN: usize = 4_096;
/// and the most memory for the series they selected.
const MAX_BYTES: usize = 16 << 20;

/// A matcher with what is known of it.
#[derive(Debug)]
pub(crate) struct Condition<'a> {
    pub(crate) matcher: &'a Matcher,
    /// Of regular expressions and of conditions that many values may fulfil.
    known: Option<Arc<Known>>,
}

/// What a condition selected among the values of the head's index.
#[derive(Debug)]
pub(crate) struct Matches {
    /// The state of the index: how many times it lost series and how many it ever got.
    pub(crate) removals: u64,
    pub(crate) added: u64,
    /// How many values were looked at,
    pub(crate) seen: usize,
    /// the pairs of those that were chosen,
    pub(crate) pairs: Box<[u32]>,
    /// and their series, ascending.
    pub(crate) postings: Arc<[u32]>,
}

/// All matchers that were asked for lately.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    known: Mutex<HashMap<Matcher, Arc<Known>, RandomState>>,
    clock: AtomicU64,
    /// The memory of all matches.
    bytes: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Known {
    pattern: Option<Pattern>,
    matches: Mutex<Option<Arc<Matches>>>,
    used: AtomicU64,
    bytes: Arc<AtomicUsize>,
}

impl Conditions {
    /// Looks up what is known of matchers.
    pub(crate) fn of<'a>(&self, matchers: &'a [Matcher]) -> Vec<Condition<'a>> {
        let is_plain = |matcher: &Matcher| match matcher.op {
            MatchOp::Equal => true,
            MatchOp::NotEqual => !matcher.value.is_empty(),
            MatchOp::Regex | MatchOp::NotRegex => false,
        };
        let known = |matcher| (!is_plain(matcher)).then(|| self.known(matcher));
        matchers.iter().map(|matcher| Condition { matcher, known: known(matcher) }).collect()
    }

    fn known(&self, matcher: &Matcher) -> Arc<Known> {
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut all = lock(&self.known);
        if self.bytes.load(Ordering::Relaxed) > MAX_BYTES || all.len() >= MAX_KNOWN {
            forget_half(&mut all);
        }
        if let Some(known) = all.get(matcher) {
            known.used.store(now, Ordering::Relaxed);
            return Arc::clone(known);
        }
        let is_pattern = matches!(matcher.op, MatchOp::Regex | MatchOp::NotRegex);
        let known = Arc::new(Known {
            pattern: is_pattern.then(|| Pattern::new(&matcher.value)),
            matches: Mutex::default(),
            used: AtomicU64::new(now),
            bytes: Arc::clone(&self.bytes),
        });
        all.insert(matcher.clone(), Arc::clone(&known));
        known
    }
}

/// Keeps the half that was used last.
fn forget_half(all: &mut HashMap<Matcher, Arc<Known>, RandomState>) {
    let mut times: Vec<u64> = all.values().map(|k| k.used.load(Ordering::Relaxed)).collect();
    if times.is_empty() {
        return;
    }
    let middle = times.len() / 2;
    let (_, &mut bound, _) = times.select_nth_unstable(middle);
    // Of a single one nothing is kept.
    all.retain(|_, known| known.used.load(Ordering::Relaxed) > bound);
}

impl Condition<'_> {
    /// The only values the pattern matches, when they are few and known.
    pub(crate) fn literals(&self) -> Option<&[Box<str>]> {
        self.pattern()?.literals()
    }

    /// The text that every match of the pattern starts with.
    pub(crate) fn prefix(&self) -> &str {
        self.pattern().map_or("", Pattern::prefix)
    }

    /// Whether the pattern matches or the text is equal; the operator's negation does not count.
    pub(crate) fn is_match(&self, value: &str) -> bool {
        let is_negated = matches!(self.matcher.op, MatchOp::NotEqual | MatchOp::NotRegex);
        match self.pattern() {
            Some(pattern) => pattern.may_match(value) && self.matcher.matches(value) != is_negated,
            None => value == self.matcher.value,
        }
    }

    /// What the condition selected when the head's index was last asked.
    pub(crate) fn known_matches(&self) -> Option<Arc<Matches>> {
        lock(&self.known.as_ref()?.matches).clone()
    }

    /// Keeps what the condition selected for the next time.
    pub(crate) fn remember(&self, matches: Matches) {
        let Some(known) = &self.known else { return };
        let bytes = matches.bytes();
        // One that alone takes half of the room would drive out all the others.
        if bytes > MAX_BYTES / 2 {
            return;
        }
        let before = lock(&known.matches).replace(Arc::new(matches));
        known.bytes.fetch_add(bytes, Ordering::Relaxed);
        known.bytes.fetch_sub(before.map_or(0, |before| before.bytes()), Ordering::Relaxed);
    }

    fn pattern(&self) -> Option<&Pattern> {
        self.known.as_ref()?.pattern.as_ref()
    }
}

impl Matches {
    fn bytes(&self) -> usize {
        size_of::<Self>() + 4 * (self.pairs.len() + self.postings.len())
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        let matches = lock(&self.matches).take();
        self.bytes.fetch_sub(matches.map_or(0, |matches| matches.bytes()), Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(length: usize) -> Matches {
        let postings = vec![0; length].into();
        Matches { removals: 0, added: 0, seen: 0, pairs: Box::default(), postings }
    }

    fn regex(pattern: &str) -> Matcher {
        Matcher::try_new("a", MatchOp::Regex, pattern).unwrap()
    }

    #[test]
    fn what_is_known_is_bounded_and_the_oldest_goes_first() {
        let conditions = Conditions::default();
        let all: Vec<Matcher> = (0..100).map(|number| regex(&format!("{number}.*"))).collect();
        for matcher in &all {
            conditions.of(std::slice::from_ref(matcher))[0].remember(matches(100_000));
            assert!(conditions.bytes.load(Ordering::Relaxed) <= MAX_BYTES + 500_000);
        }
        let is_known = |at: usize| conditions.of(&all[at..=at])[0].known_matches().is_some();
        assert!(is_known(99));
        assert!(!is_known(0));
        conditions.of(&all[..1])[0].remember(matches(MAX_BYTES));
        assert!(!is_known(0), "one that is too large is not kept");
        lock(&conditions.known).clear();
        assert_eq!(conditions.bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn plain_comparisons_are_not_remembered() {
        let conditions = Conditions::default();
        let plain = [Matcher::equal("a", "b")];
        conditions.of(&plain)[0].remember(matches(1));
        assert!(lock(&conditions.known).is_empty());
    }
}
