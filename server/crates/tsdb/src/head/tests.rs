use super::*;

fn labels(name: &str) -> Labels {
    Labels::from_pairs([("__name__", name)])
}

#[test]
fn an_idle_series_is_forgotten_and_its_reference_stays_dead() {
    let mut head = Head::default();
    let old = head.resolve(labels("a").as_ref());
    let kept = head.resolve(labels("b").as_ref());
    for i in 0..4_i64 {
        head.append(kept.slot, i, &Value::Float(0.0));
        head.cut();
        head.finish_seal();
    }
    assert_eq!(head.slot(old), None);
    assert_eq!(head.slot(kept), Some(kept.slot));
    assert_eq!(head.find(labels("a").as_ref()), None);
    let new = head.resolve(labels("c").as_ref());
    assert_eq!(new.slot, old.slot, "the slot is used again");
    assert_eq!(head.slot(old), None);
    assert_eq!(head.len(), 2);
}

#[test]
fn pairs_go_with_their_last_series_and_their_numbers_are_used_again() {
    let mut head = Head::default();
    let labels = |pod: i64| {
        Labels::from_pairs([("__name__", "up".to_owned()), ("pod", format!("pod-{pod}"))])
    };
    let mut texts = Vec::new();
    for round in 0..30_i64 {
        let pods = round * 10..round * 10 + 20;
        for pod in pods.clone() {
            let series = head.resolve(labels(pod).as_ref());
            head.append(series.slot, round, &Value::Float(0.0));
        }
        head.cut();
        head.finish_seal();
        for pod in pods {
            let series = head.find(labels(pod).as_ref()).unwrap();
            let series = head.series(series.slot).unwrap();
            assert_eq!(head.labels(series), labels(pod));
        }
        let found = head.index().values("pod").count();
        assert_eq!(found, head.len(), "round {round}");
        texts.push(head.index().text_bytes());
    }
    assert!(head.index().pair_numbers() < 60, "{} numbers", head.index().pair_numbers());
    assert_eq!(texts[20..].iter().min(), texts[20..].iter().max(), "{texts:?}");
    let gone = labels(0);
    assert_eq!(head.find(gone.as_ref()), None);
    for _ in 0..3 {
        head.cut();
        head.finish_seal();
    }
    assert_eq!((head.len(), head.index().names().count()), (0, 0));
    assert_eq!(head.index().text_bytes(), 0);
}

#[test]
fn the_memory_counted_is_what_a_walk_finds() {
    let mut head = Head::default();
    let walk = |head: &Head| -> usize {
        let all = head.slots.iter().filter_map(|slot| slot.series.as_ref());
        let series = all.map(|series| {
            let sealing = series.sealing.as_deref().map_or(0, Samples::bytes);
            size_of_val(&*series.pairs) + series.samples.bytes() + sealing
        });
        let texts: usize = head.index.values("__name__").map(|value| 10 + value.len()).sum();
        series.sum::<usize>() + head.slots.len() * size_of::<Slot>() + texts
    };
    for round in 0..6_i64 {
        for (number, name) in ["a", "b", "c", "d"].iter().enumerate() {
            let series = head.resolve(labels(name).as_ref());
            for time in 0..200 {
                let time = if number == 0 { -time } else { round * 200 + time };
                head.append(series.slot, time, &Value::Float(time as f64 / 8.0));
            }
            head.finish().unwrap();
            assert_eq!(head.heap_bytes(), walk(&head));
        }
        head.remove(round * 200 + 50, round * 200 + 100).unwrap();
        assert_eq!(head.heap_bytes(), walk(&head));
        if round > 2 {
            for _ in 0..3 {
                head.cut();
                assert_eq!(head.heap_bytes(), walk(&head));
                head.finish_seal();
                assert_eq!(head.heap_bytes(), walk(&head));
            }
            assert_eq!(head.len(), 0);
        }
    }
}

#[test]
fn the_last_value_follows_a_replacement() {
    let mut head = Head::default();
    let series = head.resolve(labels("a").as_ref());
    for (time, value) in [(10, 1.0), (20, 2.0), (20, 3.0), (5, 0.5)] {
        head.append(series.slot, time, &Value::Float(value));
    }
    assert_eq!(head.finish().unwrap(), Late { samples: 1, replaced: 1 });
    let series = head.series(series.slot).unwrap();
    assert_eq!(series.last(), Some(Sample { timestamp: 20, value: Value::Float(3.0) }));
    assert_eq!(series.samples.count(), 3);
}
