//! Data folders that cannot be used: each is refused with what is wrong and what to do.

use std::{os::unix::fs::PermissionsExt as _, path::Path, process::Output, time::Duration};

use tokio::time::timeout;

use crate::support::{Folder, Server, unprivileged};

async fn refusal(folder: &Folder, data: &Path) -> String {
    let mut command = folder.bellwether(&["serve", "--config", "bellwether.toml", "--data"]);
    command.arg(data);
    told(timeout(Duration::from_mins(1), command.output()).await.unwrap().unwrap())
}

fn told(output: Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn a_second_server_on_a_folder_is_told_who_has_it() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let said = refusal(&folder, &folder.path("data")).await;
    let expected = format!(
        "bellwether: the data folder {}/data is in use by process {}; stop it first, or choose another \
         folder with --data or server.data_dir",
        folder.path("").display().to_string().trim_end_matches('/'),
        server.id()
    );
    assert!(said.contains(&expected), "{said}");
    assert!(server.value("vector(1)").await.is_some(), "the first one goes on");
    // The claim ends with the process, however it ends.
    server.kill_9().await;
    drop(Server::start(&folder).await);
}

#[tokio::test]
async fn a_folder_that_does_not_exist_is_made_and_its_contents_are_private() {
    let folder = Folder::new();
    let token = folder.token("tests", "admin").await;
    let data = folder.path("a/b/data");
    let environment = [("BELLWETHER_SERVER__DATA_DIR", data.to_str().unwrap())];
    drop(Server::start_with(&folder, &environment, &token).await);
    assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);

    let said = refusal(&folder, Path::new("/proc/none/data")).await;
    assert!(said.contains("cannot make the data folder /proc/none/data; choose another"), "{said}");
}

#[tokio::test]
async fn a_folder_of_somebody_else_is_told_with_its_owner() {
    let folder = Folder::new();
    let data = folder.path("theirs");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o555)).unwrap();
    // Somebody who is not root and, where the tests run as root, does not own the folder either.
    for path in [folder.path(""), folder.path("rules")] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = unprivileged::command(Path::new(env!("CARGO_BIN_EXE_bellwether")));
    command
        .args(["serve", "--http", "127.0.0.1:0", "--statsd", "127.0.0.1:0", "--data"])
        .arg(&data);
    let said = told(timeout(Duration::from_mins(1), command.output()).await.unwrap().unwrap());
    let place = data.display();
    assert!(said.contains(&format!("the data folder {place} belongs to user ")), "{said}");
    assert!(said.contains("run `chown -R "), "{said}");
}

#[tokio::test]
async fn files_that_are_no_databases_are_told_apart_from_folders_that_cannot_be_written() {
    for name in ["samples.db", "bellwether.db", "outgoing.db"] {
        let problem =
            format!("{name} is not a database of Bellwether, or its beginning is damaged");
        let folder = Folder::new();
        std::fs::create_dir(folder.path("other")).unwrap();
        folder.write(&format!("other/{name}"), &"nonsense ".repeat(1_000));
        let said = refusal(&folder, &folder.path("other")).await;
        assert!(said.contains(&problem), "{said}");
        for remedy in ["bellwether restore", "bellwether check --data", ".recover", "move it away"]
        {
            assert!(said.contains(remedy), "{said}");
        }
        let kept = std::fs::read_to_string(folder.path(&format!("other/{name}"))).unwrap();
        assert!(kept.starts_with("nonsense"), "nothing is overwritten");

        let checked = folder.run(&["check", "--data", "other"]).await;
        let said = told(checked);
        assert!(said.contains(&problem), "{said}");
    }
}
