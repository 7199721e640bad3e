use db::samples::{BlockRow, FrameRow, PageRow};

use crate::Stores;

fn frame(seq: u64) -> FrameRow {
    FrameRow { seq, epoch: 1, timestamp: 1_000 * seq as i64, bytes: vec![seq as u8; 10] }
}

fn block(id: u64) -> BlockRow {
    BlockRow {
        id,
        level: 1,
        min_time: -5,
        max_time: 5,
        series: 2,
        samples: 40,
        page_bytes: 99,
        toc: b"index".to_vec(),
    }
}

fn pages(block: u64, count: u32) -> Vec<PageRow> {
    (0..count).map(|page| PageRow { block, page, bytes: page.to_le_bytes().to_vec() }).collect()
}

on_both_engines!(
    frames_come_back_in_order_after_a_restart,
    a_frame_that_is_written_twice_is_there_once,
    a_block_takes_the_place_of_its_frames,
    frames_are_deleted_a_few_megabytes_at_a_time,
    pages_are_read_by_number_and_missing_ones_are_left_out,
    pages_without_a_block_are_found_and_deleted,
    a_merge_swaps_blocks_at_once,
);

async fn frames_come_back_in_order_after_a_restart(stores: Stores) {
    for seq in [1, 2, 3] {
        stores.samples.append_frame(&frame(seq)).await.unwrap();
    }
    let stores = stores.reopen().await;
    assert_eq!(stores.samples.frames(0, 10).await.unwrap(), [frame(1), frame(2), frame(3)]);
    assert_eq!(stores.samples.frames(1, 1).await.unwrap(), [frame(2)]);
}

async fn a_frame_that_is_written_twice_is_there_once(stores: Stores) {
    stores.samples.append_frame(&frame(1)).await.unwrap();
    stores.samples.append_frame(&frame(1)).await.unwrap();
    assert_eq!(stores.samples.frames(0, 10).await.unwrap(), [frame(1)]);
}

async fn a_block_takes_the_place_of_its_frames(stores: Stores) {
    for seq in [1, 2, 3] {
        stores.samples.append_frame(&frame(seq)).await.unwrap();
    }
    stores.samples.stage_pages(&pages(7, 130)).await.unwrap();
    assert_eq!(stores.samples.blocks().await.unwrap(), []);
    stores.samples.change_blocks(Some(&block(7)), &[], 2).await.unwrap();
    assert_eq!(stores.samples.blocks().await.unwrap(), [block(7)]);
    assert_eq!(stores.samples.frames(0, 10).await.unwrap(), [frame(3)]);
}

async fn frames_are_deleted_a_few_megabytes_at_a_time(stores: Stores) {
    for seq in 1..=4 {
        let large = FrameRow { bytes: vec![7; 5 << 20], ..frame(seq) };
        stores.samples.append_frame(&large).await.unwrap();
    }
    let left = async || {
        let frames = stores.samples.frames(0, 10).await.unwrap();
        frames.iter().map(|frame| frame.seq).collect::<Vec<_>>()
    };
    assert!(stores.samples.delete_some_frames(3).await.unwrap());
    assert_eq!(left().await, [2, 3, 4], "one alone is more than half of what a transaction takes");
    while stores.samples.delete_some_frames(3).await.unwrap() {}
    assert_eq!(left().await, [4]);
    assert!(!stores.samples.delete_some_frames(3).await.unwrap());
}

async fn pages_are_read_by_number_and_missing_ones_are_left_out(stores: Stores) {
    stores.samples.stage_pages(&pages(7, 3)).await.unwrap();
    let found = stores.samples.pages(7, &[2, 9, 0]).await.unwrap();
    assert_eq!(found.iter().map(|page| page.page).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(found[1].bytes, 2_u32.to_le_bytes());
}

async fn pages_without_a_block_are_found_and_deleted(stores: Stores) {
    stores.samples.stage_pages(&pages(7, 200)).await.unwrap();
    stores.samples.stage_pages(&pages(9, 1)).await.unwrap();
    assert_eq!(stores.samples.blocks_with_pages().await.unwrap(), [7, 9]);
    stores.samples.delete_pages(7).await.unwrap();
    stores.samples.delete_pages(7).await.unwrap();
    assert_eq!(stores.samples.blocks_with_pages().await.unwrap(), [9]);
}

async fn a_merge_swaps_blocks_at_once(stores: Stores) {
    stores.samples.change_blocks(Some(&block(1)), &[], 0).await.unwrap();
    stores.samples.change_blocks(Some(&block(2)), &[], 0).await.unwrap();
    stores.samples.change_blocks(Some(&block(3)), &[1, 2, 8], 0).await.unwrap();
    assert_eq!(stores.samples.blocks().await.unwrap(), [block(3)]);
}
