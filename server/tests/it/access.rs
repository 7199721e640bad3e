//! Who may come in.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::support::{Folder, Server, http};

#[tokio::test]
async fn a_stranger_sees_only_health_and_the_sign_in() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let stranger = server.stranger();
    for path in [
        "/api/v1/query?query=1",
        "/api/app/overview",
        "/api/app/alerts",
        "/api/app/live",
        "/render/chart.png?query=1",
        "/federate?match[]=up",
        "/metrics",
        "/connections",
        "/info",
    ] {
        let answer = stranger.get(path).await;
        assert_eq!(answer.status, 401, "{path}: {}", answer.text);
        assert_eq!(answer.json()["code"], "unauthorized", "{path}");
        let liar = stranger.with_token("bw_guessed").get(path).await;
        assert_eq!(liar.status, 401, "{path} with a wrong token");
    }
    assert_eq!(stranger.post("/-/reload").await.status, 401);
    for path in ["/-/healthy", "/-/ready", "/api/app/session"] {
        assert_eq!(stranger.get(path).await.status, 200, "{path}");
    }
    assert_eq!(stranger.get("/api/app/session").await.ok()["needs_setup"], true);
}

#[tokio::test]
async fn the_link_in_the_log_makes_the_first_admin_once_who_then_signs_in_and_out() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let line = server.logged("nobody can sign in yet").await;
    let (_, secret) = line.rsplit_once("/setup?token=").unwrap();
    let http = server.stranger();
    let setup = |name: &str, token: &str, password: &str| json!({ "token": token, "name": name, "password": password });

    let guess = http.post_json("/api/app/setup", &setup("eve", "guess", "long enough")).await;
    assert_eq!((guess.status, &guess.json()["code"]), (403, &json!("wrong_setup_link")));
    let short = http.post_json("/api/app/setup", &setup("ada", secret, "short")).await;
    assert_eq!((short.status, &short.json()["code"]), (400, &json!("short_password")));
    let made = http.post_json("/api/app/setup", &setup("ada", secret, "correct horse")).await;
    assert_eq!(made.ok()["user"], json!({ "name": "ada", "role": "admin" }));
    let again = http.post_json("/api/app/setup", &setup("eve", secret, "correct horse")).await;
    assert_eq!((again.status, &again.json()["code"]), (403, &json!("wrong_setup_link")));

    let sign_in = |password| json!({ "name": "ada", "password": password });
    let wrong = http.post_json("/api/app/session", &sign_in("wrong horse")).await;
    assert_eq!((wrong.status, &wrong.json()["code"]), (401, &json!("wrong_password")));
    let signed_in = http.post_json("/api/app/session", &sign_in("correct horse")).await;
    assert_eq!(signed_in.ok()["user"]["name"], "ada");
    let cookie = signed_in.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();

    let with_cookie = |request: RequestBuilder| http::send(request.header("cookie", cookie));
    let session = http.request(Method::GET, "/api/app/session");
    assert_eq!(with_cookie(session).await.ok()["user"]["role"], "admin");
    let overview = http.request(Method::GET, "/api/app/overview");
    assert_eq!(with_cookie(overview).await.status, 200);
    let sign_out = http.request(Method::DELETE, "/api/app/session");
    assert_eq!(with_cookie(sign_out).await.status, 204);
    let overview = http.request(Method::GET, "/api/app/overview");
    assert_eq!(with_cookie(overview).await.status, 401, "the session has ended");
}

#[tokio::test]
async fn a_viewers_token_reads_and_an_admins_token_reloads() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let viewer = server.http.with_token(&folder.token("dashboard", "viewer").await);
    assert_eq!(viewer.get("/api/v1/query?query=1").await.status, 200);
    let refused = viewer.post("/-/reload").await;
    assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("forbidden")));
    let reloaded = server.http.post("/-/reload").await;
    assert_eq!((reloaded.status, reloaded.text.as_str()), (200, "Reloaded.\n"));

    let revoke = ["token", "revoke", "dashboard", "--config", "bellwether.toml"];
    assert!(folder.run(&revoke).await.status.success());
    assert_eq!(viewer.get("/api/v1/query?query=1").await.status, 401, "the token was revoked");
}

#[tokio::test]
async fn accounts_are_managed_on_the_command_line_while_the_server_runs() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let add = ["user", "add", "ben", "--role", "viewer", "--config", "bellwether.toml"];
    // Nothing comes on standard input: a password is too short.
    let refused = folder.run(&add).await;
    assert!(!refused.status.success());
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(error.contains("at least 8 characters"), "{error}");

    folder.run_with_input(&add, "battery staple\n").await;
    let list = folder.run(&["user", "list", "--config", "bellwether.toml"]).await;
    assert_eq!(String::from_utf8_lossy(&list.stdout), "ben\tviewer\n");
    let body = json!({ "name": "ben", "password": "battery staple" });
    let signed_in = server.stranger().post_json("/api/app/session", &body).await;
    assert_eq!(signed_in.ok()["user"], json!({ "name": "ben", "role": "viewer" }));
}
