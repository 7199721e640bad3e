use super::*;

fn label(metric: &str) -> Wanted {
    Wanted::Label { metric: metric.to_owned() }
}

fn value(metric: &str, label: &str) -> Wanted {
    Wanted::Value { metric: metric.to_owned(), label: label.to_owned() }
}

#[test]
fn the_place_of_the_cursor_decides_what_is_wanted() {
    let cases = [
        ("start of a name", "orde", Wanted::Name, "orde"),
        ("inside of a function", "sum(rate(http_", Wanted::Name, "http_"),
        ("first label", "up{", label("up"), ""),
        ("second label", "up{job=\"a\", inst", label("up"), "inst"),
        ("value", "up{job=\"ap", value("up", "job"), "ap"),
        ("value of a regular expression", "up{job=~\"ap", value("up", "job"), "ap"),
        ("value of an inequality", "up{job!=\"", value("up", "job"), ""),
        ("no metric", "{job=\"", value("", "job"), ""),
        ("after a closed brace", "up{job=\"a\"} + do", Wanted::Name, "do"),
        ("grouping", "sum by (jo", label(""), "jo"),
        ("a function is no grouping", "sum(jo", Wanted::Name, "jo"),
        ("duration", "rate(up[5", Wanted::Nothing, "5"),
        ("number", "up > 10", Wanted::Nothing, "10"),
        ("escaped quote", "up{a=\"x\\\"y", value("up", "a"), "x\\\"y"),
        ("text beyond ASCII", "up{a=\"é\", b=\"ü", value("up", "b"), "ü"),
    ];
    for (name, before, wanted, prefix) in cases {
        let found = context(before);
        assert_eq!((found.wanted, found.prefix.as_str()), (wanted, prefix), "{name}");
        assert_eq!(found.start, before.len() - prefix.len(), "{name}");
    }
}

fn candidate(text: &str) -> Candidate {
    Candidate { text: text.to_owned(), kind: "metric", detail: String::new() }
}

#[test]
fn candidates_that_start_with_the_word_come_first() {
    let all = ["http_orders", "orders_total", "other"].map(candidate).to_vec();
    let texts: Vec<String> = pick(all, "ord", 10).into_iter().map(|c| c.text).collect();
    assert_eq!(texts, ["orders_total", "http_orders"]);
}

#[test]
fn a_finished_word_offers_nothing() {
    assert!(pick(vec![candidate("up")], "up", 10).is_empty());
}

#[test]
fn functions_are_offered_with_what_they_do() {
    let found = words("histogram_q");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].detail, "percentile of a histogram");
}
