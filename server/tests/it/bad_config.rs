//! Mistakes in files and settings: every one is named with its place and the remedy, before anything
//! starts, and a reload that fails changes nothing.

use std::{
    net::{TcpListener, UdpSocket},
    process::Output,
    time::Duration,
};

use insta::assert_snapshot;
use serde_json::Value;
use tokio::time::timeout;

use crate::support::{Folder, Server, eventually};

const GOOD_RULES: &str =
    "groups:\n  - name: good\n    rules:\n      - record: one\n        expr: vector(1)\n";

/// Starts a server that must not start, and returns what it says besides its log.
async fn refusal(folder: &Folder, environment: &[(&str, &str)]) -> String {
    let mut command = folder.bellwether(&["serve", "--config", "bellwether.toml"]);
    command.envs(environment.iter().copied());
    let output = timeout(Duration::from_mins(1), command.output()).await;
    let Ok(Ok(output)) = output else { panic!("it runs, or cannot be run: {output:?}") };
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    said(folder, &output)
}

fn said(folder: &Folder, output: &Output) -> String {
    let text = folder.without_path(std::str::from_utf8(&output.stderr).unwrap());
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('{')).collect();
    lines.join("\n")
}

#[tokio::test]
async fn unknown_settings_and_bad_values_are_named_with_their_places() {
    let folder = Folder::new();
    folder.write("bellwether.toml", "[statsd]\nflush_intervall = \"1s\"\n\n[htp]\nlisten = 1\n");
    let environment = [("BELLWETHER_QUERY__TIMEOUTT", "1s")];
    assert_snapshot!(refusal(&folder, &environment).await, @"
    bellwether: bellwether.toml:4:2: unknown setting `htp`; see docs/reference/config.md for all settings
    environment variable BELLWETHER_QUERY__TIMEOUTT: unknown setting `query.timeoutt`; see docs/reference/config.md for all settings
    bellwether.toml:2:1: unknown setting `statsd.flush_intervall`; see docs/reference/config.md for all settings
    ");
    folder.write(
        "bellwether.toml",
        "[http]\nlisten = \"8080\"\n\n[statsd]\nflush_interval = \"9m\"\n",
    );
    assert_snapshot!(refusal(&folder, &[]).await, @"
    bellwether: bellwether.toml:2:1: http.listen: `8080` is not an address with a port, expected 127.0.0.1:8080
    bellwether.toml:5:1: statsd.flush_interval: must be between 1s and 5m
    ");
    folder.write("bellwether.toml", "[statsd]\nflush_interval = \"soon\"\n");
    assert_snapshot!(refusal(&folder, &[]).await, @"bellwether: bellwether.toml:2:1: statsd.flush_interval: `soon` is not a duration, expected something like 30s, 5m or 1h30m");
    folder.write("bellwether.toml", "[http\n");
    assert_snapshot!(refusal(&folder, &[]).await, @"bellwether: bellwether.toml:1:6: unclosed table, expected `]`");
    std::fs::remove_file(folder.path("bellwether.toml")).unwrap();
    assert_snapshot!(refusal(&folder, &[]).await, @"bellwether: bellwether.toml: cannot read the configuration: No such file or directory (os error 2)");
}

/// One file of each kind with mistakes in it.
fn write_mistakes(folder: &Folder) {
    folder.write(
        "rules/bad.yml",
        "groups:\n  - name: a\n    rules:\n      - alert: A\n        expr: sum(rate(x[5m])\n      \
         - alert: B\n        expr: up == 0\n        foor: 5m\n",
    );
    folder.write(
        "alerting.yml",
        "route:\n  receiver: nobody\n  group_wat: 1s\nreceivers:\n  - name: team\n",
    );
    folder.write(
        "monitors/bad.yml",
        "monitors:\n  - name: a\n    kind: ping\n  - name: b\n    kind: http\n    url: ftp://x\n",
    );
}

#[tokio::test]
async fn all_mistakes_of_all_files_are_told_at_once() {
    let folder = Folder::new();
    write_mistakes(&folder);
    assert_snapshot!(refusal(&folder, &[]).await, @"
    bellwether: rules/bad.yml:5:30: bad expression, 1:16 in it: unexpected end of input, expected `,` or `)` (correct the PromQL expression)
    rules/bad.yml:8:9: unknown key `foor` in a rule (did you mean `for`?)
    alerting.yml:2:13: receiver `nobody` is not defined
    alerting.yml:3:3: unknown key `group_wat` in a route
    monitors/bad.yml:2:5: unknown kind `ping`; use http, tcp or heartbeat
    monitors/bad.yml:4:5: url: scheme `ftp` must be http or https
    ");
}

#[tokio::test]
async fn a_port_in_use_and_a_data_folder_that_cannot_be_used_are_told_with_the_remedy() {
    let folder = Folder::new();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap().to_string();
    let said = refusal(&folder, &[("BELLWETHER_HTTP__LISTEN", &address)]).await;
    assert_snapshot!(said.replace(&address, "ADDRESS"), @"bellwether: cannot serve HTTP on ADDRESS; choose another address with --http or http.listen: Address already in use (os error 98)");

    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = udp.local_addr().unwrap().to_string();
    let setting = format!("[\"{address}\"]");
    let said = refusal(&folder, &[("BELLWETHER_STATSD__UDP", &setting)]).await;
    assert_snapshot!(said.replace(&address, "ADDRESS"), @"bellwether: cannot listen for StatsD on udp://ADDRESS: Address already in use (os error 98); choose another address with --statsd, statsd.udp or statsd.listener");

    folder.write("file", "");
    let file = folder.path("file");
    let said = refusal(&folder, &[("BELLWETHER_SERVER__DATA_DIR", file.to_str().unwrap())]).await;
    assert_snapshot!(said, @"bellwether: cannot make the data folder file; choose another with --data or server.data_dir: File exists (os error 17)");
    // Not a database.
    std::fs::create_dir_all(folder.path("broken")).unwrap();
    folder.write("broken/samples.db", &"nonsense ".repeat(1_000));
    let broken = folder.path("broken");
    let said = refusal(&folder, &[("BELLWETHER_SERVER__DATA_DIR", broken.to_str().unwrap())]).await;
    assert!(said.starts_with("bellwether: broken/samples.db is not a database of Bell"), "{said}");
    assert!(said.contains("file is not a database"), "{said}");
}

#[tokio::test]
async fn everybody_may_come_in_only_on_this_machine() {
    let folder = Folder::new();
    let environment = [("BELLWETHER_AUTH__MODE", "none"), ("BELLWETHER_HTTP__LISTEN", "0.0.0.0:0")];
    assert_snapshot!(refusal(&folder, &environment).await, @r#"bellwether: environment variable BELLWETHER_AUTH__MODE: auth.mode: "none" lets everybody in and 0.0.0.0:0 is not a loopback address; use "password" or listen on 127.0.0.1"#);
}

#[tokio::test]
async fn check_lists_every_mistake_of_a_folder_and_tells_by_its_exit_code() {
    let folder = Folder::new();
    let fine = folder.run(&["check", "."]).await;
    assert_eq!(fine.status.code(), Some(0), "{fine:?}");

    write_mistakes(&folder);
    folder.write("runbooks/Bad.md", "no heading\n");
    folder.write("bellwether.toml", "[sever]\njson = true\n");
    let output = folder.run(&["check", "."]).await;
    assert_eq!(output.status.code(), Some(1));
    assert_snapshot!(said(&folder, &output), @"
    bellwether: ./alerting.yml:2:13: receiver `nobody` is not defined
    bellwether: ./alerting.yml:3:3: unknown key `group_wat` in a route
    bellwether: ./bellwether.toml:1:2: unknown setting `sever`; see docs/reference/config.md for all settings
    bellwether: ./monitors/bad.yml:2:5: unknown kind `ping`; use http, tcp or heartbeat
    bellwether: ./monitors/bad.yml:4:5: url: scheme `ftp` must be http or https
    bellwether: ./rules/bad.yml:5:30: bad expression, 1:16 in it: unexpected end of input, expected `,` or `)` (correct the PromQL expression)
    bellwether: ./rules/bad.yml:8:9: unknown key `foor` in a rule (did you mean `for`?)
    ");
    assert_snapshot!(String::from_utf8(output.stdout).unwrap(), @"5 files checked, 7 errors, 0 warnings");

    let missing = folder.run(&["check", "nowhere"]).await;
    assert_eq!(missing.status.code(), Some(2));
    assert_snapshot!(said(&folder, &missing), @"bellwether: nowhere: there is no such file or folder");
    assert_eq!(folder.run(&["check"]).await.status.code(), Some(2));
}

/// The names of all rules.
async fn rules(server: &Server) -> Vec<Value> {
    let groups = server.http.get("/api/v1/rules").await.ok()["data"]["groups"].take();
    let rules = groups.as_array().unwrap().iter().flat_map(|g| g["rules"].as_array().unwrap());
    rules.map(|rule| rule["name"].clone()).collect()
}

async fn problems(server: &Server) -> String {
    let status = server.http.get("/api/app/status").await.ok();
    let problems = status["problems"].as_array().unwrap().iter().map(|p| p.as_str().unwrap());
    problems.filter(|p| p.contains("reload")).collect()
}

#[tokio::test]
async fn a_reload_with_mistakes_keeps_the_old_files_and_names_every_one() {
    let folder = Folder::new();
    folder.write("rules/good.yml", GOOD_RULES);
    let server = Server::start(&folder).await;
    assert_eq!(rules(&server).await, ["one"]);

    write_mistakes(&folder);
    folder.write("rules/good.yml", &GOOD_RULES.replace("one", "two"));
    let answer = server.http.post("/-/reload").await;
    assert_eq!((answer.status, &answer.json()["code"]), (400, &"bad_configuration".into()));
    let message = folder.without_path(answer.json()["message"].as_str().unwrap());
    assert_snapshot!(message, @"
    rules/bad.yml:5:30: bad expression, 1:16 in it: unexpected end of input, expected `,` or `)` (correct the PromQL expression)
    rules/bad.yml:8:9: unknown key `foor` in a rule (did you mean `for`?)
    alerting.yml:2:13: receiver `nobody` is not defined
    alerting.yml:3:3: unknown key `group_wat` in a route
    monitors/bad.yml:2:5: unknown kind `ping`; use http, tcp or heartbeat
    monitors/bad.yml:4:5: url: scheme `ftp` must be http or https
    ");
    assert_eq!(rules(&server).await, ["one"]);
    assert!(problems(&server).await.starts_with("The last reload failed"), "{message}");

    // The same by a signal; the rules go on meanwhile.
    server.signal("HUP").await;
    eventually("the log names the mistakes again", async || {
        let times = server.log().matches("unknown kind `ping`").count();
        if times == 2 { Ok(()) } else { Err(format!("{times} times")) }
    })
    .await;
    server.expect_value("one", 1.0).await;
    assert_eq!(rules(&server).await, ["one"]);

    std::fs::remove_file(folder.path("rules/bad.yml")).unwrap();
    std::fs::remove_file(folder.path("monitors/bad.yml")).unwrap();
    folder.write("alerting.yml", "route:\n  receiver: team\nreceivers:\n  - name: team\n");
    server.signal("HUP").await;
    eventually("the new rules", async || {
        let found = rules(&server).await;
        if found == ["two"] { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
    assert_eq!(problems(&server).await, "");
    server.expect_value("two", 1.0).await;
}
