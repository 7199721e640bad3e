//! Coming in and going out.

use crate::{
    browser::{Browser, NAME, PASSWORD},
    support::{Folder, Server},
};

const USERNAME: &str = "[data-testid=username]";
const PASSWORD_FIELD: &str = "[data-testid=password]";
const SUBMIT: &str = "[data-testid=sign-in]";

async fn fill_in(browser: &Browser, password: &str) {
    browser.fill(USERNAME, NAME).await;
    browser.fill(PASSWORD_FIELD, password).await;
    browser.click(SUBMIT).await;
}

#[tokio::test]
async fn the_first_admin_comes_in_by_the_link_in_the_log_and_later_by_password() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let line = server.logged("nobody can sign in yet").await;
    let link = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let browser = Browser::open(&server).await;

    browser.go("/").await;
    browser.expect_words("main", "one-time link").await;
    browser.go(link).await;
    browser.expect_text("h1", "Make the first admin").await;
    fill_in(&browser, PASSWORD).await;
    browser.expect_text("h1", "Overview").await;
    browser.expect_path("/").await;
    browser.expect_words("[data-testid=user-menu]", NAME).await;

    browser.click("[data-testid=user-menu]").await;
    browser.click(".user [data-testid=sign-out]").await;
    browser.expect_text("h1", "Sign in").await;
    browser.reload().await;
    browser.expect_text("h1", "Sign in").await;

    fill_in(&browser, "wrong horse battery").await;
    browser.expect_words("[data-testid=form-error]", "wrong name or password").await;
    fill_in(&browser, PASSWORD).await;
    browser.expect_text("h1", "Overview").await;
    browser.reload().await;
    browser.expect_text("h1", "Overview").await;

    // The link is used up: whoever finds it in the log makes no second admin.
    browser.click("[data-testid=user-menu]").await;
    browser.click(".user [data-testid=sign-out]").await;
    browser.expect_text("h1", "Sign in").await;
    browser.go(link).await;
    fill_in(&browser, PASSWORD).await;
    browser.expect_words("[data-testid=form-error]", "this setup link is not valid").await;
}
