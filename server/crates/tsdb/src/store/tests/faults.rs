//! An engine that fails, and rows that are damaged.

use super::*;

fn fault(verb: Verb, moment: FaultMoment, times: u32) -> Fault {
    Fault { verb: Some(verb), moment, after_calls: 0, times }
}

#[test]
fn flushes_wait_while_the_engine_fails_and_are_written_when_it_works_again() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &options());
    assert!(flush(&store, 0, 2, 0.0).is_durable);
    engine.inject(fault(Verb::AppendFrame, FaultMoment::Before, 3));
    for tick in 1..4 {
        let committed = flush(&store, tick * 1_000, 2, tick as f64);
        assert!(!committed.is_durable);
        assert_eq!(committed.appended, 2);
    }
    let Health::Failing { since, error, waiting_frames, .. } = store.health() else {
        panic!("the store must say that it fails");
    };
    assert_eq!((since, waiting_frames), (1_000, 3));
    assert_eq!(error, "the storage engine could not append a frame: injected failure");
    assert_eq!(contents(&store)[0].1.len(), 4, "what waits is visible");
    assert!(flush(&store, 4_000, 2, 4.0).is_durable);
    assert!(store.health().is_healthy());
    drop(store);
    let (store, report) = open(&engine, &options());
    assert_eq!(report.frames, 5);
    assert_eq!(contents(&store)[0].1.floats, [0.0, 1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn beyond_the_bound_the_oldest_flushes_are_dropped_counted_and_gone() {
    let engine = Arc::new(MemoryEngine::new());
    let options = Options { backlog_bytes: 4_000, ..options() };
    let (store, _) = open(&engine, &options);
    assert!(flush(&store, 0, 50, 0.0).is_durable);
    engine.inject(fault(Verb::AppendFrame, FaultMoment::Before, u32::MAX));
    for tick in 1..300 {
        assert!(!flush(&store, tick * 1_000, 50, tick as f64 * 1.1).is_durable);
        assert!(store.stats().backlog_bytes <= 4_000 + 2_000);
    }
    let stats = store.stats();
    assert!(stats.dropped_frames > 100);
    assert_eq!(stats.dropped_samples, stats.dropped_frames * 50);
    let visible = contents(&store);
    engine.heal();
    store.maintain(300_000).unwrap();
    assert!(store.health().is_healthy());
    assert_eq!(contents(&store), visible);
    let kept = 300 - stats.dropped_frames as usize;
    assert_eq!(visible[0].1.len(), kept);
    assert_eq!(visible[0].1.float_times[0], 0, "what was durable before stays");
    drop(store);
    let (store, _) = open(&engine, &options);
    assert_eq!(contents(&store), visible, "what was kept is durable and nothing is there twice");
}

#[test]
fn nothing_is_sealed_while_flushes_wait() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &options());
    engine.inject(fault(Verb::AppendFrame, FaultMoment::Before, u32::MAX));
    assert!(!flush(&store, 0, 1, 0.0).is_durable);
    let error = store.maintain(1_000_000).unwrap_err();
    assert_eq!(error.to_string(), "1 flushes wait for the storage engine");
    engine.heal();
    assert_eq!(store.maintain(1_000_000).unwrap().sealed_samples, 1);
}

#[test]
fn a_seal_that_fails_at_any_step_loses_and_doubles_nothing() {
    let steps = [
        (Verb::StagePages, FaultMoment::Before),
        (Verb::StagePages, FaultMoment::After),
        (Verb::ChangeBlocks, FaultMoment::Before),
        (Verb::ChangeBlocks, FaultMoment::After),
    ];
    for (verb, moment) in steps {
        for restarts in [false, true] {
            let engine = Arc::new(MemoryEngine::new());
            let (mut store, _) = open(&engine, &options());
            assert!(flush(&store, 0, 3, 1.5).is_durable);
            engine.inject(fault(verb, moment, 1));
            store.maintain(100_000).unwrap_err();
            assert!(flush(&store, 200_000, 3, 2.5).is_durable);
            let expected = contents(&store);
            assert_eq!(expected[0].1.floats, [1.5, 2.5]);
            if restarts {
                drop(store);
                store = open(&engine, &options()).0;
                assert_eq!(contents(&store), expected, "{verb:?} {moment:?}");
            }
            store.maintain(300_000).unwrap();
            store.maintain(300_000).unwrap();
            assert_eq!(contents(&store), expected, "{verb:?} {moment:?} {restarts}");
            drop(store);
            let (store, _) = open(&engine, &options());
            assert_eq!(contents(&store), expected, "{verb:?} {moment:?} {restarts}");
            store.maintain(300_000).unwrap();
            assert_eq!(engine.blocks_with_pages().unwrap(), engine.block_ids());
        }
    }
}

#[test]
fn a_merge_that_fails_at_any_step_loses_and_doubles_nothing() {
    let steps = [
        (Verb::Pages, FaultMoment::Before),
        (Verb::StagePages, FaultMoment::Before),
        (Verb::StagePages, FaultMoment::After),
        (Verb::ChangeBlocks, FaultMoment::Before),
        (Verb::ChangeBlocks, FaultMoment::After),
    ];
    for (verb, moment) in steps {
        let engine = Arc::new(MemoryEngine::new());
        let (store, _) = open(&engine, &options());
        for tick in 0..3 {
            assert!(flush(&store, tick * 1_000, 3, tick as f64).is_durable);
            store.seal().unwrap();
        }
        let expected = contents(&store);
        engine.inject(fault(verb, moment, 1));
        store.maintain(10_000).unwrap_err();
        // The next attempt fails too, and a crash follows.
        engine.inject(fault(Verb::StagePages, FaultMoment::Before, 1));
        drop(store.maintain(10_000));
        engine.heal();
        let (reopened, report) = open(&engine, &options());
        assert_eq!(report.damaged_blocks, []);
        assert_eq!(contents(&reopened), expected, "{verb:?} {moment:?}");
        drop(reopened);
        // Without the crash.
        for _ in 0..3 {
            store.maintain(10_000).unwrap();
        }
        assert_eq!(contents(&store), expected, "{verb:?} {moment:?}");
        assert_eq!(engine.block_ids().len(), 1, "{verb:?} {moment:?}");
        assert_eq!(engine.blocks_with_pages().unwrap(), engine.block_ids());
        assert_eq!(store.stats().damaged_pages, 0);
    }
}

#[test]
fn a_damaged_frame_is_named_and_takes_only_its_epoch_with_it() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &options());
    for tick in 0..4 {
        assert!(flush(&store, tick, 2, 0.0).is_durable);
    }
    drop(store);
    let (store, _) = open(&engine, &options());
    assert!(flush(&store, 4, 2, 0.0).is_durable);
    drop(store);
    engine.damage_frame(3, |bytes| bytes[20] ^= 1);
    let (store, report) = open(&engine, &options());
    let damaged = DamagedFrame { seq: 3, timestamp: 2, reason: crate::FormatError::Checksum };
    assert_eq!(report.damaged_frames, [damaged]);
    assert_eq!((report.skipped_frames, report.frames), (1, 3));
    assert_eq!(contents(&store)[0].1.float_times, [0, 1, 4]);
    assert_eq!(store.stats().damaged_frames, 1);
}

#[test]
fn a_damaged_page_is_counted_once_and_the_rest_is_served() {
    let engine = Arc::new(MemoryEngine::new());
    let options = Options { cache_bytes: 100_000, ..options() };
    let (store, _) = open(&engine, &options);
    for _ in 0..3 {
        for tick in 0..20 {
            assert!(flush(&store, tick, 30, tick as f64 / 7.0).is_durable);
        }
        store.seal().unwrap();
    }
    let last = engine.block_ids()[2];
    engine.damage_page(last, 1, |bytes| bytes[40] ^= 1);
    engine.damage_page(1, 1, |bytes| bytes[40] ^= 1);
    for _ in 0..2 {
        assert_eq!(contents(&store).len(), 30, "the blocks before have the same samples");
    }
    assert_eq!(store.stats().damaged_pages, 2);
    assert_eq!(store.damaged_pages(), [(1, 1), (last, 1)]);
    store.maintain(1_000).unwrap();
    assert_eq!(store.stats().merges, 0, "a damaged block is left as it is");
    assert_eq!(engine.block_ids().len(), 3);
    store.maintain(1_000).unwrap();
    assert_eq!(engine.blocks_with_pages().unwrap(), engine.block_ids());
}

#[test]
fn a_page_that_cannot_be_deleted_is_named_and_tried_again_only_after_a_restart() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &options());
    for tick in 0..20 {
        assert!(flush(&store, tick, 30, tick as f64 / 7.0).is_durable);
    }
    store.seal().unwrap();
    assert!(engine.page_keys().len() > 2);
    engine.keep_page(1, 1);
    let later = 100 * 86_400_000;
    let done = store.maintain(later).unwrap();
    assert_eq!((done.expired_blocks, done.cleared_blocks), (1, 1));
    assert_eq!(engine.page_keys(), [(1, 1)]);
    assert_eq!(store.maintain(later).unwrap(), Maintenance::default());
    assert_eq!((store.undeletable_pages(), store.stats().damaged_pages), (vec![(1, 1)], 1));
    // What comes after it is not held up.
    assert!(flush(&store, later, 1, 1.0).is_durable);
    store.seal().unwrap();
    assert!(engine.page_keys().iter().any(|key| key.0 > 1));

    let (store, _) = open(&engine, &options());
    assert_eq!(store.maintain(later).unwrap().cleared_blocks, 1);
    assert_eq!(store.undeletable_pages(), [(1, 1)]);
}

#[test]
fn a_damaged_block_is_named_kept_and_expires() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &options());
    for tick in 0..2 {
        assert!(flush(&store, tick, 2, 1.0).is_durable);
        store.seal().unwrap();
    }
    drop(store);
    engine.damage_block(1, |bytes| bytes.truncate(40));
    let (store, report) = open(&engine, &options());
    assert_eq!(report.damaged_blocks.len(), 1);
    assert_eq!((report.damaged_blocks[0].id, report.blocks), (1, 1));
    assert_eq!(contents(&store)[0].1.float_times, [1]);
    for (start, end, is_touched) in [(0, 0, true), (0, 9, true), (1, 9, false)] {
        let (view, matchers) = (store.view(), [Matcher::equal("job", "j0")]);
        let request = Select { start, end, ..all(&matchers) };
        assert_eq!(view.select(&request).unwrap().labels().len(), usize::from(end > 0));
        let warning = "the index of block 1 is damaged; the samples in it are left out";
        let expected = if is_touched { vec![warning.to_owned()] } else { Vec::new() };
        assert_eq!(view.left_out(), expected, "{start} to {end}");
        let other = store.view();
        other.series(&request).unwrap();
        assert_eq!(other.left_out(), expected, "{start} to {end}");
    }
    assert_eq!(store.damaged_blocks(), [1]);
    store.maintain(1_000).unwrap();
    assert_eq!(engine.block_ids(), [1, 2], "a person may still want it");
    let done = store.maintain(100 * 86_400_000).unwrap();
    assert_eq!(done.expired_blocks, 2);
    assert!(engine.page_keys().is_empty());
}

#[test]
fn a_store_does_not_open_on_an_engine_that_fails() {
    let engine = Arc::new(MemoryEngine::new());
    for verb in [Verb::Blocks, Verb::BlocksWithPages, Verb::Frames] {
        engine.inject(fault(verb, FaultMoment::Before, 1));
        let result = Tsdb::open(Arc::clone(&engine) as Arc<dyn Engine>, options());
        assert!(matches!(result, Err(OpenError::Engine(_))), "{verb:?}");
    }
}

#[test]
fn a_query_on_an_engine_that_fails_says_so() {
    let engine = Arc::new(MemoryEngine::new());
    let (store, _) = open(&engine, &options());
    assert!(flush(&store, 0, 1, 1.0).is_durable);
    store.seal().unwrap();
    engine.inject(fault(Verb::Pages, FaultMoment::Before, 1));
    let selection = store.select(&all(&[])).unwrap();
    let mut column = Column::default();
    assert!(matches!(selection.read(0, &mut column), Err(StorageError::Engine(_))));
    selection.read(0, &mut column).unwrap();
    assert_eq!(column.floats, [1.0]);
}
