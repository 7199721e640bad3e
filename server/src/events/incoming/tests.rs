use proptest::prelude::*;

use super::*;

const NOW: Timestamp = 1_000_000;

fn listener() -> ListenerLabels {
    ListenerLabels {
        prefix: "team.".to_owned(),
        labels: vec![("env".to_owned(), "prod".to_owned()), ("dc".to_owned(), "a".to_owned())],
    }
}

fn pairs(tags: &[(&str, &str)]) -> Vec<(String, String)> {
    tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn read_event(line: &str, listener: &ListenerLabels) -> Result<EventRow, Loss> {
    event(&line::Event::parse(line.as_bytes()).unwrap(), listener, NOW).map(|read| read.item)
}

fn read_report(line: &str, listener: &ListenerLabels) -> Result<Report, Loss> {
    report(&line::ServiceCheck::parse(line.as_bytes()).unwrap(), listener, NOW)
        .map(|read| read.item)
}

#[test]
fn an_event_keeps_every_field() {
    let line =
        r"_e{6,11}:deploy|v2\nis live|d:900|h:web-1|k:rel|p:low|s:ci|t:success|#service:shop,blue";
    let expected = EventRow {
        id: 0,
        at: 900_000,
        title: "deploy".into(),
        text: "v2\nis live".into(),
        host: "web-1".into(),
        source: "ci".into(),
        alert_type: "success".into(),
        priority: "low".into(),
        aggregation_key: "rel".into(),
        tags: pairs(&[("blue", "true"), ("service", "shop")]),
    };
    assert_eq!(read_event(line, &ListenerLabels::default()), Ok(expected));
}

#[test]
fn a_bare_event_is_of_now_and_for_information() {
    let row = read_event("_e{1,0}:a|", &ListenerLabels::default()).unwrap();
    assert_eq!((row.at, &*row.alert_type, &*row.priority, &*row.text), (NOW, "info", "normal", ""));
    let row = read_event("_e{1,1}:a|b|t:loud|p:high", &ListenerLabels::default()).unwrap();
    assert_eq!((&*row.alert_type, &*row.priority), ("info", "normal"));
}

#[test]
fn a_listener_adds_labels_to_both_and_its_prefix_to_names() {
    let row = read_event("_e{1,1}:a|b|#env:dev,dc:", &listener()).unwrap();
    assert_eq!((&*row.title, row.tags), ("a", pairs(&[("env", "dev")])));
    let report = read_report("_sc|db.up|0|#kube.pod:x", &listener()).unwrap();
    assert_eq!(report.name, "team.db.up");
    let expected = pairs(&[("dc", "a"), ("env", "prod"), ("kube_pod", "x")]);
    assert_eq!(report.tags, expected.into_iter().collect());
}

#[test]
fn the_host_may_be_a_tag() {
    let none = ListenerLabels::default();
    assert_eq!(read_event("_e{1,1}:a|b|#host:tagged", &none).unwrap().host, "tagged");
    assert_eq!(read_event("_e{1,1}:a|b|h:field|#host:tagged", &none).unwrap().host, "field");
    let report = read_report("_sc|a|0|#host:tagged,check:x", &none).unwrap();
    assert_eq!((&*report.host, report.tags.len()), ("tagged", 0));
    assert_eq!(read_report("_sc|a|0|h:field|#host:tagged", &none).unwrap().host, "field");
}

#[test]
fn limits_on_tags_are_those_of_metrics() {
    let none = ListenerLabels::default();
    let many = |n: usize| (0..n).map(|i| format!("k{i}:v")).collect::<Vec<_>>().join(",");
    for (tags, is_taken) in [
        (many(64), true),
        (many(65), false),
        (format!("k:{}", "v".repeat(1024)), true),
        (format!("k:{}", "v".repeat(1025)), false),
        (format!("{}:v", "k".repeat(1025)), false),
    ] {
        let read = read_event(&format!("_e{{1,1}}:a|b|#{tags}"), &none);
        assert_eq!(read.err(), (!is_taken).then_some(Loss::BadTags), "{tags:.30}");
    }
}

#[test]
fn a_long_text_is_cut_at_a_character_and_counted() {
    let text = "ä".repeat(5_000);
    let line = format!("_e{{1,{}}}:a|{text}", text.len());
    let parsed = line::Event::parse(line.as_bytes()).unwrap();
    let read = event(&parsed, &ListenerLabels::default(), NOW).unwrap();
    assert_eq!(read.shortened, 1);
    assert!(read.item.text.len() <= MAX_TEXT_BYTES, "{}", read.item.text.len());
    assert!(read.item.text.ends_with("ä…"));
}

#[test]
fn control_characters_do_not_get_through() {
    let row = read_event("_e{5,4}:a\x1b\0\tb|x\0\ty", &ListenerLabels::default()).unwrap();
    assert_eq!((&*row.title, &*row.text), ("a   b", "x\ty"));
    assert_eq!(clean("a\r\nb\0\x1b[1m\tc "), "a\nb[1m\tc");
    assert_eq!(one_line(" a\nb\0"), "a b ");
}

#[test]
fn a_request_is_taken_whole_or_refused_with_the_field() {
    let whole = NewEvent {
        title: "Deployed".into(),
        tags: [("Service Name".into(), "shop".into()), ("empty".into(), String::new())].into(),
        ..NewEvent::default()
    };
    let row = new_event(whole.clone(), NOW).unwrap();
    assert_eq!((row.at, row.tags), (NOW, pairs(&[("Service_Name", "shop")])));
    let tag = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
    for (event, message) in [
        (NewEvent { title: " ".into(), ..whole.clone() }, "`title` is empty"),
        (
            NewEvent { title: "a".repeat(513), ..whole.clone() },
            "`title` has 513 bytes, at most 512",
        ),
        (NewEvent { text: "a".repeat(8_193), ..whole.clone() }, "`text` has 8193 bytes"),
        (NewEvent { tags: tag("", "a"), ..whole.clone() }, "the tag `` is empty"),
        (
            NewEvent { tags: tag("a", &"v".repeat(1_025)), ..whole.clone() },
            "the tag `a` is empty, or",
        ),
        (
            NewEvent { tags: (0..65).map(|i| (i.to_string(), "v".into())).collect(), ..whole },
            "there are 65 tags, at most 64",
        ),
    ] {
        let error = new_event(event, NOW).unwrap_err();
        assert!(error.starts_with(message), "{error}");
    }
}

proptest! {
    #[test]
    fn property_whatever_parses_is_in_bounds(
        title in ".{1,40}", text in ".{0,40}", tags in ".{0,40}", cut in 0_usize..60,
    ) {
        let line = format!("_e{{{},{}}}:{title}|{text}|#{tags}|h:{tags}", title.len(), text.len());
        if let Ok(parsed) = line::Event::parse(line.as_bytes())
            && let Ok(read) = event(&parsed, &listener(), NOW)
        {
            prop_assert!(!read.item.title.contains(char::is_control));
            prop_assert!(!read.item.text.contains('\0'));
            prop_assert!(read.item.tags.is_sorted_by(|a, b| a.0 < b.0));
            prop_assert!(read.item.tags.iter().all(|(_, value)| !value.is_empty()));
        }
        let mut cutter = Cutter::default();
        let most = cut + CUT.len();
        prop_assert!(cutter.cut(&text, most).len() <= most);
    }
}
