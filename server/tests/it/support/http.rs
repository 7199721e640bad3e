//! A client for the server's HTTP.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use tokio_rustls::rustls;

use super::Answer;

/// A client of one server, perhaps with a token.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client,
    base: String,
    token: Option<String>,
}

impl Http {
    pub(crate) fn new(base: &str) -> Self {
        // The client takes whatever cryptography there is; the second to say so is too late.
        drop(rustls::crypto::ring::default_provider().install_default());
        let builder = Client::builder().no_proxy().timeout(Duration::from_mins(1));
        Self { client: builder.build().unwrap(), base: base.to_owned(), token: None }
    }

    /// The same client as somebody else.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        send(self.request(Method::POST, path)).await
    }

    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = serde_urlencoded::to_string(form).unwrap();
        let request = self.request(Method::POST, path);
        send(request.header("content-type", "application/x-www-form-urlencoded").body(body)).await
    }
}

/// Sends a request and reads the whole answer.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    Answer::read(request.send().await.unwrap()).await
}
