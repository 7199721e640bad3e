//! The part of the [protocol] of browsers under test, and of what chromedriver adds to it, that
//! driving a page takes.
//!
//! [protocol]: https://www.w3.org/TR/webdriver2/

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use reqwest::Client;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The key under which an element's id is handed out.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How long a browser may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A browser with one page. It ends with the value.
#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    /// Of chromedriver, on this machine.
    port: u16,
    id: String,
}

impl Session {
    /// Has chromedriver start a browser with these capabilities.
    ///
    /// # Errors
    /// When the browser cannot be started.
    pub(crate) async fn start(port: u16, capabilities: Value) -> Result<Self> {
        notify::net::install_crypto();
        let client = Client::builder().no_proxy().build()?;
        let mut session = Self { client, port, id: String::new() };
        let body = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let answer = session.call("session", body).await?;
        let id = answer["sessionId"].as_str().context("a session has an id")?;
        id.clone_into(&mut session.id);
        Ok(session)
    }

    async fn call(&self, path: &str, body: Value) -> Result<Value> {
        let url = format!("http://127.0.0.1:{}/{path}", self.port);
        let mut answer: Value = self.client.post(url).json(&body).send().await?.json().await?;
        let value = answer["value"].take();
        match value["error"].as_str() {
            Some(error) => bail!("{error}: {}", value["message"].as_str().unwrap_or_default()),
            None => Ok(value),
        }
    }

    async fn post(&self, what: &str, body: Value) -> Result<Value> {
        self.call(&format!("session/{}/{what}", self.id), body).await
    }

    /// Loads a page and waits until its document is there.
    pub(crate) async fn go(&self, url: &str) -> Result<()> {
        self.post("url", json!({ "url": url })).await.map(drop)
    }

    /// Runs the body of a function, whose `arguments` are the given ones; what it returns comes back.
    pub(crate) async fn run<T: DeserializeOwned>(&self, script: &str, args: &[Value]) -> Result<T> {
        let value = self.post("execute/sync", json!({ "script": script, "args": args })).await?;
        Ok(serde_json::from_value(value)?)
    }

    /// The same with one more argument at the end: a function, and what it is called with comes back.
    pub(crate) async fn run_async<T: DeserializeOwned>(
        &self,
        script: &str,
        args: &[Value],
    ) -> Result<T> {
        let value = self.post("execute/async", json!({ "script": script, "args": args })).await?;
        Ok(serde_json::from_value(value)?)
    }

    /// Clicks the first element that a selector finds.
    ///
    /// # Errors
    /// When there is none, or it is hidden or covered.
    pub(crate) async fn click(&self, css: &str) -> Result<()> {
        let id = self.find(css).await?;
        self.post(&format!("element/{id}/click"), json!({})).await.map(drop)
    }

    /// Types into the first element that a selector finds.
    ///
    /// # Errors
    /// When there is none, or it takes no keys.
    pub(crate) async fn type_into(&self, css: &str, text: &str) -> Result<()> {
        let id = self.find(css).await?;
        self.post(&format!("element/{id}/value"), json!({ "text": text })).await.map(drop)
    }

    async fn find(&self, css: &str) -> Result<String> {
        let found = self.post("element", json!({ "using": "css selector", "value": css })).await?;
        Ok(found[ELEMENT].as_str().context("an element has an id")?.to_owned())
    }

    /// What the browser's console got since the last call.
    pub(crate) async fn console(&self) -> Result<Vec<String>> {
        let entries = self.post("se/log", json!({ "type": "browser" })).await?;
        let entries = entries.as_array().context("the log is a list")?;
        let line = |entry: &Value| format!("{} {}", entry["level"], entry["message"]);
        Ok(entries.iter().map(line).collect())
    }

    /// A command of the browser's developer tools.
    pub(crate) async fn devtools(&self, command: &str, params: Value) -> Result<Value> {
        self.post("goog/cdp/execute", json!({ "cmd": command, "params": params })).await
    }
}

/// Ends the browser, which would outlive chromedriver; also after a test that has failed. Dropping
/// cannot be asynchronous, so the request is written by hand.
impl Drop for Session {
    fn drop(&mut self) {
        let end = || {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            let request = format!(
                "DELETE /session/{} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n",
                self.id, self.port
            );
            stream.write_all(request.as_bytes())?;
            // The answer begins when the browser has ended; its connection stays open.
            stream.read(&mut [0; 64])
        };
        if let Err(error) = end() {
            tracing::warn!(%error, "cannot end the browser");
        }
    }
}
