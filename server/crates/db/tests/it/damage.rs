//! What SQLite itself finds damaged in a file, row by row.

use std::{fs, path::Path};

use db::{
    Samples,
    backup::{self, CopyPlan},
    samples::{BlockRow, FrameRow, PageRow},
};
use tempfile::TempDir;

/// Each row has a byte of its own, and is so large that its bytes go on in further pages of SQLite.
fn bytes_of(number: u8) -> Vec<u8> {
    vec![number; 20_000]
}

/// Lets the chain of one row's bytes end at a page that is not there: wherever a page of SQLite has nothing
/// but the row's byte behind its first four, these name the next one.
fn break_chain(path: &Path, number: u8) {
    const PAGE_BYTES: usize = 4096;
    let mut file = fs::read(path).unwrap();
    let mut broken = 0;
    for page in file.chunks_exact_mut(PAGE_BYTES) {
        if page[4..].iter().all(|&byte| byte == number) {
            page[..4].copy_from_slice(&u32::MAX.to_be_bytes());
            broken += 1;
        }
    }
    assert!(broken > 1, "the row {number} has {broken} pages to itself");
    fs::write(path, file).unwrap();
}

/// A file with rows, closed, so that nothing is in a log beside it.
async fn file(write: impl AsyncFnOnce(&Samples)) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let samples = Samples::open(&folder.path().join("samples.db")).await.unwrap();
    write(&samples).await;
    samples.close().await;
    folder
}

fn block(id: u8) -> BlockRow {
    BlockRow {
        id: u64::from(id),
        level: 2,
        min_time: 0,
        max_time: i64::from(id),
        series: 1,
        samples: 1,
        page_bytes: 1,
        toc: bytes_of(0x40 + id),
    }
}

async fn open_broken(folder: &TempDir, numbers: &[u8]) -> Samples {
    let path = folder.path().join("samples.db");
    for &number in numbers {
        break_chain(&path, number);
    }
    Samples::open(&path).await.unwrap()
}

#[tokio::test]
async fn pages_that_cannot_be_deleted_stay_and_the_others_go() {
    let folder = file(async |samples| {
        let page = |block, page, number| PageRow { block, page, bytes: bytes_of(number) };
        let mut pages: Vec<PageRow> = (0..5).map(|i| page(7, i, 0x40 + i as u8)).collect();
        pages.push(page(8, 0, 0x60));
        samples.stage_pages(&pages).await.unwrap();
    })
    .await;
    let samples = open_broken(&folder, &[0x41, 0x44]).await;
    for _ in 0..2 {
        assert_eq!(samples.delete_pages(7).await.unwrap(), [1, 4]);
    }
    assert_eq!(samples.blocks_with_pages().await.unwrap(), [7, 8]);
    assert_eq!(samples.pages(8, &[0]).await.unwrap()[0].bytes, bytes_of(0x60));
    // Whatever stays is in nobody's way.
    let block = BlockRow { toc: b"index".to_vec(), ..block(8) };
    samples.change_blocks(Some(&block), &[], 0).await.unwrap();
    let plan = |name| CopyPlan {
        source: folder.path().join("samples.db"),
        target: folder.path().join(name),
    };
    for copy in backup::begin(vec![plan("copy.db")]).await.unwrap() {
        copy.run(&mut |_| ()).await.unwrap();
    }
    let copied = Samples::open(&folder.path().join("copy.db")).await.unwrap();
    assert_eq!(copied.blocks_with_pages().await.unwrap(), [8]);
    assert_eq!(samples.delete_pages(8).await.unwrap(), [0_u32; 0]);
    assert_eq!(samples.blocks_with_pages().await.unwrap(), [7]);
}

#[tokio::test]
async fn frames_that_cannot_be_read_come_without_bytes_and_the_others_whole() {
    let frame = |seq: u8| FrameRow {
        seq: u64::from(seq),
        epoch: 1,
        timestamp: i64::from(seq),
        bytes: bytes_of(0x40 + seq),
    };
    let folder = file(async |samples| {
        for seq in 1..=4 {
            samples.append_frame(&frame(seq)).await.unwrap();
        }
    })
    .await;
    let samples = open_broken(&folder, &[0x42]).await;
    let torn = FrameRow { bytes: Vec::new(), ..frame(2) };
    let frames = samples.frames(0, 10).await.unwrap();
    assert_eq!(frames, [frame(1), torn.clone(), frame(3), frame(4)]);
    assert_eq!(samples.frames(1, 1).await.unwrap(), [torn]);
    // Those that are in a block by now go, but for the one that cannot.
    while samples.delete_some_frames(3).await.unwrap() {}
    let seqs =
        samples.frames(0, 10).await.unwrap().iter().map(|frame| frame.seq).collect::<Vec<_>>();
    assert_eq!(seqs, [2, 4]);
}

#[tokio::test]
async fn a_block_that_cannot_be_read_comes_without_its_index() {
    let folder = file(async |samples| {
        for id in 1..=3 {
            samples.change_blocks(Some(&block(id)), &[], 0).await.unwrap();
        }
    })
    .await;
    let samples = open_broken(&folder, &[0x42]).await;
    let torn = BlockRow { toc: Vec::new(), ..block(2) };
    assert_eq!(samples.blocks().await.unwrap(), [block(1), torn, block(3)]);
}
