use proptest::prelude::*;

use super::*;

/// A line's samples in words: `name type values @rate #tags Ttime c=.. e=.. card=..`, or the reason.
fn describe(text: &[u8]) -> Vec<String> {
    let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match read(text) {
        Line::Event(_) => vec!["event".to_owned()],
        Line::ServiceCheck(_) => vec!["service check".to_owned()],
        Line::Metric(samples) => samples
            .map(|sample| match sample {
                Err(reason) => reason.as_str().to_owned(),
                Ok(metric) => {
                    let values: Vec<String> = metric.values().map(show).collect();
                    let mut parts =
                        vec![show(metric.head), format!("{:?}", metric.kind), values.join("+")];
                    if metric.rate != 1.0 {
                        parts.push(format!("@{}", metric.rate));
                    }
                    let fields = [
                        ("#", metric.tags),
                        ("c=", metric.container().unwrap_or_default()),
                        ("e=", metric.external().unwrap_or_default()),
                        ("card=", metric.cardinality().unwrap_or_default()),
                    ];
                    let sent = fields.into_iter().filter(|(_, field)| !field.is_empty());
                    parts.extend(sent.map(|(label, field)| format!("{label}{}", show(field))));
                    parts.extend(metric.timestamp_seconds().map(|seconds| format!("T{seconds}")));
                    parts.join(" ")
                }
            })
            .collect(),
    }
}

#[test]
fn lines_are_read_in_every_dialect() {
    for (line, expected) in [
        ("a:1|c", "a Counter 1"),
        ("a:1|C", "a Counter 1"),
        ("a:-5|g", "a Gauge -5"),
        ("a:12.345678|ms", "a Timer 12.345678"),
        ("a:320|h", "a Histogram 320"),
        ("a:50|d", "a Distribution 50"),
        ("a:x|s", "a Set x"),
        ("a:http://b:80/|s", "a Set http://b:80/"),
        ("a:7|m", "a Meter 7"),
        ("a:7|kv", "a KeyValue 7"),
        ("a:1:2:3|c", "a Counter 1+2+3"),
        ("a:21::22:|ms", "a Timer 21+22"),
        ("a:1|c|@0.5", "a Counter 1 @0.5"),
        ("a:1|c|@1e-3", "a Counter 1 @0.001"),
        ("a:1|c|@1", "a Counter 1"),
        ("a:1|c|@+1", "a Counter 1"),
        ("a:1|c|#k:v,flag", "a Counter 1 #k:v,flag"),
        ("a:1|c|#", "a Counter 1"),
        ("a:1|c|#a:b|@0.5", "a Counter 1 @0.5 #a:b"),
        ("a:1|c|@0.5|#a:b|c:abc|T1700000000", "a Counter 1 @0.5 #a:b c=abc T1700000000"),
        ("a:1|c|T1700000000|#a:b", "a Counter 1 #a:b T1700000000"),
        ("a:1|c|e:it-false,cn-x|card:low", "a Counter 1 e=it-false,cn-x card=low"),
        ("a:1|c|c:ci-1:x|#u:http://x:1", "a Counter 1 #u:http://x:1 c=ci-1:x"),
        ("a:1|c|new:1:2|@0.5", "a Counter 1 @0.5"),
        ("a:1|c||#a:b", "a Counter 1 #a:b"),
        ("a:1|c|", "a Counter 1"),
        ("a:1|c:2|c:5|ms", "a Counter 1; a Counter 2; a Timer 5"),
        ("a:1|c|@0.5:2|c", "a Counter 1 @0.5; a Counter 2"),
        ("a:1|c:x|q:3|c", "a Counter 1; unknown_type; a Counter 3"),
        ("a:1|c:", "a Counter 1"),
        ("a:1|c:2", "a Counter 1; missing_type"),
        ("x,env=prod:1|c", "x,env=prod Counter 1"),
        ("_e{1,1}:a|b", "event"),
        ("_sc|a|0", "service check"),
        ("_event:1|c", "_event Counter 1"),
        ("", "missing_value"),
        ("a", "missing_value"),
        ("hits|c|#url:x|c", "missing_value"),
        (":1|c", "missing_name"),
        ("a:", "missing_type"),
        ("a:1", "missing_type"),
        ("a:1|", "missing_type"),
        ("a:|ms", "missing_value"),
        ("a:1|q", "unknown_type"),
        ("a:1|ca:1|c", "unknown_type; a Counter 1"),
        ("a:1|c|@0", "bad_rate"),
        ("a:1|c|@-1", "bad_rate"),
        ("a:1|c|@1e-9", "bad_rate"),
        ("a:1|c|@1.5", "bad_rate"),
        ("a:1|c|@Infinity", "bad_rate"),
        ("a:1|c|@", "bad_rate"),
        ("a:1|c|@x:2|c", "bad_rate; a Counter 2"),
        ("a:1|c|T0", "bad_timestamp"),
        ("a:1|c|T", "bad_timestamp"),
        ("a:1|c|T1e9", "bad_timestamp"),
        ("a:1|c|T99999999999999999999", "bad_timestamp"),
    ] {
        assert_eq!(describe(line.as_bytes()).join("; "), expected, "{line}");
    }
}

#[test]
fn names_are_limited_to_a_kibibyte() {
    let line = |bytes: usize| format!("{}:1|c", "n".repeat(bytes));
    assert_eq!(describe(line(1024).as_bytes()).len(), 1);
    assert_eq!(describe(line(1025).as_bytes()), ["name_too_long"]);
}

#[test]
fn datagrams_fall_into_lines() {
    for (datagram, expected) in [
        ("", vec![]),
        ("\n", vec![]),
        ("a:1|c", vec!["a:1|c"]),
        ("a:1|c\n", vec!["a:1|c"]),
        ("a:1|c\r\n\r\n\nb:1|c\r", vec!["a:1|c", "b:1|c"]),
    ] {
        let found: Vec<&[u8]> = lines(datagram.as_bytes()).collect();
        let expected: Vec<&[u8]> = expected.into_iter().map(str::as_bytes).collect();
        assert_eq!(found, expected, "{datagram:?}");
    }
}

#[test]
fn usual_lines_are_taken_quickly() {
    for (line, is_usual) in [
        ("a:1|c", true),
        ("a.b:-2.5|ms\nb:1|c", true),
        ("a:7|g|#k:v,x\n", true),
        ("a:1|h|#", true),
        ("a:1|d", true),
        ("a:1|c\r\n", false),
        ("a:1|c|#k:v\r\n", false),
        ("a:1:2|c", false),
        ("a:1|c|@0.5", false),
        ("a:1|c|#k:v|@0.5", false),
        ("a:1|s", false),
        ("a:1e3|c", false),
        ("a|b:1|c", false),
        ("_sc|a|0", false),
        ("\na:1|c", false),
    ] {
        let mut rest = lines(line.as_bytes());
        assert_eq!(rest.next_usual().is_some(), is_usual, "{line:?}");
        assert_eq!(rest.rest.len() < line.len(), is_usual, "{line:?}");
    }
}

/// Bytes that look like StatsD often enough to reach the inner branches.
fn wire() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"a.b".to_vec()),
        Just(b":1".to_vec()),
        Just(b":-2.5e3".to_vec()),
        Just(b"|c".to_vec()),
        Just(b"|ms".to_vec()),
        Just(b"|s".to_vec()),
        Just(b"|g".to_vec()),
        Just(b"|@0.1".to_vec()),
        Just(b"|#k:v,x".to_vec()),
        Just(b"|T17".to_vec()),
        Just(b"|c:ci".to_vec()),
        Just(b"_e{1,2}:".to_vec()),
        Just(b"_sc|a|0".to_vec()),
        Just(b",k=v".to_vec()),
        Just(b"[k=v]".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn property_no_bytes_panic_and_every_line_says_something(datagram in wire()) {
        for line in lines(&datagram) {
            match read(line) {
                Line::Metric(samples) => {
                    let samples: Vec<_> = samples.collect();
                    prop_assert!(!samples.is_empty());
                    for metric in samples.into_iter().flatten() {
                        prop_assert!((MIN_RATE..=1.0).contains(&metric.rate));
                        prop_assert!(!metric.head.is_empty() && !metric.values.is_empty());
                        let _tags = NameTags::split(metric.head).tags.count();
                    }
                }
                Line::Event(text) => drop(Event::parse(text)),
                Line::ServiceCheck(text) => drop(ServiceCheck::parse(text)),
            }
        }
    }

    #[test]
    fn property_usual_lines_are_read_as_all_lines_are(datagram in wire()) {
        let mut rest = lines(&datagram);
        loop {
            let mut quick = rest.clone();
            let Some(metric) = quick.next_usual() else {
                if rest.next().is_none() {
                    break;
                }
                continue;
            };
            let line = rest.next().expect("a usual line is a line");
            let Line::Metric(mut samples) = read(line) else { panic!("not a metric") };
            prop_assert_eq!(samples.next(), Some(Ok(metric)));
            prop_assert_eq!(samples.next(), None);
            prop_assert_eq!(quick.rest, rest.rest);
        }
    }

    #[test]
    fn property_a_written_line_is_read_back(
        name in "[a-z][a-z._-]{0,20}",
        values in proptest::collection::vec(-1e6..1e6_f64, 1..5),
        tags in "([a-z]{1,5}:[a-z:/]{1,9}(,[a-z]{1,3})?)?",
    ) {
        let packed: Vec<String> = values.iter().map(f64::to_string).collect();
        let line = format!("{name}:{}|d|#{tags}|@0.25", packed.join(":"));
        let Line::Metric(mut samples) = read(line.as_bytes()) else { panic!("not a metric") };
        let metric = samples.next().unwrap().unwrap();
        prop_assert_eq!(samples.next(), None);
        prop_assert_eq!(metric.head, name.as_bytes());
        prop_assert_eq!(metric.tags, tags.as_bytes());
        prop_assert_eq!((metric.kind, metric.rate), (Kind::Distribution, 0.25));
        let read_back: Vec<f64> = metric.values().map(|v| parse_number(v).unwrap()).collect();
        prop_assert_eq!(read_back, values);
    }
}
