use ingest::line;
use model::ManualClock;

use super::*;

const NOW: Timestamp = 10_000_000;

struct Fixture {
    clock: Arc<ManualClock>,
    books: Arc<Books>,
    intake: Intake,
    queue: mpsc::Receiver<Incoming>,
}

fn fixture(max_per_minute: u32) -> Fixture {
    let clock = Arc::new(ManualClock::new(NOW));
    let books = Arc::new(Books::default());
    let (intake, queue) =
        Intake::new(max_per_minute, Arc::clone(&clock) as Arc<dyn Clock>, Arc::clone(&books));
    Fixture { clock, books, intake, queue }
}

impl Fixture {
    fn send(&self, line: &str, sender: u32) {
        let extra = if line.starts_with("_e") {
            Extra::Event(line::Event::parse(line.as_bytes()).unwrap())
        } else {
            Extra::ServiceCheck(line::ServiceCheck::parse(line.as_bytes()).unwrap())
        };
        self.intake.accept(&extra, SourceId(sender), &ListenerLabels::default());
    }

    fn losses(&self) -> Vec<(&'static str, u64)> {
        let all = Loss::ALL.map(|loss| (loss.as_str(), self.books.lost(loss)));
        all.into_iter().filter(|(_, count)| *count > 0).collect()
    }
}

#[test]
fn a_sender_over_its_limit_is_counted_and_holds_back_nobody_else() {
    let mut fixture = fixture(2);
    for _ in 0..5 {
        fixture.send("_e{1,1}:a|b", 1);
    }
    fixture.send("_e{1,1}:a|b", 2);
    fixture.send("_sc|db|0", 1);
    assert_eq!(fixture.losses(), [("rate_limit", 3)]);
    assert_eq!(fixture.intake.depth(), 4);
    fixture.clock.advance(60_000);
    fixture.send("_e{1,1}:a|b", 1);
    assert_eq!(std::iter::from_fn(|| fixture.queue.try_recv().ok()).count(), 5);
}

#[test]
fn a_full_queue_drops_and_counts() {
    let fixture = fixture(100_000);
    for _ in 0..QUEUE + 3 {
        fixture.send("_e{1,1}:a|b", 1);
    }
    assert_eq!(fixture.losses(), [("queue_full", 3)]);
}

#[test]
fn times_outside_of_the_window_are_refused() {
    let fixture = fixture(100);
    for (seconds, expected) in [
        (NOW / 1_000, None),
        (NOW / 1_000 - 3_600, None),
        (NOW / 1_000 - 3_601, Some("too_old")),
        (NOW / 1_000 + 600, None),
        (NOW / 1_000 + 601, Some("too_new")),
        (NOW / 1_000 + 1_000_000_000, Some("too_new")),
    ] {
        let before = fixture.losses();
        fixture.send(&format!("_e{{1,1}}:a|b|d:{seconds}"), 1);
        let changed = fixture.losses() != before;
        assert_eq!(changed, expected.is_some(), "{seconds}");
        if let Some(reason) = expected {
            assert!(fixture.losses().iter().any(|(word, _)| *word == reason), "{seconds}");
        }
    }
}

#[test]
fn a_process_that_stops_drops_what_comes_too_late() {
    let Fixture { books, intake, queue, .. } = fixture(100);
    drop(queue);
    let event = line::Event::parse(b"_e{1,1}:a|b").unwrap();
    intake.accept(&Extra::Event(event), SourceId(1), &ListenerLabels::default());
    assert_eq!(books.lost(Loss::QueueFull), 1);
}
