use db::samples::{BlockRow, PageRow};

use crate::Stores;

const DAY_MS: i64 = 86_400_000;

fn key(day: i64) -> u64 {
    (day as u64) << 46
}

fn block(id: u64) -> BlockRow {
    BlockRow {
        id,
        level: 1,
        min_time: 1,
        max_time: 5,
        series: 1,
        samples: 1,
        page_bytes: 1,
        toc: Vec::new(),
    }
}

async fn add(stores: &Stores, id: u64) {
    let page = PageRow { block: id, page: 0, bytes: vec![1] };
    stores.samples.stage_pages(&[page]).await.expect("stages");
    stores.samples.change_blocks(Some(&block(id)), &[], 0).await.expect("adds");
}

async fn has_page(stores: &Stores, id: u64) -> bool {
    !stores.samples.pages(id, &[0]).await.expect("reads").is_empty()
}

on_both_engines!(pages_are_found_whatever_their_day);

async fn pages_are_found_whatever_their_day(stores: Stores) {
    let ids = [key(20_000), key(20_001), key(19_000), key(20_000) + 1];
    stores.samples.make_days_ahead(20_000 * DAY_MS).await.unwrap();
    for id in ids {
        add(&stores, id).await;
    }
    for id in ids {
        assert!(has_page(&stores, id).await, "{id}");
    }
    stores.samples.delete_pages(ids[0]).await.unwrap();
    assert!(!has_page(&stores, ids[0]).await);
    assert!(has_page(&stores, ids[3]).await);
}

#[tokio::test]
async fn a_day_goes_as_a_whole_when_its_blocks_are_gone() {
    let stores = Stores::postgres().await;
    let (old, used, young) = (key(100), key(101), key(200));
    for id in [old, used, young] {
        add(&stores, id).await;
    }
    stores.samples.change_blocks(None, &[old, young], 0).await.unwrap();
    assert_eq!(stores.samples.drop_days(150 * DAY_MS).await.unwrap(), 1);
    assert!(!has_page(&stores, old).await);
    assert!(has_page(&stores, used).await, "a block is still there");
    assert!(has_page(&stores, young).await, "not old enough");
    stores.samples.change_blocks(None, &[used], 0).await.unwrap();
    stores.samples.delete_pages(used).await.unwrap();
    assert!(has_page(&stores, used).await, "left to its day");
    assert_eq!(stores.samples.drop_days(150 * DAY_MS).await.unwrap(), 1);
    assert!(!has_page(&stores, used).await);
    assert_eq!(stores.samples.drop_days(150 * DAY_MS).await.unwrap(), 0);
    add(&stores, used).await;
    assert!(has_page(&stores, used).await, "a day is made again when it is needed");
}
