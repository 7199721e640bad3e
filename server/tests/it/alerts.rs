//! The main job: a service sends, a threshold is crossed, a person gets a mail and a webhook.

use serde_json::{Value, json};

use crate::support::{Folder, Server, eventually, mailbox::Mailbox, webhook::Webhook};

const RULES: &str = r#"
groups:
  - name: shop
    rules:
      - alert: OrdersFailing
        expr: queue_depth > 100
        for: 2s
        labels: { severity: page, owner: payments }
        annotations:
          summary: "{{ $labels.service }} has {{ $value }} orders waiting"
          description: "{{ $value | humanize }} orders wait in {{ $labels.service }} (threshold 100)."
          impact: "Customers wait for their confirmation."
          runbook_url: runbooks/OrdersFailing
"#;

const RUNBOOK: &str = "# OrdersFailing\n\n## Meaning\n\nOrders come faster than they are `paid`.\n\n\
    ## Impact\n\nSlow.\n\n## Diagnosis\n\nLook at the queue.\n\n## Mitigation\n\nStart more workers.\n";

fn write_files(folder: &Folder, mailbox: &Mailbox, hook: &Webhook) {
    folder.write("rules/shop.yml", RULES);
    folder.write("runbooks/OrdersFailing.md", RUNBOOK);
    let alerting = format!(
        r"
global:
  smtp_smarthost: 127.0.0.1:{port}
  smtp_from: Bellwether <bellwether@shop.test>
  smtp_auth_username: bellwether
  smtp_auth_password: the secret
route:
  receiver: team
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
receivers:
  - name: team
    email_configs:
      - to: ann@shop.test
        tls_config: {{ ca_file: ca.pem }}
    webhook_configs:
      - url: {url}
",
        port = mailbox.port,
        url = hook.url
    );
    folder.write("alerting.yml", &alerting);
}

#[tokio::test]
async fn a_threshold_that_is_crossed_is_told_by_mail_and_webhook_until_it_is_over() {
    let folder = Folder::new();
    let mailbox = Mailbox::start(&folder).await;
    let hook = Webhook::start(200).await;
    write_files(&folder, &mailbox, &hook);
    let server = Server::start(&folder).await;

    server.send("queue.depth:20|g|#service:checkout");
    server.flushed().await;
    server.send("queue.depth:250|g|#service:checkout");
    let firing = hook.expect("firing").await;
    let mail = mailbox.expect("[FIRING]").await;
    check_webhook(&server, &firing.body, "firing");
    let base = server.http.base().to_owned();
    check_mail(&base, &mail);

    server.send("queue.depth:3|g|#service:checkout");
    let resolved = hook.expect("resolved").await;
    let over = mailbox.expect("[RESOLVED]").await;
    check_webhook(&server, &resolved.body, "resolved");
    assert_eq!(resolved.body["alerts"][0]["fingerprint"], firing.body["alerts"][0]["fingerprint"]);
    assert_ne!(resolved.key(), firing.key(), "each notification has an id of its own");
    assert_eq!(firing.key(), firing.body["notification_id"].as_str().unwrap());
    let subject = over["headers"]["Subject"].as_str().unwrap();
    assert!(subject.starts_with("[RESOLVED] OrdersFailing: checkout (after "), "{subject}");
    assert_ne!(over["headers"]["Message-ID"], mail["headers"]["Message-ID"]);
    assert_eq!(over["headers"]["References"], mail["headers"]["References"], "one thread");

    check_page(&server).await;
    assert_eq!((hook.hooks().len(), mailbox.count()), (2, 2), "nobody is told anything twice");
}

#[track_caller]
fn check_webhook(server: &Server, body: &Value, status: &str) {
    assert_eq!(body["version"], "4", "{body}");
    assert_eq!(body["status"], status);
    assert_eq!(body["receiver"], "team");
    assert_eq!(body["groupLabels"], json!({ "alertname": "OrdersFailing" }));
    assert_eq!(body["commonLabels"]["severity"], "page");
    assert_eq!(body["externalURL"], server.http.base());
    assert_eq!(body["truncatedAlerts"], 0);
    assert!(body["groupKey"].as_str().unwrap().contains("OrdersFailing"), "{body}");
    let alert = &body["alerts"][0];
    assert_eq!(alert["status"], status);
    assert_eq!(
        alert["labels"],
        json!({ "alertname": "OrdersFailing", "service": "checkout", "severity": "page", "owner": "payments" })
    );
    assert_eq!(alert["annotations"]["summary"], "checkout has 250 orders waiting");
    let runbook = format!("{}/runbooks/OrdersFailing", server.http.base());
    assert_eq!(alert["annotations"]["runbook_url"], runbook);
    let fingerprint = alert["fingerprint"].as_str().unwrap();
    assert!(fingerprint.len() == 16 && fingerprint.bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(alert["endsAt"] == "0001-01-01T00:00:00Z", status == "firing", "{alert}");
    assert!(alert["startsAt"].as_str().unwrap().ends_with('Z'), "{alert}");
    let generator = alert["generatorURL"].as_str().unwrap();
    assert!(generator.contains("/explore?q=queue_depth"), "{generator}");
}

fn check_mail(base: &str, mail: &Value) {
    assert_eq!(mail["from"], "bellwether@shop.test");
    assert_eq!(mail["to"], json!(["ann@shop.test"]));
    assert_eq!(mail["is_encrypted"], true);
    let headers = &mail["headers"];
    assert_eq!(headers["Subject"], "[FIRING] OrdersFailing: checkout (250 > 100)");
    assert_eq!(headers["From"], "Bellwether <bellwether@shop.test>");
    assert_eq!(headers["Auto-Submitted"], "auto-generated");
    let id = headers["Message-ID"].as_str().unwrap();
    assert!(id.starts_with('<') && id.ends_with("@shop.test>"), "{id}");

    let body = &mail["body"];
    assert_eq!(body["type"], "multipart/related");
    let [texts, picture] = body["parts"].as_array().unwrap().as_slice() else { panic!("{body}") };
    assert_eq!(texts["type"], "multipart/alternative");
    let [plain, html] = texts["parts"].as_array().unwrap().as_slice() else { panic!("{texts}") };
    assert_eq!((&plain["type"], &html["type"]), (&json!("text/plain"), &json!("text/html")));
    let (plain, html) = (plain["text"].as_str().unwrap(), html["text"].as_str().unwrap());
    for text in [plain, html] {
        assert!(text.contains("checkout has 250 orders waiting"), "{text}");
        assert!(text.contains("Customers wait for their confirmation."), "{text}");
        assert!(text.contains(&format!("{base}/runbooks/OrdersFailing")), "{text}");
        assert!(text.contains(&format!("{base}/alerts/")), "{text}");
        assert!(text.contains("Orders come faster than they are"), "the runbook's start: {text}");
    }

    assert_eq!(
        (&picture["type"], &picture["disposition"]),
        (&json!("image/png"), &json!("inline"))
    );
    let content_id = picture["id"].as_str().unwrap().trim_matches(['<', '>']);
    assert!(html.contains(&format!("cid:{content_id}")), "{html}");
    let png = picture["hex"].as_str().unwrap();
    assert!(png.starts_with("89504e470d0a1a0a"), "the signature of PNG");
    assert!(png.ends_with("49454e44ae426082"), "the end of PNG");
    let bytes = png.len() / 2;
    assert!((1_000..=25_000).contains(&bytes), "the picture has {bytes} bytes");
}

/// The alert's page shows its history and who was told.
async fn check_page(server: &Server) {
    let detail = eventually("the alert is over and everybody was told", async || {
        let list = server.http.get("/api/app/alerts").await.ok();
        let id = list["alerts"][0]["id"].as_str().unwrap().to_owned();
        let detail = server.http.get(&format!("/api/app/alerts/{id}")).await.ok();
        let notifications = detail["notifications"].as_array().unwrap();
        let sent = notifications.iter().filter(|n| n["state"] == "sent").count();
        if sent == 4 { Ok(detail) } else { Err(detail.to_string()) }
    })
    .await;
    let states: Vec<_> =
        detail["transitions"].as_array().unwrap().iter().map(|t| (&t["to"], &t["value"])).collect();
    assert_eq!(
        states,
        [
            (&json!("pending"), &json!(250.0)),
            (&json!("firing"), &json!(250.0)),
            (&json!("resolved"), &json!(250.0)),
        ],
        "{detail}"
    );
    let mut told: Vec<String> = detail["notifications"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| format!("{} {} {} {}", n["receiver"], n["kind"], n["status"], n["attempts"]))
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            r#""team" "email" "firing" 1"#,
            r#""team" "email" "resolved" 1"#,
            r#""team" "webhook" "firing" 1"#,
            r#""team" "webhook" "resolved" 1"#,
        ],
        "{detail}"
    );
    assert_eq!(detail["expr"], "queue_depth > 100");
    assert_eq!(detail["hold"], "2s");
    assert_eq!(detail["summary"]["threshold"], 100.0);
    assert_eq!(detail["panel"]["queries"][0]["expr"], "queue_depth");
    assert_eq!(detail["runbook"]["row"]["name"], "OrdersFailing", "{detail}");
    assert_eq!(server.http.get("/api/app/alerts/no-such-alert").await.status, 404);
}
