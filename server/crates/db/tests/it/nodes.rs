use std::collections::BTreeMap;

use db::{
    Samples, Takeover,
    node::NewsRow,
    samples::{BlockRow, FrameRow},
};

use crate::{Stores, stores::HOUR};

fn frame(seq: u64) -> FrameRow {
    FrameRow { seq, epoch: 1, timestamp: seq as i64, bytes: vec![seq as u8; 10] }
}

fn block(id: u64) -> BlockRow {
    BlockRow {
        id,
        level: 1,
        min_time: 1,
        max_time: 5,
        series: 2,
        samples: 40,
        page_bytes: 99,
        toc: b"index".to_vec(),
    }
}

/// Another node on the same database; the lease is not looked at where there can be none.
fn node(stores: &Stores, number: u64) -> Samples {
    stores.samples.as_node(number, stores.lease.clone())
}

async fn news(samples: &Samples, known: &[(u64, u64)], blocks: &[u64], limit: u32) -> NewsRow {
    let known: BTreeMap<u64, u64> = known.iter().copied().collect();
    samples.news(&known, blocks, limit).await.expect("reads")
}

on_both_engines!(a_node_keeps_its_number, the_last_deleted_frame_is_known_for_good);

async fn a_node_keeps_its_number(stores: Stores) {
    assert_eq!(stores.samples.node_number("").await.unwrap(), 0);
    assert_eq!(stores.samples.node_number("a").await.unwrap(), 1);
    assert_eq!(stores.samples.node_number("b").await.unwrap(), 2);
    let stores = stores.reopen().await;
    assert_eq!(stores.samples.node_number("a").await.unwrap(), 1);
    let nodes = stores.samples.nodes().await.unwrap();
    assert_eq!(nodes.iter().map(|node| &*node.name).collect::<Vec<_>>(), ["", "a", "b"]);
}

async fn the_last_deleted_frame_is_known_for_good(stores: Stores) {
    assert_eq!(stores.samples.last_deleted_frame().await.unwrap(), 0);
    stores.samples.change_blocks(None, &[], 7).await.unwrap();
    stores.samples.change_blocks(None, &[], 0).await.unwrap();
    let stores = stores.reopen().await;
    assert_eq!(stores.samples.last_deleted_frame().await.unwrap(), 7);
}

#[tokio::test]
async fn each_node_has_frames_and_blocks_of_its_own() {
    let stores = Stores::postgres().await;
    let (a, b) = (node(&stores, 1), node(&stores, 2));
    for seq in [1, 2, 3] {
        a.append_frame(&frame(seq)).await.unwrap();
    }
    b.append_frame(&frame(1)).await.unwrap();
    a.change_blocks(Some(&block(7)), &[], 2).await.unwrap();
    b.change_blocks(None, &[7], 0).await.unwrap();
    assert_eq!(a.frames(0, 10).await.unwrap(), [frame(3)]);
    assert_eq!(b.frames(0, 10).await.unwrap(), [frame(1)]);
    assert_eq!(a.blocks().await.unwrap(), [block(7)]);
    assert_eq!(b.blocks().await.unwrap(), []);
}

#[tokio::test]
async fn a_node_deletes_frames_of_its_own_only_while_it_has_the_lease() {
    let stores = Stores::postgres().await;
    stores.samples.node_number("a").await.unwrap();
    stores.samples.node_number("b").await.unwrap();
    let (a, b) = (node(&stores, 1), node(&stores, 2));
    for seq in [1, 2] {
        a.append_frame(&frame(seq)).await.unwrap();
        b.append_frame(&frame(seq)).await.unwrap();
    }
    assert!(!a.delete_some_frames(2).await.unwrap());
    assert_eq!(a.frames(0, 10).await.unwrap(), []);
    assert_eq!(b.frames(0, 10).await.unwrap(), [frame(1), frame(2)]);
    assert_eq!(a.last_deleted_frame().await.unwrap(), 2);
    assert_eq!(b.last_deleted_frame().await.unwrap(), 0);
    stores.meta.take_leases(&["cases"], "another", HOUR, Takeover::AtOnce).await.unwrap();
    assert!(b.delete_some_frames(2).await.is_err());
    assert_eq!(b.frames(0, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn news_are_what_others_wrote_and_was_not_seen() {
    let stores = Stores::postgres().await;
    stores.samples.node_number("a").await.unwrap();
    let (own, other) = (node(&stores, 0), node(&stores, 1));
    own.append_frame(&frame(1)).await.unwrap();
    for seq in [1, 2, 3] {
        other.append_frame(&frame(seq)).await.unwrap();
    }
    let found = news(&own, &[], &[], 2).await;
    assert_eq!(found.frames, [(1, frame(1)), (1, frame(2))]);
    assert!(found.has_more);
    let found = news(&own, &[(1, 2)], &[], 10).await;
    assert_eq!((found.frames, found.has_more), (vec![(1, frame(3))], false));
    assert_eq!(found.oldest_frames, BTreeMap::from([(1, 1)]));

    other.change_blocks(Some(&block(5)), &[], 3).await.unwrap();
    let found = news(&own, &[(1, 3)], &[], 10).await;
    assert_eq!(found.oldest_frames, BTreeMap::new());
    assert_eq!(found.new_blocks, [(1, block(5))]);
    assert_eq!(news(&own, &[(1, 3)], &[5], 10).await.new_blocks, []);
    assert_eq!(news(&other, &[], &[], 10).await.blocks, Vec::<u64>::new());
}

#[tokio::test]
async fn a_node_is_woken_by_what_another_commits() {
    let stores = Stores::postgres().await;
    let mut heard = stores.samples.listen().await.unwrap().unwrap();
    node(&stores, 1).append_frame(&frame(1)).await.unwrap();
    heard.changed().await.unwrap();
    let files = Stores::sqlite().await;
    assert!(files.samples.listen().await.unwrap().is_none());
}
