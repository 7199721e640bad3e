use std::{collections::BTreeMap, sync::Mutex};

use model::ManualClock;
use tokio::time::sleep;

use super::*;
use crate::uptime::monitor::{AlertTexts, Kind, TcpTarget};

fn monitor(name: &str, interval: u64) -> Monitor {
    Monitor {
        name: name.to_owned(),
        group: String::new(),
        labels: BTreeMap::new(),
        kind: Kind::Tcp(TcpTarget { host: "x".to_owned(), port: 1 }),
        interval: Duration::from_secs(interval),
        timeout: Duration::from_secs(1),
        failures: 2,
        degraded_above: None,
        paused: false,
        alert: AlertTexts {
            severity: "page".to_owned(),
            owner: String::new(),
            impact: String::new(),
            runbook: String::new(),
        },
    }
}

struct Rig {
    monitors: watch::Sender<Arc<Vec<Monitor>>>,
    results: mpsc::Receiver<CheckResult>,
    skipped: Arc<AtomicU64>,
    schedule: Option<Schedule>,
}

fn rig(monitors: Vec<Monitor>, concurrency: usize, queue: usize) -> Rig {
    let (sender, receiver) = watch::channel(Arc::new(monitors));
    let (results_in, results) = mpsc::channel(queue);
    let skipped = Arc::new(AtomicU64::new(0));
    let schedule = Schedule {
        monitors: receiver,
        results: results_in,
        clock: Arc::new(ManualClock::new(7)),
        concurrency: NonZeroUsize::new(concurrency).unwrap(),
        skipped: Arc::clone(&skipped),
        stop: CancellationToken::new(),
    };
    Rig { monitors: sender, results, skipped, schedule: Some(schedule) }
}

/// Runs a schedule whose probes take `probe_takes` beside a test.
async fn beside<T>(schedule: Schedule, probe_takes: Duration, test: impl Future<Output = T>) -> T {
    let run = run_with(schedule, move |_, _| async move {
        sleep(probe_takes).await;
        ProbeResult { success: true, ..ProbeResult::default() }
    });
    tokio::select! {
        () = run => panic!("the schedule ended early"),
        result = test => result,
    }
}

#[tokio::test(start_paused = true)]
async fn each_monitor_is_probed_soon_and_then_once_per_interval() {
    let mut rig = rig(vec![monitor("a", 30), monitor("b", 60)], 4, 8);
    let start = Instant::now();
    let times = beside(rig.schedule.take().unwrap(), Duration::ZERO, async {
        let mut times: HashMap<String, Vec<Duration>> = HashMap::new();
        while start.elapsed() < Duration::from_mins(5) {
            let result = rig.results.recv().await.unwrap();
            assert_eq!(result.at, 7);
            times.entry(result.monitor.to_string()).or_default().push(start.elapsed());
        }
        times
    })
    .await;
    for (name, interval) in [("a", 30), ("b", 60)] {
        let times = &times[name];
        assert!(times[0] < FIRST_WITHIN, "{name}: {times:?}");
        assert!(times.len() as u64 >= 300 / interval, "{name}: {times:?}");
        for pair in times[1..].windows(2) {
            let gap = pair[1].as_secs_f64() - pair[0].as_secs_f64();
            assert!((gap - interval as f64).abs() < 0.01, "{name}: {times:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn probes_beyond_the_limit_wait_and_skipped_slots_are_counted() {
    let mut rig = rig(vec![monitor("a", 10), monitor("b", 10), monitor("c", 10)], 1, 8);
    let running = Arc::new(Mutex::new((0, 0)));
    let schedule = rig.schedule.take().unwrap();
    let seen = Arc::clone(&running);
    let run = run_with(schedule, move |_, _| {
        let running = Arc::clone(&seen);
        async move {
            {
                let mut counts = running.lock().unwrap();
                counts.0 += 1;
                counts.1 = counts.1.max(counts.0);
            }
            sleep(Duration::from_secs(20)).await;
            running.lock().unwrap().0 -= 1;
            ProbeResult::default()
        }
    });
    let receive = async {
        for _ in 0..6 {
            rig.results.recv().await.unwrap();
        }
    };
    tokio::select! {
        () = run => panic!("the schedule ended early"),
        () = receive => {}
    }
    assert_eq!(running.lock().unwrap().1, 1, "one at a time");
    assert!(rig.skipped.load(Ordering::Relaxed) > 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_slows_probing_down_and_loses_nothing() {
    let mut rig = rig(vec![monitor("a", 1), monitor("b", 1)], 2, 1);
    let sequences = beside(rig.schedule.take().unwrap(), Duration::ZERO, async {
        sleep(Duration::from_secs(30)).await;
        let mut sequences = Vec::new();
        for _ in 0..4 {
            sequences.push(rig.results.recv().await.unwrap().sequence);
        }
        sequences
    })
    .await;
    let mut sorted = sequences.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [1, 2, 3, 4], "nothing was dropped in 30 s");
}

#[tokio::test(start_paused = true)]
async fn a_reload_starts_new_monitors_stops_removed_ones_and_keeps_the_rest() {
    let mut rig = rig(vec![monitor("kept", 10), monitor("removed", 10)], 4, 64);
    let names = beside(rig.schedule.take().unwrap(), Duration::ZERO, async {
        sleep(Duration::from_secs(9)).await;
        while rig.results.try_recv().is_ok() {}
        let paused = Monitor { paused: true, ..monitor("paused", 10) };
        rig.monitors.send_replace(Arc::new(vec![monitor("kept", 10), monitor("new", 10), paused]));
        sleep(Duration::from_secs(100)).await;
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        while let Ok(result) = rig.results.try_recv() {
            *counts.entry(result.monitor.to_string()).or_default() += 1;
        }
        counts
    })
    .await;
    let counted: Vec<_> = names.keys().map(String::as_str).collect();
    assert_eq!(counted, ["kept", "new"]);
    assert!(names["kept"] >= 10 && names["new"] >= 10, "{names:?}");
}

#[tokio::test(start_paused = true)]
async fn stopping_ends_the_schedule_in_the_middle_of_a_probe() {
    let mut rig = rig(vec![monitor("a", 10)], 4, 8);
    let schedule = rig.schedule.take().unwrap();
    let stop = schedule.stop.clone();
    let run = run_with(schedule, |_, _| std::future::pending());
    tokio::join!(run, async {
        sleep(Duration::from_mins(1)).await;
        stop.cancel();
    });
    assert!(rig.results.recv().await.is_none());
}
