//! What a person does in a browser, and what they see. Whatever is expected is waited for.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    chromium::{Chromium, Theme},
    support::{Folder, Server, eventually},
};

/// The Enter key, as the protocol writes it.
pub(crate) const ENTER: &str = "\u{e007}";
/// Control and A, then Control is released.
const SELECT_ALL: &str = "\u{e009}a\u{e000}";

pub(crate) const NAME: &str = "ada";
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A screen, and a phone.
pub(crate) const WIDE: u32 = 1440;
pub(crate) const NARROW: u32 = 390;

/// Counts the pixels of each chart that are more colorful than grid and labels, which are gray.
/// On a copy: reading from a chart's own canvas makes the browser complain.
const INK: &str = r"
    return [...document.querySelectorAll(arguments[0])].map(chart => {
        const canvas = chart.querySelector('canvas');
        if (!canvas?.width || !canvas.height) return 0;
        const copy = new OffscreenCanvas(canvas.width, canvas.height);
        const context = copy.getContext('2d', { willReadFrequently: true });
        context.drawImage(canvas, 0, 0);
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
        let ink = 0;
        for (let i = 0; i < data.length; i += 4) {
            const [red, green, blue, alpha] = data.slice(i, i + 4);
            const color = Math.max(red, green, blue) - Math.min(red, green, blue);
            if (alpha > 200 && color > 29) ink += 1;
        }
        return ink;
    });";

/// A browser that looks at one server. It ends with the value.
#[derive(Debug)]
pub(crate) struct Browser {
    chromium: Chromium,
    base: String,
}

impl Browser {
    /// Nobody is signed in.
    pub(crate) async fn open(server: &Server) -> Self {
        let page = server.stranger().get("/").await;
        assert!(
            page.status == 200,
            "this server has no web UI: run `cargo xtask web` and start the tests again"
        );
        let chromium = Chromium::start().await.unwrap();
        let browser = Self { chromium, base: server.http.base().to_owned() };
        browser.resize(WIDE).await;
        browser.prefer(Theme::Dark).await;
        browser
    }

    /// An admin is signed in.
    pub(crate) async fn open_as_admin(folder: &Folder, server: &Server) -> Self {
        let browser = Self::open(server).await;
        browser.sign_in(folder).await;
        browser
    }

    /// Makes an admin and signs in without the form.
    pub(crate) async fn sign_in(&self, folder: &Folder) {
        let add = ["user", "add", NAME, "--role", "admin", "--config", "bellwether.toml"];
        folder.run_with_input(&add, &format!("{PASSWORD}\n")).await;
        self.chromium.sign_in(&self.base, NAME, PASSWORD).await.unwrap();
    }

    pub(crate) async fn resize(&self, width: u32) {
        self.chromium.resize(width, 900, 1.0).await.unwrap();
    }

    pub(crate) async fn prefer(&self, theme: Theme) {
        self.chromium.prefer(theme).await.unwrap();
    }

    /// Loads a page anew.
    pub(crate) async fn go(&self, path: &str) {
        let url = if path.starts_with("http") { path } else { &format!("{}{path}", self.base) };
        self.chromium.session.go(url).await.unwrap();
    }

    pub(crate) async fn reload(&self) {
        let url: String = self.run("return location.href", &[]).await;
        self.go(&url).await;
    }

    /// The path and the query of the page's address.
    pub(crate) async fn path(&self) -> String {
        self.run("return location.pathname + location.search", &[]).await
    }

    pub(crate) async fn expect_path(&self, path: &str) {
        eventually(path, async || match self.path().await {
            present if present == path => Ok(()),
            other => Err(format!("the browser is at {other}")),
        })
        .await;
    }

    /// The value of a script; `arguments` are the given ones.
    pub(crate) async fn run<T: DeserializeOwned>(&self, script: &str, args: &[Value]) -> T {
        self.chromium.session.run(script, args).await.unwrap()
    }

    /// What a script hands to the last of its `arguments`, a function.
    pub(crate) async fn run_async<T: DeserializeOwned>(&self, script: &str, args: &[Value]) -> T {
        self.chromium.session.run_async(script, args).await.unwrap()
    }

    /// Marks the document, so that a later load of another one is noticed.
    pub(crate) async fn remember_document(&self) {
        self.run::<Value>("window.rememberedByTest = true", &[]).await;
    }

    /// Everything since [`Browser::remember_document`] happened in the same document.
    pub(crate) async fn assert_same_document(&self) {
        let is_same: bool = self.run("return window.rememberedByTest === true", &[]).await;
        assert!(is_same, "the page was loaded again");
    }

    /// The texts of all elements, as a reader sees them.
    pub(crate) async fn texts(&self, css: &str) -> Vec<String> {
        let script = "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText)";
        self.run(script, &[json!(css)]).await
    }

    /// Waits until the first element has exactly this text.
    pub(crate) async fn expect_text(&self, css: &str, text: &str) {
        self.expect(css, &format!("is {text:?}"), |present| present == text).await;
    }

    /// Waits until the first element's text contains this one.
    pub(crate) async fn expect_words(&self, css: &str, words: &str) {
        self.expect(css, &format!("contains {words:?}"), |present| present.contains(words)).await;
    }

    /// Waits until there is such an element.
    pub(crate) async fn expect_shown(&self, css: &str) {
        self.expect(css, "is there", |_| true).await;
    }

    async fn expect(&self, css: &str, what: &str, is_it: impl Fn(&str) -> bool) {
        eventually(&format!("{css} {what}"), async || {
            let texts = self.texts(css).await;
            match texts.first() {
                Some(text) if is_it(text) => Ok(()),
                Some(text) => Err(format!("it is {text:?}")),
                None => Err(format!("it is not there: {:?}", self.texts("body").await)),
            }
        })
        .await;
    }

    /// Waits until there is no such element.
    pub(crate) async fn expect_gone(&self, css: &str) {
        eventually(&format!("{css} goes away"), async || {
            let texts = self.texts(css).await;
            if texts.is_empty() { Ok(()) } else { Err(format!("{texts:?}")) }
        })
        .await;
    }

    /// Waits until at least `count` charts below `css` have lines.
    pub(crate) async fn expect_ink(&self, css: &str, count: usize) {
        let charts = format!("{css} [data-testid=chart]");
        eventually(&format!("{count} charts with lines in {css}"), async || {
            let ink: Vec<u32> = self.run(INK, &[json!(charts)]).await;
            let drawn = ink.iter().filter(|pixels| **pixels > 20).count();
            if drawn >= count { Ok(()) } else { Err(format!("pixels by chart: {ink:?}")) }
        })
        .await;
    }

    /// Clicks the first element once it can be clicked.
    pub(crate) async fn click(&self, css: &str) {
        // Repeated: a live page may replace an element between finding and using it.
        eventually(css, async || {
            self.chromium.session.click(css).await.map_err(|error| error.to_string())
        })
        .await;
    }

    /// Replaces what is in a field; with [`ENTER`] at the end the form is sent.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        self.expect_shown(css).await;
        self.chromium.session.type_into(css, &format!("{SELECT_ALL}{text}")).await.unwrap();
    }

    /// Warnings, errors and violations of the content security policy since the last call.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        self.chromium.session.console().await.unwrap()
    }
}
