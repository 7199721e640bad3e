//! The store against a map, through flushes, seals, merges, failures and restarts.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::testing::any_value;

const SERIES: usize = 6;

#[derive(Debug, Clone)]
enum Step {
    /// A flush: how far time goes on (or back), samples of it, samples with a time of their own.
    Flush { advance: i64, ticks: Vec<(usize, Value)>, dated: Vec<(usize, i64, Value)> },
    /// Maintenance.
    Maintain,
    /// A seal out of turn.
    Seal,
    /// A crash and a restart.
    Restart,
    /// The engine is about to fail.
    Inject(Fault),
    /// The engine works again.
    Heal,
}

fn any_step() -> impl Strategy<Value = Step> {
    let tick = (0..SERIES, any_value());
    let dated = (0..SERIES, -200_i64..50, any_value());
    let advance = prop_oneof![8 => Just(10_i64), 2 => 1_i64..60, 1 => -100_i64..1];
    let flush = (
        advance,
        proptest::collection::vec(tick, 0..10),
        proptest::collection::vec(dated, 0..3),
        0..5,
    )
        .prop_map(|(advance, ticks, dated, has_dated)| Step::Flush {
            advance,
            ticks,
            dated: if has_dated == 0 { dated } else { Vec::new() },
        });
    let verb = prop_oneof![
        Just(Some(Verb::AppendFrame)),
        Just(Some(Verb::StagePages)),
        Just(Some(Verb::ChangeBlocks)),
        Just(Some(Verb::Blocks)),
        Just(Some(Verb::DeletePages)),
    ];
    let moment = prop_oneof![Just(FaultMoment::Before), Just(FaultMoment::After)];
    let fault =
        (verb, moment, 0_u32..3, 1_u32..4).prop_map(|(verb, moment, after_calls, times)| {
            Step::Inject(Fault { verb, moment, after_calls, times })
        });
    prop_oneof![
        12 => flush,
        4 => Just(Step::Maintain),
        1 => Just(Step::Seal),
        1 => Just(Step::Restart),
        1 => fault,
        1 => Just(Step::Heal),
    ]
}

type Written = Vec<(usize, Timestamp, Value)>;

/// What the store must hold.
#[derive(Default)]
struct Model {
    /// Samples of earlier lives of the store.
    base: Written,
    /// The `seq` of the last frame of earlier lives that was on stable storage.
    last_seq: u64,
    /// The samples of each frame of this life.
    frames: Vec<Written>,
    /// The `seq` of frames that are on stable storage.
    durable: BTreeSet<u64>,
}

impl Model {
    /// Remembers which frames are on stable storage.
    fn observe(&mut self, engine: &MemoryEngine, store: &Tsdb) {
        self.durable.extend(engine.frame_seqs());
        if store.health().is_healthy() {
            self.durable.extend(1..=self.last_seq + self.frames.len() as u64);
        }
    }

    /// A crash and a restart: what was not durable is gone.
    fn restart(&mut self) {
        for (seq, frame) in (self.last_seq + 1..).zip(std::mem::take(&mut self.frames)) {
            if self.durable.contains(&seq) {
                self.base.extend(frame);
            }
        }
        // Numbers of frames that a block replaced are not given again.
        let newest = std::mem::take(&mut self.durable).last().copied().unwrap_or_default();
        self.last_seq = self.last_seq.max(newest);
    }

    fn contents(&self) -> BTreeMap<Labels, BTreeMap<Timestamp, Value>> {
        let mut contents: BTreeMap<Labels, BTreeMap<Timestamp, Value>> = BTreeMap::new();
        for (series, timestamp, value) in self.base.iter().chain(self.frames.iter().flatten()) {
            let samples = contents.entry(labels(*series)).or_default();
            samples.insert(*timestamp, value.clone());
        }
        contents
    }
}

fn check(store: &Tsdb, model: &Model, start: Timestamp, end: Timestamp) {
    let mut expected = model.contents();
    for samples in expected.values_mut() {
        samples.retain(|time, _| (start..=end).contains(time));
    }
    expected.retain(|_, samples| !samples.is_empty());
    let selection = store.select(&Select { start, end, ..all(&[]) }).unwrap();
    assert!(selection.labels().is_sorted_by(|a, b| a < b));
    let mut found = BTreeMap::new();
    for (index, labels) in selection.labels().iter().enumerate() {
        let mut column = Column::default();
        selection.read(index, &mut column).unwrap();
        let samples: BTreeMap<Timestamp, Value> = crate::columns::samples(&column)
            .into_iter()
            .map(|sample| (sample.timestamp, sample.value))
            .collect();
        assert_eq!(samples.len(), column.len(), "no time twice");
        let latest =
            selection.latest(index).unwrap().map(|sample| (sample.timestamp, sample.value));
        let last = samples.last_key_value().map(|(time, value)| (*time, value.clone()));
        // Text compares NaN with NaN.
        assert_eq!(format!("{latest:?}"), format!("{last:?}"));
        if !samples.is_empty() {
            found.insert(labels.clone(), samples);
        }
    }
    assert_eq!(format!("{found:?}"), format!("{expected:?}"));
}

/// Samples of one flush with no series and time twice: their order is not promised.
fn unique(
    now: Timestamp,
    ticks: Vec<(usize, Value)>,
    dated: Vec<(usize, i64, Value)>,
) -> (Vec<(usize, Value)>, Written) {
    let mut seen = BTreeSet::new();
    let ticks = ticks.into_iter().filter(|(series, _)| seen.insert((*series, now))).collect();
    let dated = dated
        .into_iter()
        .map(|(series, offset, value)| (series, now + offset, value))
        .filter(|(series, time, _)| seen.insert((*series, *time)))
        .collect();
    (ticks, dated)
}

fn run(steps: Vec<Step>) {
    let engine = Arc::new(MemoryEngine::new());
    let options = Options { seal_interval: Duration::from_millis(60), ..options() };
    let mut store = open(&engine, &options).0;
    let mut model = Model::default();
    let mut now = 100_000;
    for step in steps {
        match step {
            Step::Flush { advance, ticks, dated } => {
                now += advance;
                let (ticks, dated) = unique(now, ticks, dated);
                let samples: Vec<_> = ticks
                    .iter()
                    .map(|(series, value)| (store.resolve(&labels(*series)), value.clone()))
                    .collect();
                let dated_refs: Vec<_> = dated
                    .iter()
                    .map(|(s, time, value)| (store.resolve(&labels(*s)), *time, value.clone()))
                    .collect();
                let batch =
                    Batch { timestamp: now, samples: &samples, dated: &dated_refs, metadata: &[] };
                let committed = store.commit(&batch);
                assert_eq!(committed.appended as usize, samples.len() + dated.len());
                if committed.appended > 0 {
                    let ticks = ticks.into_iter().map(|(series, value)| (series, now, value));
                    model.frames.push(dated.into_iter().chain(ticks).collect());
                }
            }
            Step::Maintain => drop(store.maintain(now)),
            Step::Seal => drop(store.seal()),
            Step::Restart => {
                drop(store);
                engine.heal();
                let (opened, report) = open(&engine, &options);
                assert_eq!((report.damaged_frames, report.damaged_blocks), (vec![], vec![]));
                store = opened;
                model.restart();
            }
            Step::Inject(fault) => engine.inject(fault),
            Step::Heal => engine.heal(),
        }
        model.observe(&engine, &store);
        check(&store, &model, Timestamp::MIN, Timestamp::MAX);
        check(&store, &model, now - 55, now - 5);
    }
    engine.heal();
    // Seal, merge, merge once more, and clear what that left.
    for _ in 0..4 {
        store.maintain(now + 1_000).unwrap();
    }
    check(&store, &model, Timestamp::MIN, Timestamp::MAX);
    let (store, _) = open(&engine, &options);
    check(&store, &model, Timestamp::MIN, Timestamp::MAX);
    assert_eq!(engine.frame_seqs(), [0; 0]);
    assert_eq!(engine.blocks_with_pages().unwrap(), engine.block_ids(), "nothing is left over");
}

proptest! {
    #[test]
    fn property_the_store_agrees_with_a_map(steps in proptest::collection::vec(any_step(), 1..50)) {
        run(steps);
    }
}
