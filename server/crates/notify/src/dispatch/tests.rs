//! Tables of times and what is told then. Times are seconds; the default route waits 10 s for a new
//! group, 60 s between notifications and repeats after 300 s.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::{
    alert::tests::{firing, resolved},
    dedup::Reason,
    silence::tests::silence,
};

const ROUTE: &str = "
  receiver: hook
  group_by: [alertname]
  group_wait: 10s
  group_interval: 1m
  repeat_interval: 5m
";
const RECEIVERS: &str = "
receivers:
  - {name: hook, webhook_configs: [{url: 'http://a/'}]}
  - {name: other, webhook_configs: [{url: 'http://b/'}]}
  - {name: quiet, webhook_configs: [{url: 'http://c/', send_resolved: false}]}
  - {name: both, webhook_configs: [{url: 'http://d/'}, {url: 'http://e/', send_resolved: false}]}
";

fn config(route: &str, rest: &str) -> Arc<Config> {
    let text = format!("route:{route}{RECEIVERS}{rest}");
    Arc::new(Config::parse(&text, Path::new("alerting.yml")).unwrap())
}

/// A dispatcher driven by hand, whose flushes are always stored.
struct Run {
    dispatcher: Dispatcher,
    told: Vec<String>,
    flushes: Vec<Flush>,
    muted: Vec<Muted>,
    stored: BTreeMap<(String, Destination), GroupLog>,
}

impl Run {
    fn new(config: &Arc<Config>) -> Self {
        Self {
            dispatcher: Dispatcher::new(Arc::clone(config)),
            told: Vec::new(),
            flushes: Vec::new(),
            muted: Vec::new(),
            stored: BTreeMap::new(),
        }
    }

    fn default() -> Self {
        Self::new(&config(ROUTE, ""))
    }

    fn apply(&mut self, at: i64, alert: &Alert) -> &mut Self {
        self.until(at);
        self.dispatcher.apply(std::slice::from_ref(alert), at * 1_000);
        self
    }

    /// Ticks whenever something is due, up to and at the given second.
    fn until(&mut self, at: i64) -> &mut Self {
        while let Some(due) = self.dispatcher.next_due().filter(|due| *due <= at * 1_000) {
            let tick = self.dispatcher.tick(due);
            for flush in &tick.flushes {
                let key = (flush.group_key().to_owned(), flush.destination().clone());
                self.stored.insert(key, flush.log.clone());
                self.flushes.push(flush.clone());
                if !flush.alerts.is_empty() {
                    self.told.push(describe(flush, due));
                }
            }
            self.dispatcher.commit(&tick.flushes);
            self.muted.extend(tick.muted);
        }
        self
    }

    #[track_caller]
    fn expect(&mut self, told: &[&str]) {
        assert_eq!(std::mem::take(&mut self.told), told);
    }

    /// Throws everything in memory away and starts again from what was stored.
    fn restart(&mut self, config: &Arc<Config>, alerts: &[Alert], at: i64) {
        self.dispatcher = Dispatcher::new(Arc::clone(config));
        let logs: Vec<GroupLog> = self.stored.values().cloned().collect();
        self.dispatcher.restore(&logs, alerts, at * 1_000);
    }
}

/// `10 hook first notification +a -b`, in seconds, with the `i` labels of the alerts.
fn describe(flush: &Flush, now: Timestamp) -> String {
    let alerts: Vec<String> = flush
        .alerts
        .iter()
        .map(|alert| {
            let sign = if alert.status == AlertStatus::Firing { '+' } else { '-' };
            format!("{sign}{}", alert.labels.value_or_empty("i"))
        })
        .collect();
    let who = &flush.destination().receiver;
    format!("{} {who} {} {}", now / 1_000, flush.reason.as_str(), alerts.join(" "))
}

fn alert(i: &str, starts_at: i64) -> Alert {
    firing(&format!("alertname=x,i={i}"), starts_at * 1_000)
}

#[test]
fn a_new_group_gathers_alerts_then_tells_once_per_interval() {
    let mut run = Run::default();
    run.apply(0, &alert("a", 0)).apply(5, &alert("b", 5)).until(9).expect(&[]);
    run.until(10).expect(&["10 hook first notification +a +b"]);
    run.apply(15, &alert("c", 15)).until(69).expect(&[]);
    run.until(70).expect(&["70 hook new alerts +a +b +c"]);
    run.until(300).expect(&[]);
}

#[test]
fn an_old_alert_is_told_at_once_but_not_ahead_of_the_interval() {
    let mut run = Run::default();
    run.apply(100, &alert("a", 50)).until(100).expect(&["100 hook first notification +a"]);
    run.apply(101, &alert("b", 50)).until(159).expect(&[]);
    run.until(160).expect(&["160 hook new alerts +a +b"]);
}

#[test]
fn an_unchanged_group_is_repeated_at_the_next_interval_after_the_repeat_interval() {
    let mut run = Run::default();
    // Told at 10; due at 70, 130, 190, 250, 310 (exactly the repeat interval: not yet), 370.
    run.apply(0, &alert("a", 0)).until(369).expect(&["10 hook first notification +a"]);
    run.until(370).expect(&["370 hook reminder +a"]);
}

#[test]
fn ends_are_told_at_the_next_interval_and_the_group_is_forgotten() {
    let mut run = Run::default();
    let (a, b) = (alert("a", 0), alert("b", 0));
    run.apply(0, &a)
        .apply(0, &b)
        .apply(20, &resolved(&a, 20_000))
        .until(70)
        .expect(&["10 hook first notification +a +b", "70 hook alerts resolved -a +b"]);
    run.apply(80, &resolved(&b, 80_000)).until(130).expect(&["130 hook all alerts resolved -b"]);
    assert_eq!(run.dispatcher.next_due(), None);
    assert_eq!(run.dispatcher.alerts().count(), 0);
    // Sources repeat that an alert is over; nobody needs to hear it again.
    run.apply(140, &resolved(&b, 80_000)).until(1_000).expect(&[]);
}

#[test]
fn an_alert_that_is_over_before_it_was_told_stays_untold() {
    let mut run = Run::default();
    let a = alert("a", 0);
    run.apply(0, &a).apply(5, &resolved(&a, 5_000)).until(100).expect(&[]);
    assert_eq!(run.dispatcher.next_due(), None);
}

#[test]
fn an_alert_that_returns_is_told_again_with_a_later_number() {
    let mut run = Run::default();
    let a = alert("a", 0);
    run.apply(0, &a).apply(20, &resolved(&a, 20_000)).until(70);
    let closed = run.stored.values().next().unwrap().clone();
    run.apply(80, &alert("a", 80)).until(90).expect(&[
        "10 hook first notification +a",
        "70 hook all alerts resolved -a",
        "90 hook first notification +a",
    ]);
    let opened = run.stored.values().next().unwrap();
    assert!(closed.is_closed() && opened.seq > closed.seq);
    assert_eq!((closed.opened_at, opened.opened_at), (10_000, 90_000));
}

#[test]
fn an_alert_that_returns_within_the_interval_goes_on() {
    let mut run = Run::default();
    let a = alert("a", 0);
    run.apply(0, &a).apply(20, &resolved(&a, 20_000)).apply(30, &alert("a", 30)).until(300);
    run.expect(&["10 hook first notification +a"]);
}

#[test]
fn an_alert_whose_source_falls_silent_ends_by_itself() {
    let mut run = Run::default();
    let mut a = alert("a", 0);
    a.ends_at = Some(100_000);
    run.apply(0, &a)
        .until(130)
        .expect(&["10 hook first notification +a", "130 hook all alerts resolved -a"]);
}

#[test]
fn an_older_message_does_not_undo_a_newer_one() {
    let mut run = Run::default();
    let a = alert("a", 0);
    run.apply(0, &a)
        .apply(20, &resolved(&a, 20_000))
        .apply(21, &a)
        .until(70)
        .expect(&["10 hook first notification +a", "70 hook all alerts resolved -a"]);
}

#[test]
fn the_end_of_an_earlier_episode_does_not_end_the_present_one() {
    let mut run = Run::default();
    let (earlier, mut present) = (alert("a", 0), alert("a", 20));
    present.updated_at = 30_000;
    run.apply(0, &earlier).apply(30, &present).apply(30, &resolved(&earlier, 30_000)).until(200);
    run.expect(&["10 hook first notification +a"]);
}

#[test]
fn what_failed_to_be_stored_is_told_later() {
    let mut run = Run::default();
    run.apply(0, &alert("a", 0));
    let tick = run.dispatcher.tick(10_000);
    assert_eq!(tick.flushes.len(), 1);
    assert_eq!(run.dispatcher.tick(10_000), Tick::default());
    run.dispatcher.abort(&tick.flushes, 12_000);
    run.until(20).expect(&["12 hook first notification +a"]);
}

#[test]
fn each_destination_hears_what_it_wants() {
    let route = ROUTE.replace("hook", "both");
    let mut run = Run::new(&config(&route, ""));
    let (a, b) = (alert("a", 0), alert("b", 0));
    run.apply(0, &a).apply(0, &b).apply(20, &resolved(&a, 20_000)).until(70).expect(&[
        "10 both first notification +a +b",
        "10 both first notification +a +b",
        "70 both alerts resolved -a +b",
    ]);
    // It did not hear of the end, but its return is new to it.
    run.apply(80, &alert("a", 80))
        .until(130)
        .expect(&["130 both new alerts +a +b", "130 both new alerts +a +b"]);
    run.apply(140, &resolved(&alert("a", 80), 140_000)).apply(140, &resolved(&b, 140_000));
    run.until(190).expect(&["190 both all alerts resolved -a -b"]);
    assert!(run.stored.values().all(GroupLog::is_closed));
}

#[test]
fn groups_by_all_labels_are_told_apart() {
    let route = ROUTE.replace("[alertname]", "['...']");
    let mut run = Run::new(&config(&route, ""));
    run.apply(0, &alert("a", 0))
        .apply(3, &alert("b", 3))
        .until(13)
        .expect(&["10 hook first notification +a", "13 hook first notification +b"]);
}

#[test]
fn a_silenced_alert_is_not_told_and_the_withholding_is_noted_once() {
    let mut run = Run::default();
    run.dispatcher.set_silences(vec![silence("i=a", 0, 100_000)]);
    run.apply(0, &alert("a", 0)).apply(0, &alert("b", 0)).until(70);
    run.expect(&["10 hook first notification +b"]);
    let withheld: Vec<&Suppression> = run.muted.iter().map(|muted| &muted.by).collect();
    assert!(matches!(withheld[..], [Suppression::Silenced { until: 100_000, .. }]));
    run.until(130).expect(&["130 hook new alerts +a +b"]);
}

#[test]
fn the_end_of_a_told_alert_is_told_even_when_it_is_silenced() {
    let mut run = Run::default();
    let (a, b) = (alert("a", 0), alert("b", 0));
    run.apply(0, &a).apply(0, &b).until(10).expect(&["10 hook first notification +a +b"]);
    run.dispatcher.set_silences(vec![silence("i=~\"a|c\"", 0, 10_000_000)]);
    // Silenced after it was told: no news, no repeat with it, and its end is told.
    run.until(370).expect(&["370 hook reminder +b"]);
    run.apply(380, &resolved(&b, 380_000)).until(430).expect(&["430 hook all alerts resolved -b"]);
    run.until(800).expect(&[]);
    run.apply(800, &resolved(&a, 800_000)).until(900).expect(&["850 hook all alerts resolved -a"]);
    // Silenced from the beginning: neither its start nor its end is told.
    let c = alert("c", 900);
    run.apply(900, &c).apply(920, &resolved(&c, 920_000)).until(2_000).expect(&[]);
}

#[test]
fn an_inhibited_alert_is_told_when_the_other_is_over() {
    let rules = "
inhibit_rules:
  - {source_matchers: [i=a], target_matchers: [i=b]}
";
    let mut run = Run::new(&config(ROUTE, rules));
    let a = alert("a", 0);
    run.apply(0, &a).apply(0, &alert("b", 0)).until(10);
    run.expect(&["10 hook first notification +a"]);
    assert_eq!(run.muted[0].by, Suppression::Inhibited { by: a.fingerprint() });
    run.apply(20, &resolved(&a, 20_000)).until(70).expect(&["70 hook new alerts -a +b"]);
}

#[test]
fn a_route_is_silent_in_its_mute_time_but_tells_ends() {
    let rest = "
time_intervals:
  - {name: morning, time_intervals: [{times: [{start_time: '00:00', end_time: '00:05'}]}]}
  - {name: noon, time_intervals: [{times: [{start_time: '00:05', end_time: '00:10'}]}]}
";
    let child = "  routes: [{matchers: ['i=~\".+\"'], mute_time_intervals: [morning]}]\n";
    let mut run = Run::new(&config(&format!("{ROUTE}{child}"), rest));
    run.apply(0, &alert("a", 0)).until(309).expect(&[]);
    let morning = Suppression::MuteTime { interval: "morning".to_owned() };
    assert_eq!(run.muted.iter().map(|m| &m.by).collect::<Vec<_>>(), [&morning]);
    run.until(310).expect(&["310 hook first notification +a"]);

    let child = "  routes: [{matchers: ['i=~\".+\"'], active_time_intervals: [noon]}]\n";
    let mut run = Run::new(&config(&format!("{ROUTE}{child}"), rest));
    let a = alert("a", 300);
    run.apply(200, &alert("b", 200)).until(270).expect(&[]);
    run.apply(300, &a).until(330).expect(&["330 hook first notification +a +b"]);
    run.until(600).expect(&[]);
    run.apply(650, &resolved(&a, 650_000)).until(690).expect(&["690 hook all alerts resolved -a"]);
}

#[test]
fn a_restart_neither_repeats_nor_loses_anything() {
    let config = config(ROUTE, "");
    let (a, b, c) = (alert("a", 0), alert("b", 0), alert("c", 15));
    for (name, alerts, expected) in [
        ("nothing changed", vec![a.clone(), b.clone()], vec!["370 hook reminder +a +b"]),
        (
            "a new alert",
            vec![a.clone(), b.clone(), c.clone()],
            vec!["70 hook new alerts +a +b +c", "430 hook reminder +a +b +c"],
        ),
        (
            "an end not yet told",
            vec![a.clone(), resolved(&b, 20_000)],
            vec!["70 hook alerts resolved +a -b", "430 hook reminder +a"],
        ),
        (
            "an alert is gone",
            vec![a.clone()],
            vec!["70 hook alerts resolved +a -b", "430 hook reminder +a"],
        ),
        ("every alert is gone", vec![], vec!["70 hook all alerts resolved -a -b"]),
    ] {
        let mut run = Run::new(&config);
        run.apply(0, &a).apply(0, &b).until(10).told.clear();
        run.restart(&config, &alerts, 30);
        run.until(435);
        assert_eq!(run.told, expected, "{name}");
    }
}

#[test]
fn a_restart_within_the_group_wait_still_tells() {
    let config = config(ROUTE, "");
    for (restarted_at, expected) in
        [(5, "10 hook first notification +a"), (30, "30 hook first notification +a")]
    {
        let mut run = Run::new(&config);
        run.restart(&config, &[alert("a", 0)], restarted_at);
        run.until(60).expect(&[expected]);
    }
}

#[test]
fn a_reload_keeps_timers_and_closes_what_is_routed_elsewhere_now() {
    let before = config(ROUTE, "");
    let child = "  routes: [{matchers: [i=a], receiver: other}]\n";
    let after = config(&format!("{ROUTE}{child}"), "");
    let (a, b) = (alert("a", 0), alert("b", 0));
    let mut run = Run::new(&before);
    run.apply(0, &a).apply(0, &b).until(10).expect(&["10 hook first notification +a +b"]);
    run.dispatcher.reload(Arc::clone(&before), 20_000);
    assert_eq!(run.dispatcher.next_due(), Some(70_000));
    run.dispatcher.reload(after, 20_000);
    run.until(60).expect(&["20 other first notification +a"]);
    run.apply(60, &resolved(&a, 60_000))
        .until(80)
        .expect(&["70 hook alerts resolved -a +b", "80 other all alerts resolved -a"]);
}

#[test]
fn a_reload_with_a_shorter_interval_takes_effect_at_once() {
    let mut run = Run::default();
    run.dispatcher.set_silences(vec![silence("i=a", 0, 10_000_000)]);
    run.apply(0, &alert("a", 0)).until(10);
    let withheld = run.muted.len();
    run.dispatcher.reload(config(&ROUTE.replace("1m", "20s"), ""), 11_000);
    assert_eq!(run.dispatcher.next_due(), Some(31_000));
    run.until(60);
    assert_eq!((withheld, run.muted.len()), (1, 1));
}

#[test]
fn an_alert_whose_route_is_gone_is_closed_where_it_was_told() {
    let child = "  routes: [{matchers: [i=a], receiver: other}]\n";
    let mut run = Run::new(&config(&format!("{ROUTE}{child}"), ""));
    let a = alert("a", 0);
    run.apply(0, &a).until(10).expect(&["10 other first notification +a"]);
    run.dispatcher.reload(config(ROUTE, ""), 20_000);
    run.until(400).expect(&["20 hook first notification +a", "380 hook reminder +a"]);
    run.apply(400, &resolved(&a, 400_000))
        .until(600)
        .expect(&["440 other all alerts resolved -a", "440 hook all alerts resolved -a"]);
    assert_eq!(run.dispatcher.next_due(), None);
}

#[test]
fn the_row_of_a_flush_holds_everything() {
    let mut run = Run::default();
    run.apply(0, &alert("a", 0));
    let tick = run.dispatcher.tick(10_000);
    let row = tick.flushes[0].row("https://bell.example/").unwrap();
    assert_eq!((row.destination.as_str(), row.kind.as_str()), ("hook/webhook/0", "webhook"));
    assert_eq!(row.dedup_key, r#"{}:{alertname="x"}"#);
    assert_eq!((row.seq, row.created_at), (10_000, 10_000));
    let notification: crate::Notification = serde_json::from_value(row.payload).unwrap();
    assert_eq!((notification.id, notification.reason), (row.id, Reason::First));
    assert_eq!(notification.alerts, [alert("a", 0)]);
    assert_eq!(notification.external_url, "https://bell.example");
}

/// What can happen to a run in the property test; `i` is one of four alerts.
#[derive(Debug, Clone)]
enum Event {
    Fire(usize),
    Resolve(usize),
    /// The alert's source forgets it: after a restart nobody knows it.
    Forget(usize),
    Silence(Option<usize>),
    Wait(i64),
    Restart,
    Reload(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..4_usize).prop_map(Event::Fire),
        3 => (0..4_usize).prop_map(Event::Resolve),
        1 => (0..4_usize).prop_map(Event::Forget),
        1 => proptest::option::of(0..4_usize).prop_map(Event::Silence),
        4 => (0..90_i64).prop_map(Event::Wait),
        1 => Just(Event::Restart),
        1 => (0..3_usize).prop_map(Event::Reload),
    ]
}

/// What each destination believes to fire in each group, from what it was told alone.
fn believed(flushes: &[Flush]) -> BTreeMap<(&Destination, &str), BTreeSet<u64>> {
    let mut believed: BTreeMap<(&Destination, &str), BTreeSet<u64>> = BTreeMap::new();
    for flush in flushes {
        let open = believed.entry((flush.destination(), flush.group_key())).or_default();
        for alert in &flush.alerts {
            match alert.status {
                AlertStatus::Firing => open.insert(alert.fingerprint()),
                AlertStatus::Resolved => open.remove(&alert.fingerprint()),
            };
        }
    }
    believed
}

proptest! {
    /// Whatever happens, once things are quiet every destination knows the truth: what fires and is
    /// not silenced was told where it is routed to, and in the end nobody is left with an open alert.
    #[test]
    fn property_in_the_end_everyone_knows_the_truth(events in proptest::collection::vec(event(), 1..40)) {
        let routes = [
            String::new(),
            "  routes: [{matchers: ['i=~\"0|1\"'], receiver: other}]\n".to_owned(),
            "  routes: [{matchers: [i=0], receiver: other, continue: true}, {receiver: hook, group_by: [i]}]\n".to_owned(),
        ];
        let configs = routes.map(|child| config(&format!("{ROUTE}{child}"), ""));
        let names = ["0", "1", "2", "3"];
        let mut current = Arc::clone(&configs[0]);
        let mut run = Run::new(&current);
        let mut known: BTreeMap<usize, Alert> = BTreeMap::new();
        let mut silenced = None;
        let mut now = 0;
        for event in events {
            now += 1;
            match event {
                Event::Fire(i) => {
                    let alert = alert(names[i], now);
                    known.entry(i).or_insert_with(|| alert.clone());
                    run.apply(now, &known[&i]);
                }
                Event::Resolve(i) => if let Some(alert) = known.remove(&i) {
                    run.apply(now, &resolved(&alert, now * 1_000));
                },
                Event::Forget(i) => if known.remove(&i).is_some() {
                    run.until(now);
                    let alerts: Vec<Alert> = known.values().cloned().collect();
                    run.restart(&current, &alerts, now);
                },
                Event::Silence(i) => {
                    silenced = i;
                    run.until(now);
                }
                Event::Wait(length) => {
                    now += length;
                    run.until(now);
                }
                Event::Restart => {
                    run.until(now);
                    let alerts: Vec<Alert> = known.values().cloned().collect();
                    run.restart(&current, &alerts, now);
                }
                Event::Reload(which) => {
                    current = Arc::clone(&configs[which]);
                    run.until(now).dispatcher.reload(Arc::clone(&current), now * 1_000);
                }
            }
            let text = silenced.map(|i| silence(&format!("i={i}"), 0, i64::MAX));
            run.dispatcher.set_silences(text.into_iter().collect());
        }

        now += 150;
        run.until(now);
        let tree = RouteTree::new(&current.route);
        let firing: BTreeSet<u64> = known.values().map(Alert::fingerprint).collect();
        for (i, alert) in known.iter().filter(|(i, _)| silenced != Some(**i)) {
            for route in tree.matching(&alert.labels) {
                let knows = believed(&run.flushes).iter().any(|((destination, _), open)| {
                    destination.receiver == route.receiver && open.contains(&alert.fingerprint())
                });
                prop_assert!(knows, "{} does not know of {i}", route.receiver);
            }
        }
        for ((destination, _), open) in believed(&run.flushes) {
            prop_assert!(open.is_subset(&firing), "{destination} believes {open:?}");
        }

        for alert in std::mem::take(&mut known).values() {
            run.apply(now, &resolved(alert, now * 1_000));
        }
        run.until(now + 150);
        for ((destination, _), open) in believed(&run.flushes) {
            prop_assert!(open.is_empty(), "{destination} believes {open:?}");
        }
        prop_assert_eq!(run.dispatcher.next_due(), None);
        prop_assert_eq!(run.dispatcher.alerts().count(), 0);
        prop_assert!(run.stored.values().all(GroupLog::is_closed));
    }
}
