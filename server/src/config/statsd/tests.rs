use super::*;

fn statsd(text: &str) -> Statsd {
    toml::from_str(text).unwrap()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let mut problems = Problems::default();
    statsd(text).validate(&mut problems);
    let found: Vec<String> =
        problems.0.iter().map(|(key, message)| format!("{key}: {message}")).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn short_lists_and_tables_are_listeners() {
    let statsd = statsd(
        r#"
        udp = ["127.0.0.1:1"]
        tcp = ["[::1]:2"]
        unix = ["/run/a.sock"]
        gauge_negative = "absolute"

        [[listener]]
        address = "unix:///run/b.sock"
        prefix = "team."
        labels = { env = "prod" }
        gauge_negative = "delta"
        container_label = true
        framing = "length"
        max_connections = 3
        idle_timeout = "5s"
        socket_mode = "0640"

        [[listener]]
        address = "udp://0.0.0.0:3"
        workers = 4
        "#,
    );
    let listeners = statsd.listeners();
    let endpoints: Vec<String> = listeners.iter().map(|l| l.endpoint.to_string()).collect();
    let expected = [
        "udp://127.0.0.1:1",
        "tcp://[::1]:2",
        "unixgram:///run/a.sock",
        "unix:///run/b.sock",
        "udp://0.0.0.0:3",
    ];
    assert_eq!(endpoints, expected);
    assert_eq!(listeners[0].gauge_negative, GaugeNegative::Absolute);
    assert_eq!(listeners[1].framing, crate::listen::Framing::Newline);
    assert_eq!(listeners[4].workers.get(), 4);
    let table = &listeners[3];
    assert_eq!((table.gauge_negative, table.prefix.as_str()), (GaugeNegative::Delta, "team."));
    assert_eq!((table.socket_mode, table.max_connections), (0o640, 3));
    assert_eq!(table.labels.get("env").map(String::as_str), Some("prod"));
    assert!(table.container_label && !table.external_label);
}

#[test]
fn paths_of_sockets_are_relative_to_the_file() {
    let mut statsd = statsd(
        "udp = []\nunix = [\"a.sock\"]\n[[listener]]\naddress = \"unix://b.sock\"\n\
         [[listener]]\naddress = \"unixgram:///c.sock\"\n",
    );
    statsd.resolve_paths(Path::new("/etc/x"));
    let found: Vec<String> = statsd.listeners().iter().map(|l| l.endpoint.to_string()).collect();
    assert_eq!(found, ["unixgram:///etc/x/a.sock", "unix:///etc/x/b.sock", "unixgram:///c.sock"]);
}

#[test]
fn settings_that_cannot_be_are_told_with_their_place() {
    let table = |settings: &str| format!("[[listener]]\naddress = \"{settings}");
    for (settings, expected) in [
        (
            "unix:///a\"\nsocket_mode = \"0888\"",
            "socket_mode: `0888` is not a file mode in octal, expected \"0660\"",
        ),
        (
            "unix:///a\"\nsocket_mode = \"+66\"",
            "socket_mode: `+66` is not a file mode in octal, expected \"0660\"",
        ),
        ("unix:///a\"\nmax_connections = 0", "max_connections: must be between 1 and 100000"),
        ("unix:///a\"\nidle_timeout = \"0s\"", "idle_timeout: must be at least 1s"),
        ("udp://[::1]:1\"\nworkers = 65", "workers: must be between 1 and 64"),
        (
            "udp://[::1]:1\"\nframing = \"length\"",
            "framing: has no effect on udp://[::1]:1; it is for tcp:// and unix://",
        ),
        (
            "udp://[::1]:1\"\nsocket_mode = \"0600\"",
            "socket_mode: has no effect on udp://[::1]:1; it is for unixgram:// and unix://",
        ),
        (
            "unixgram:///a\"\nmax_connections = 1",
            "max_connections: has no effect on unixgram:///a; it is for tcp:// and unix://",
        ),
        (
            "udp://[::1]:1\"\nlabels = { \"a-b\" = \"x\" }",
            "labels.a-b: is not a label's name; use letters, digits and `_`",
        ),
    ] {
        check(&table(settings), &[&format!("statsd.listener[0].{expected}")]);
    }
    check(
        "allow = [\"10.0.0.0/8\", \"home\"]",
        &["statsd.allow[1]: `home` is not a network, expected 10.0.0.0/8, fd00::/8 or an address"],
    );
    check("unix = [\"\"]", &["statsd.unix[0]: the path `` is empty"]);
}
