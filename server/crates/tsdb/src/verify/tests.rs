//! Damage of every kind, found and placed.

use std::{sync::Arc, time::Duration};

use model::{Labels, Value};

use super::*;
use crate::{Batch, Options, Tsdb, engine::MemoryEngine};

/// Two blocks of several pages, and three frames.
fn engine() -> Arc<MemoryEngine> {
    let engine = Arc::new(MemoryEngine::new());
    let options = Options {
        seal_interval: Duration::from_mins(1),
        page_bytes: 200,
        merge_blocks: 0,
        ..Options::default()
    };
    let (store, _) = Tsdb::open(Arc::clone(&engine) as Arc<dyn Engine>, options).unwrap();
    for tick in 0..43_i64 {
        let samples: Vec<_> = (0..20)
            .map(|job| {
                let labels = [("__name__", "up".to_owned()), ("job", format!("j{job}"))];
                let value = Value::Float((tick * tick) as f64 + f64::from(job) / 7.0);
                (store.resolve(&Labels::from_pairs(labels)), value)
            })
            .collect();
        let batch = Batch { timestamp: tick * 1_000, samples: &samples, ..Batch::default() };
        assert!(store.commit(&batch).is_durable);
        if tick % 20 == 19 {
            store.seal().unwrap();
        }
    }
    engine
}

fn check(engine: &MemoryEngine) -> Verified {
    verify(engine, &mut |progress| assert!(progress.done_bytes <= progress.total_bytes)).unwrap()
}

fn places(found: &Verified) -> Vec<String> {
    found.damages.iter().map(ToString::to_string).collect()
}

#[test]
fn a_sound_store_is_counted() {
    let engine = engine();
    let found = check(&engine);
    assert_eq!(places(&found), Vec::<String>::new());
    assert_eq!((found.frames, found.frame_samples), (3, 60));
    assert_eq!((found.blocks, found.series, found.samples), (2, 40, 800));
    assert_eq!(found.pages, engine.page_keys().len() as u64);
    assert!(found.pages > 4 && found.chunks == 40);
}

#[test]
fn every_kind_of_damage_is_placed() {
    let flip = |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1;
    let engine = engine();
    let [first, second] = engine.block_ids()[..] else { panic!("two blocks") };
    engine.damage_page(first, 1, flip);
    engine.damage_page(first, 2, Vec::clear);
    engine.damage_block(second, flip);
    let seqs = engine.frame_seqs();
    engine.damage_frame(seqs[1], flip);
    let found = check(&engine);
    assert_eq!(
        places(&found),
        [
            format!("frame {}: the checksum does not match", seqs[1]),
            format!("frame {}: the place of the frame in its epoch cannot be right", seqs[2]),
            format!("page 1 of block {first}: the checksum does not match"),
            format!("page 2 of block {first}: the bytes end too early"),
            format!("block {second}: the checksum does not match"),
        ]
    );
    assert_eq!(found.damaged, 5);
    assert!(found.samples < 400);
}

#[test]
fn pages_without_a_block_are_told_and_are_no_damage() {
    let engine = engine();
    let [first, second] = engine.block_ids()[..] else { panic!("two blocks") };
    let change = crate::engine::BlockChange { remove: vec![second], ..Default::default() };
    engine.change_blocks(&change).unwrap();
    engine.delete_pages(first).unwrap();
    let found = check(&engine);
    assert_eq!(found.stray_blocks, [second]);
    let missing = format!("page 0 of block {first}: the bytes end too early");
    assert_eq!(found.damages[0].to_string(), missing);
}
