//! Lines that StatsD servers disagree on, each with the meaning its sender had.

use ingest::{Dialect, GaugeNegative};

use crate::support::flush;

const REFUSED: &str = "refused: ";

/// What one line becomes: its samples, and why a part of it was refused.
fn meaning(dialect: Dialect, line: &str) -> String {
    let flushed = flush(dialect, line.as_bytes());
    let refused =
        flushed.tally.rejected.iter().map(|(reason, _)| format!("{REFUSED}{}", reason.as_str()));
    flushed.samples.into_iter().chain(refused).collect::<Vec<_>>().join("; ")
}

#[track_caller]
fn check(line: &str, expected: &str) {
    assert_eq!(meaning(Dialect::default(), line), expected, "{line}");
}

#[test]
fn every_line_has_the_meaning_its_sender_had() {
    let long_name = "n".repeat(3000);
    for (line, expected) in [
        // Packed values count each, whatever the type.
        ("a:1:2:3|c", "a 6"),
        ("a:1:2:3|ms", "a 3 values, sum 6"),
        ("a:1:2:3|g", "a 3"),
        ("a:4:6.5|h|@0.5", "a 4 values, sum 21"),
        ("a:21::22:|ms", "a 2 values, sum 43"),
        // Numbers keep their fraction, exponent and size.
        ("b:1.5|c", "b 1.5"),
        ("y:1e3|c", "y 1000"),
        ("big:18446744073709551615|c", "big 18446744073709552000"),
        ("e:1e16|d", "e 1 values, sum 10000000000000000"),
        ("f:0.0000001|g", "f 0.0000001"),
        // What is no number makes no series.
        ("bad:abc|c", "refused: bad_value"),
        ("bad:0x10|c", "refused: bad_value"),
        ("g:NaN|g", "refused: not_finite"),
        ("g:inf|g", "refused: not_finite"),
        ("t:|ms", "refused: missing_value"),
        ("hits", "refused: missing_value"),
        // Every type is what its letter says.
        ("h:320|h", "h 1 values, sum 320"),
        ("d:50|d", "d 1 values, sum 50"),
        ("m:7|m", "m 7"),
        ("k:7|kv", "k 7"),
        ("u:http://x:80/|s", "u 1"),
        ("q:1|q", "refused: unknown_type"),
        ("constructor:1|c", "constructor 1"),
        // The rate is a weight, never a number of copies, and nonsense is refused.
        ("z:1|c|@0", "refused: bad_rate"),
        ("t:9|ms|@1e-9", "refused: bad_rate"),
        ("x:1|c|@Infinity", "refused: bad_rate"),
        ("x:1|c|@+1", "x 1"),
        ("x:1|c|@1e-3", "x 1000"),
        ("t:10|ms|@0.3", "t 3.3333333333333335 values, sum 33.333333333333336"),
        ("g:5|g|@0.1", "g 5"),
        ("s:x|s|@0.1", "s 1"),
        // Fields may come in any order; what is not known is skipped.
        ("t:1|c|#a:b", r#"t{a="b"} 1"#),
        ("t:1|c|#a:b|@0.5", r#"t{a="b"} 2"#),
        ("t:1|c|@0.5|#a:b", r#"t{a="b"} 2"#),
        ("t:1|c|#a:b|c:abc", r#"t{a="b"} 1"#),
        ("t:1|c|#a:b|e:it|card:low", r#"t{a="b"} 1"#),
        ("t:1|c|#a:b|next:1:2", r#"t{a="b"} 1"#),
        ("t:4|c|@0.5|T1700000009|#a:b", r#"t{a="b"} 4"#),
        ("g:4|g|T1700000009", "g 4"),
        ("t:1|c|#env:prod,beta", r#"t{beta="true", env="prod"} 1"#),
        ("t:1|c|#url:http://x:80/a", r#"t{url="http://x:80/a"} 1"#),
        // etsy's several samples of one name in a line.
        ("a:1|c:2|c", "a 3"),
        ("a:1|c|@0.5:2|c", "a 4"),
        // Tags inside the name.
        ("x,env=prod:1|c", r#"x{env="prod"} 1"#),
        ("x[env=prod].y:1|c", r#"x_y{env="prod"} 1"#),
        ("x#env=prod:1|c", r#"x{env="prod"} 1"#),
        ("x;env=prod:1|c", r#"x{env="prod"} 1"#),
        ("x,env=prod:1|c|#dc:a", r#"x{dc="a", env="prod"} 1"#),
        // Signs of gauges: a change, and python's way to a negative value.
        ("g:+5|g\ng:-2|g", "g 3"),
        ("g:7|g\ng:0|g\ng:-5|g", "g -5"),
        // One bad line spoils only itself.
        ("a:1|c\nbad\nb:2|c", "a 1; b 2; refused: missing_value"),
        ("a:1:x:3|c", "a 4; refused: bad_value"),
        ("bad:na|me #x\ny:1|c|#k,1:v|2", r#"y{_1="v", k="true"} 1; refused: unknown_type"#),
        // Line ends, empty lines and nothing at all.
        ("a:1|c\r\nb:1|c\r\n", "a 1; b 1"),
        ("\n\na:1|c\n\n", "a 1"),
        ("", ""),
        // A flush that a client glued to the one before.
        ("b:2|ca:1|c", "refused: unknown_type; b 1"),
    ] {
        let expected = match expected {
            "refused: unknown_type; b 1" => "b 1; refused: unknown_type",
            expected => expected,
        };
        check(line, expected);
    }
    check(&format!("{long_name}:1|c"), "refused: name_too_long");
}

#[test]
fn every_client_is_read_as_it_means() {
    for (client, line, expected) in [
        ("cadence, count", "a:1|c", "a 1"),
        ("cadence, decr", "a:5|c\na:-1|c", "a 4"),
        ("cadence, time", "t:7|ms", "t 1 values, sum 7"),
        ("cadence, times", "t:1:2:3|ms", "t 3 values, sum 6"),
        ("cadence, no times", "t:|ms", "refused: missing_value"),
        ("cadence, gauge", "g:1000000000000000000000|g", "g 1000000000000000000000"),
        ("cadence, histogram", "h:1000000|h", "h 1 values, sum 1000000"),
        ("cadence, histograms", "h:1.5:2|h", "h 2 values, sum 3.5"),
        ("cadence, distributions", "d:1:2.5|d", "d 2 values, sum 3.5"),
        ("cadence, meter", "m:1|m", "m 1"),
        ("cadence, set", "s:-3|s", "s 1"),
        (
            "cadence, tags",
            "my.pre.a:1|c|#env:prod,beta|c:ci-abc",
            r#"my_pre_a{beta="true", env="prod"} 1"#,
        ),
        ("cadence, all fields", "n:1|c|@0.25|#k:v,x|c:zz|T1700000009", r#"n{k="v", x="true"} 1"#),
        ("metrics-exporter-dogstatsd, floats", "g:1.0|g\n", "g 1"),
        ("metrics-exporter-dogstatsd, exponent", "c:1e16|c\n", "c 10000000000000000"),
        (
            "metrics-exporter-dogstatsd, reservoir",
            "h:1:2|h|@0.5|#a:b\n",
            r#"h{a="b"} 4 values, sum 6"#,
        ),
        ("statsd (Rust)", "k:3.5|kv", "k 3.5"),
        ("statsd (Rust), pipeline", "a:1|c|@0.5\nb:2|ms", "a 2; b 1 values, sum 2"),
        ("statsd (Python), timer", "t:12.345678|ms", "t 1 values, sum 12.345678"),
        ("statsd (Python), delta", "g:+5|g", "g 5"),
        ("statsd (Python), negative gauge", "g:0|g\ng:-5|g", "g -5"),
        ("statsd (Python), set", "u:x|s", "u 1"),
        ("statsd (Python), rate on a gauge", "g:7|g|@0.1", "g 7"),
        (
            "datadog (Python), every field",
            "c:2|c|@0.5|#a:b|c:in-1|e:it-false|card:low",
            r#"c{a="b"} 4"#,
        ),
        ("datadog (Python), packed", "d:1:2:3|d|#a:b", r#"d{a="b"} 3 values, sum 6"#),
        ("hot-shots, time before tags", "g:4|g|T1700000009|#a:b", r#"g{a="b"} 4"#),
        ("hot-shots, Telegraf tags", "a,env=prod,x=1:1|c", r#"a{env="prod", x="1"} 1"#),
        ("hot-shots, not a number", "t:NaN|ms", "refused: not_finite"),
        ("node-statsd", "a:1|c|@0.1|#a,b", r#"a{a="true", b="true"} 10"#),
        ("alexcesaro, Influx", "b,t=v:1|c", r#"b{t="v"} 1"#),
        ("alexcesaro, Datadog", "b:1|c|#t:v", r#"b{t="v"} 1"#),
        ("alexcesaro, at dial", "", ""),
    ] {
        assert_eq!(meaning(Dialect::default(), line), expected, "{client}");
    }
}

#[test]
fn two_types_of_one_name_in_a_line_keep_the_first() {
    // In etsy's server the types live in worlds of their own; here a name has one kind.
    let mut shard = ingest::Shard::new(ingest::ShardOptions::default());
    shard.accept(b"a:1|c:2|c:5|ms", ingest::Arrival::default(), &mut |_| {});
    let mut registry = ingest::Registry::new(ingest::RegistryOptions::default());
    registry.merge(shard.take_window());
    assert_eq!(registry.len(), 1);
    let offenders = registry.offenders().sorted();
    assert_eq!(offenders[0].reason, ingest::Reason::TypeConflict);
}

#[test]
fn clients_that_mean_negative_gauges_are_read_so_on_their_listener() {
    for (gauge_negative, expected) in
        [(GaugeNegative::Delta, "g 3.5"), (GaugeNegative::Absolute, "g -1.5")]
    {
        let dialect = Dialect { gauge_negative, ..Dialect::default() };
        assert_eq!(meaning(dialect, "g:5|g\ng:-1.5|g"), expected, "{gauge_negative:?}");
    }
}

#[test]
fn container_ids_become_labels_only_when_wanted() {
    let line = "my.pre.a:1|c|#env:prod,beta|c:ci-abc|e:x|card:low";
    check(line, r#"my_pre_a{beta="true", env="prod"} 1"#);
    let dialect = Dialect {
        container_label: true,
        external_label: true,
        cardinality_label: true,
        ..Dialect::default()
    };
    let expected = r#"my_pre_a{beta="true", cardinality="low", container_id="ci-abc", env="prod", external_data="x"} 1"#;
    assert_eq!(meaning(dialect, line), expected);
}
