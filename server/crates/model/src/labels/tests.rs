use super::*;
use proptest::prelude::*;

#[test]
fn labels_are_sorted_unique_and_never_empty() {
    let labels = Labels::from_pairs([("b", "1"), ("a", "2"), ("b", "3"), ("c", "")]);
    assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "2"), ("b", "3")]);
    assert_eq!(labels.get("b"), Some("3"));
    assert_eq!(labels.value_or_empty("c"), "");
}

#[test]
fn a_packer_takes_labels_in_order_only() {
    let mut packer = LabelsPacker::with_capacity(8);
    for (name, value, is_taken) in [
        ("", "x", false),
        ("a", "1", true),
        ("a", "2", false),
        ("c", "", true),
        ("b", "2", true),
        ("a", "3", false),
    ] {
        assert_eq!(packer.push(name, value), is_taken, "{name}={value}");
    }
    assert_eq!(packer.finish(), Labels::from_pairs([("a", "1"), ("b", "2")]));
}

#[test]
fn a_projection_is_packed() {
    let labels = Labels::from_pairs([("a", "1"), ("b", "2"), ("c", "3")]);
    let mut packed = String::new();
    labels.project_into(&mut packed, |name| name != "b");
    let expected = Labels::from_pairs([("a", "1"), ("c", "3")]);
    assert_eq!(Labels::from_packed(&packed), Some(expected));
}

#[test]
fn a_builder_changes_removes_and_keeps_order() {
    let mut builder = Labels::from_pairs([("a", "1"), ("c", "3")]).to_builder();
    builder.set("b", "2").set("a", "").set("d", "4").remove("c");
    assert_eq!(builder.build().to_string(), r#"{b="2", d="4"}"#);
}

#[test]
fn the_display_is_promql() {
    for (pairs, text) in [
        (vec![("__name__", "up")], "up"),
        (vec![("__name__", "up"), ("job", "a\"b\n")], r#"up{job="a\"b\n"}"#),
        (vec![("job", "x")], r#"{job="x"}"#),
        (vec![("__name__", "my.metric"), ("a.b", "c")], r#"{"my.metric", "a.b"="c"}"#),
    ] {
        assert_eq!(Labels::from_pairs(pairs).to_string(), text);
    }
    assert_eq!(Labels::empty().to_string(), "{}");
}

#[test]
fn the_fingerprint_is_that_of_prometheus() {
    // The empty set is FNV-1a's offset basis; the other is checked against a written-out FNV-1a.
    assert_eq!(format!("{:016x}", Labels::empty().fingerprint()), "cbf29ce484222325");
    let labels = Labels::from_pairs([("alertname", "x")]);
    let expected = b"alertname\xffx\xff".iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(1_099_511_628_211)
    });
    assert_eq!(labels.fingerprint(), expected);
}

#[test]
fn labels_are_an_object_in_serde() {
    let read = |text: &str| -> Result<Labels, serde::de::value::Error> {
        use serde::{Deserialize as _, de::value::MapDeserializer};
        Labels::deserialize(MapDeserializer::new(
            text.split(',').filter_map(|pair| pair.split_once('=')),
        ))
    };
    assert_eq!(read("b=1,a=2,c=").unwrap(), Labels::from_pairs([("a", "2"), ("b", "1")]));
    assert_eq!(read("").unwrap(), Labels::empty());
}

#[test]
fn damaged_packed_labels_are_refused() {
    for packed in ["A", "Aa", "AaB", "AaAbAaAc", "AbAxAaAy", "Aa@", "\u{7f}", "~", "Ca\u{e9}"] {
        assert_eq!(Labels::from_packed(packed), None, "{packed:?}");
    }
}

proptest! {
    #[test]
    fn property_packing_round_trips(pairs in proptest::collection::btree_map(".{0,80}", ".{1,2000}", 0..6)) {
        let labels = Labels::from_pairs(pairs.clone());
        prop_assert_eq!(Labels::from_packed(labels.as_packed()), Some(labels.clone()));
        let back: Vec<_> = labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        prop_assert_eq!(back, pairs.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn property_any_packed_text_is_read_or_refused(packed in ".*") {
        let _labels = Labels::from_packed(&packed);
    }

    #[test]
    fn property_order_is_pair_by_pair(a in proptest::collection::btree_map("[ab]{1,2}", "[ab]{1,2}", 0..3),
                                      b in proptest::collection::btree_map("[ab]{1,2}", "[ab]{1,2}", 0..3)) {
        let order = a.iter().cmp(b.iter());
        prop_assert_eq!(Labels::from_pairs(a).cmp(&Labels::from_pairs(b)), order);
    }
}
