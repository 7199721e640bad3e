use db::meta::events::{EventRow, EventSearch};

use crate::Stores;

fn event(at: i64, title: &str) -> EventRow {
    EventRow {
        at,
        title: title.into(),
        alert_type: "info".into(),
        priority: "normal".into(),
        ..EventRow::default()
    }
}

fn tags(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn all() -> EventSearch {
    EventSearch {
        start: i64::MIN,
        end: i64::MAX,
        words: Vec::new(),
        tags: Vec::new(),
        host: None,
        source: None,
        alert_types: Vec::new(),
        before: None,
        limit: 100,
    }
}

async fn titles(stores: &Stores, search: &EventSearch) -> Vec<String> {
    stores
        .meta
        .events(search)
        .await
        .expect("a search")
        .into_iter()
        .map(|event| event.title)
        .collect()
}

on_both_engines!(
    an_event_comes_back_as_it_was_after_a_restart,
    pages_are_stable_where_many_events_share_a_moment,
    a_search_finds_events_for_which_everything_holds,
    events_are_added_all_or_none,
    old_events_are_forgotten_with_their_tags,
    whatever_somebody_sends_can_be_stored,
);

async fn an_event_comes_back_as_it_was_after_a_restart(stores: Stores) {
    let whole = EventRow {
        text: "Version 2\nby Ann".into(),
        host: "web-1".into(),
        source: "ci".into(),
        alert_type: "success".into(),
        priority: "low".into(),
        aggregation_key: "release".into(),
        tags: tags(&[("env", "prod"), ("service", "shop")]),
        ..event(5, "Deployed")
    };
    let ids = stores.meta.add_events(&[whole.clone(), event(6, "bare")]).await.unwrap();
    let stores = stores.reopen().await;
    let found = stores.meta.events(&all()).await.unwrap();
    let expected = [EventRow { id: ids[1], ..event(6, "bare") }, EventRow { id: ids[0], ..whole }];
    assert_eq!(found, expected);
}

async fn pages_are_stable_where_many_events_share_a_moment(stores: Stores) {
    let events: Vec<EventRow> = (0..7).map(|i| event(i / 3, &i.to_string())).collect();
    stores.meta.add_events(&events).await.unwrap();
    let mut search = EventSearch { limit: 2, ..all() };
    let mut seen = Vec::new();
    loop {
        let page = stores.meta.events(&search).await.unwrap();
        let Some(last) = page.last() else { break };
        search.before = Some((last.at, last.id));
        seen.extend(page.into_iter().map(|event| event.title));
        // What comes in meanwhile is newer and moves nothing.
        stores.meta.add_events(&[event(100, "new")]).await.unwrap();
    }
    assert_eq!(seen, ["6", "5", "4", "3", "2", "1", "0"]);
}

async fn a_search_finds_events_for_which_everything_holds(stores: Stores) {
    let events = [
        EventRow {
            text: "All OF it is 100% done".into(),
            host: "web-1".into(),
            source: "ci".into(),
            tags: tags(&[("env", "prod"), ("service", "shop")]),
            ..event(1, "Deployed shop")
        },
        EventRow {
            text: "C:\\temp is full".into(),
            host: "web-2".into(),
            alert_type: "error".into(),
            tags: tags(&[("env", "dev")]),
            ..event(2, "Disk under_score")
        },
        EventRow { alert_type: "warning".into(), ..event(3, "ÄRGER im Netz") },
    ];
    stores.meta.add_events(&events).await.unwrap();
    let words = |texts: &[&str]| EventSearch {
        words: texts.iter().map(|text| (*text).into()).collect(),
        ..all()
    };
    let tag = |pairs: &[(&str, Option<&str>)]| EventSearch {
        tags: pairs.iter().map(|(n, v)| ((*n).into(), v.map(Into::into))).collect(),
        ..all()
    };
    for (name, search, expected) in [
        ("a word in the title, in any case", words(&["DEPLOYED"]), vec![1]),
        ("all words, over title and text", words(&["shop", "done"]), vec![1]),
        ("not only some of the words", words(&["shop", "full"]), vec![]),
        ("letters beyond ASCII", words(&["ärger"]), vec![3]),
        ("a percent sign is itself", words(&["0%"]), vec![1]),
        ("a lone percent sign is itself", words(&["%"]), vec![1]),
        ("an underscore is itself", words(&["r_s"]), vec![2]),
        ("a backslash is itself", words(&["c:\\t"]), vec![2]),
        ("a quote does no harm", words(&["'"]), vec![]),
        ("a tag with its value", tag(&[("env", Some("prod"))]), vec![1]),
        ("a tag with any value", tag(&[("env", None)]), vec![2, 1]),
        ("all tags", tag(&[("env", Some("prod")), ("service", Some("shop"))]), vec![1]),
        ("not only some of the tags", tag(&[("env", None), ("x", None)]), vec![]),
        ("the host", EventSearch { host: Some("web-2".into()), ..all() }, vec![2]),
        ("the source", EventSearch { source: Some("ci".into()), ..all() }, vec![1]),
        (
            "one of several types",
            EventSearch { alert_types: vec!["error".into(), "warning".into()], ..all() },
            vec![3, 2],
        ),
        ("times, both ends included", EventSearch { start: 1, end: 2, ..all() }, vec![2, 1]),
    ] {
        let found: Vec<i64> =
            stores.meta.events(&search).await.unwrap().iter().map(|event| event.at).collect();
        assert_eq!(found, expected, "{name}");
    }
}

async fn events_are_added_all_or_none(stores: Stores) {
    let wrong = EventRow { alert_type: "loud".into(), ..event(2, "b") };
    assert!(stores.meta.add_events(&[event(1, "a"), wrong]).await.is_err());
    assert_eq!(titles(&stores, &all()).await, [""; 0]);
}

async fn old_events_are_forgotten_with_their_tags(stores: Stores) {
    let old = EventRow { tags: tags(&[("env", "prod")]), ..event(1, "old") };
    stores.meta.add_events(&[old, event(2, "new")]).await.unwrap();
    assert_eq!(stores.meta.forget_events(2).await.unwrap(), 1);
    assert_eq!(titles(&stores, &all()).await, ["new"]);
    // The number of a forgotten event may be used again; its tags must not come with it.
    stores.meta.forget_events(i64::MAX).await.unwrap();
    stores.meta.add_events(&[event(3, "next")]).await.unwrap();
    let search = EventSearch { tags: vec![("env".into(), None)], ..all() };
    assert_eq!(titles(&stores, &search).await, [""; 0]);
}

async fn whatever_somebody_sends_can_be_stored(stores: Stores) {
    let long: String =
        (0..20_000_u32).map(|i| char::from(b'a' + (i * i % 977 % 26) as u8)).collect();
    let odd = EventRow {
        text: "before\0after \u{1f514} \u{fffd}".into(),
        tags: tags(&[(&long, &long), ("z", "")]),
        ..event(1, "odd")
    };
    stores.meta.add_events(&[odd]).await.unwrap();
    let search = EventSearch { tags: vec![(long.clone(), Some(long.clone()))], ..all() };
    let found = stores.meta.events(&search).await.unwrap();
    assert_eq!(found[0].tags[0], (long.clone(), long));
    assert!(found[0].text.starts_with("before") && found[0].text.contains("after \u{1f514}"));
}
