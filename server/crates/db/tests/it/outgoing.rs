use db::{
    Outgoing,
    outgoing::{Backlog, RequestRow},
};
use tempfile::TempDir;

fn request(endpoint: &str, seq: u64, bytes: usize) -> RequestRow {
    RequestRow {
        endpoint: endpoint.into(),
        seq,
        created: 1_000 + seq as i64,
        protocol: "1.0".into(),
        samples: 10 * seq,
        body: vec![seq as u8; bytes],
    }
}

async fn open(folder: &TempDir) -> Outgoing {
    Outgoing::open(&folder.path().join("outgoing.db")).await.expect("opens")
}

#[tokio::test]
async fn requests_leave_in_order_and_survive_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let queue = open(&folder).await;
    queue.push(&[request("b", 7, 3), request("a", 2, 4), request("a", 1, 5)]).await.unwrap();
    queue.close().await;

    let queue = open(&folder).await;
    let waiting =
        |requests, samples, bytes, last_seq| Backlog { requests, samples, bytes, last_seq };
    assert_eq!(
        queue.backlogs().await.unwrap(),
        [("a".to_owned(), waiting(2, 30, 9, 2)), ("b".to_owned(), waiting(1, 70, 3, 7))]
    );
    assert_eq!(queue.first("a").await.unwrap(), Some(request("a", 1, 5)));
    queue.remove("a", 1).await.unwrap();
    queue.remove("a", 1).await.unwrap();
    assert_eq!(queue.first("a").await.unwrap(), Some(request("a", 2, 4)));
    queue.remove("a", 2).await.unwrap();
    assert_eq!(queue.first("a").await.unwrap(), None);
    assert_eq!(queue.first("b").await.unwrap(), Some(request("b", 7, 3)));
}

#[tokio::test]
async fn the_oldest_are_dropped_but_not_the_one_that_is_being_sent() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let queue = open(&folder).await;
    let rows: Vec<_> = (1..=5).map(|seq| request("a", seq, 100)).collect();
    queue.push(&rows).await.unwrap();
    queue.push(&[request("b", 1, 100)]).await.unwrap();
    let dropped = queue.drop_oldest("a", 1, 150).await.unwrap();
    assert_eq!(dropped, Backlog { requests: 2, samples: 50, bytes: 200, last_seq: 3 });
    assert_eq!(queue.first("a").await.unwrap().unwrap().seq, 1);
    queue.remove("a", 1).await.unwrap();
    assert_eq!(queue.first("a").await.unwrap().unwrap().seq, 4);
    let all = queue.drop_oldest("a", 0, u64::MAX >> 1).await.unwrap();
    assert_eq!(all.requests, 2);
    assert_eq!(queue.drop_oldest("a", 0, 1).await.unwrap(), Backlog::default());
    assert_eq!(queue.first("b").await.unwrap().unwrap().seq, 1);
}
