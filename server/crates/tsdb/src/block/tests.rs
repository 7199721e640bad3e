//! Blocks written to memory and read back, whole and damaged.

use std::sync::Arc;

use model::{Column, Labels, MatchOp, Matcher, Metadata, MetricKind, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::{
    codec, columns,
    engine::{BlockRow, Engine, MemoryEngine},
    postings::{Conditions, select},
    testing::any_value,
};

const PLAN: BlockPlan =
    BlockPlan { id: 7, level: 1, order: 3, window_ms: 0, cleaned: 0, page_bytes: 200 };

fn build(engine: &MemoryEngine, series: &[(Labels, Column)]) -> Option<BlockRow> {
    let mut builder = BlockBuilder::new(engine, PLAN);
    for (labels, column) in series {
        builder.add(labels, column).unwrap();
    }
    let metadata = Metadata {
        metric: "a".to_owned(),
        kind: MetricKind::Counter,
        unit: String::new(),
        help: "things".to_owned(),
        original: String::new(),
    };
    builder.finish([&metadata].into_iter()).unwrap()
}

fn read(engine: &MemoryEngine, block: &Block, series: u32) -> Column {
    let mut column = Column::default();
    for chunk in block.chunks(series).unwrap() {
        let page = engine.pages(block.row.id, &[chunk.page]).unwrap().remove(0);
        let payload = open_page(&page.bytes).unwrap();
        let bytes = &payload[chunk.offset as usize..][..chunk.length as usize];
        let before = column.len();
        codec::decode(bytes, &mut column).unwrap();
        assert_eq!(column.len() - before, chunk.count as usize);
    }
    column
}

fn sample_block() -> BlockRow {
    let labels = |job: &str| Labels::from_pairs([("__name__", "a"), ("job", job)]);
    let column = Column {
        float_times: (0..100).collect(),
        floats: (0..100).map(f64::from).collect(),
        ..Column::default()
    };
    let series = [(labels("x"), column.clone()), (labels("y"), column)];
    build(&MemoryEngine::new(), &series).unwrap()
}

#[test]
fn an_index_cut_at_any_byte_is_refused() {
    let row = sample_block();
    for cut in 0..row.index.len() {
        let mut row = row.clone();
        row.index.truncate(cut);
        assert!(Block::open(row).is_err(), "cut at {cut}");
    }
}

#[test]
fn a_block_remembers_metadata_names_and_values() {
    let block = Block::open(sample_block()).unwrap();
    assert_eq!(block.order, 3);
    assert_eq!(block.metadata[0].help, "things");
    assert_eq!(block.names().collect::<Vec<_>>(), ["__name__", "job"]);
    assert_eq!(block.values("job").collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(block.values("none").count(), 0);
    assert_eq!((block.row.series, block.row.samples), (2, 200));
    assert!(block.overlaps(99, 200) && !block.overlaps(100, 200));
}

#[test]
fn a_block_without_samples_is_no_block() {
    let engine = MemoryEngine::new();
    assert_eq!(build(&engine, &[(Labels::empty(), Column::default())]), None);
    assert!(engine.page_keys().is_empty());
}

type Samples = std::collections::BTreeMap<Timestamp, model::Value>;

proptest! {
    #[test]
    fn property_what_goes_in_comes_out(
        series in proptest::collection::btree_map(
            proptest::collection::btree_map("[aXé]|__name__", "[ab]{1,2}", 0..4),
            proptest::collection::btree_map(any::<Timestamp>(), any_value(), 1..30),
            1..12,
        ),
        pattern in prop_oneof![Just(""), Just("a"), Just("a.*"), Just("b+")],
    ) {
        let series: Vec<(_, Samples)> = series.into_iter().collect();
        let mut series: Vec<(Labels, Column)> = series.into_iter().map(|(pairs, samples)| {
            let mut column = Column::default();
            for (time, value) in samples {
                column.push(time, value);
            }
            (Labels::from_pairs(pairs), column)
        }).collect();
        series.sort_by(|a, b| series_order(&a.0, &b.0));
        let engine = MemoryEngine::new();
        let block = Block::open(build(&engine, &series).unwrap()).unwrap();
        prop_assert_eq!(u64::from(block.len()), block.row.series);
        for (number, (labels, column)) in series.iter().enumerate() {
            prop_assert_eq!(&block.labels(number as u32).unwrap(), labels);
            let back = read(&engine, &block, number as u32);
            prop_assert_eq!(format!("{back:?}"), format!("{column:?}"));
            prop_assert!(columns::first_time(column).unwrap() >= block.row.min_time);
            prop_assert!(columns::last_time(column).unwrap() <= block.row.max_time);
        }
        let matcher = Matcher::try_new("a", MatchOp::Regex, pattern).unwrap();
        let expected: Vec<u32> = (0..series.len() as u32)
            .filter(|&number| matcher.matches_labels(&series[number as usize].0))
            .collect();
        prop_assert_eq!(select(&block, &Conditions::default().of(&[matcher])), expected);
        let total: usize = series.iter().map(|(_, column)| column.len()).sum();
        prop_assert_eq!(block.row.samples, total as u64);
    }

    #[test]
    fn property_any_index_is_read_or_refused(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut row = sample_block();
        let header = crate::bytes::ENVELOPE_BYTES;
        for (at, byte) in flips {
            let at = header + at.index(row.index.len() - header);
            row.index[at] = byte;
        }
        crate::bytes::finish_envelope(&mut row.index);
        if let Ok(block) = Block::open(row).map(Arc::new) {
            for series in 0..block.len() {
                drop(block.labels(series));
                drop(block.chunks(series));
            }
        }
    }
}
