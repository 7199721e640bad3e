//! Requests to the server: typed, and aborted when nobody waits any more.

use gloo_net::http::{Request, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use web_sys::{AbortController, AbortSignal};

use crate::json::{self, Unreadable};

/// Why a request brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The HTTP status; 0 when there was no answer.
    pub(crate) status: u16,
    /// The server's word for it, such as `wrong_password`.
    pub(crate) code: String,
    /// A sentence for the reader.
    pub(crate) message: String,
}

impl Failure {
    fn without_answer() -> Self {
        Self {
            status: 0,
            code: "no_answer".to_owned(),
            message: "The server did not answer. Is it running, and is the network up?".to_owned(),
        }
    }

    pub(crate) fn unreadable(error: Unreadable) -> Self {
        Self {
            status: 200,
            code: "unreadable".to_owned(),
            message: format!(
                "The answer cannot be read: {error}. Reload the page to get the server's version of it."
            ),
        }
    }

    /// Whether the request itself was wrong, so that sending it again is of no use.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self.status, 400 | 404 | 422)
    }

    /// Whether the session is over.
    pub(crate) fn is_signed_out(&self) -> bool {
        self.status == 401
    }
}

/// Aborts its request when it goes out of scope.
#[derive(Debug)]
pub(crate) struct Abort(Option<AbortController>);

impl Abort {
    pub(crate) fn new() -> Self {
        Self(AbortController::new().ok())
    }

    pub(crate) fn signal(&self) -> Option<AbortSignal> {
        self.0.as_ref().map(AbortController::signal)
    }
}

impl Drop for Abort {
    fn drop(&mut self) {
        if let Some(controller) = &self.0 {
            controller.abort();
        }
    }
}

/// Asks for a JSON document.
pub(crate) async fn get<T: DeserializeOwned>(
    path: &str,
    abort: Option<&AbortSignal>,
) -> Result<T, Failure> {
    let value = tree(path, abort).await?;
    json::read(value).map_err(Failure::unreadable)
}

/// Asks for a JSON document of any shape.
pub(crate) async fn tree(path: &str, abort: Option<&AbortSignal>) -> Result<Value, Failure> {
    let response = Request::get(path)
        .abort_signal(abort)
        .send()
        .await
        .map_err(|_| Failure::without_answer())?;
    let text = checked(response).await?.text().await.map_err(|_| Failure::without_answer())?;
    json::parse(&text).map_err(Failure::unreadable)
}

/// Sends a JSON document; the answer's body does not matter.
pub(crate) async fn post<B: Serialize>(path: &str, body: &B) -> Result<(), Failure> {
    let request = Request::post(path).json(body).map_err(|_| Failure::without_answer())?;
    let response = request.send().await.map_err(|_| Failure::without_answer())?;
    checked(response).await.map(drop)
}

/// Deletes what the path names.
pub(crate) async fn delete(path: &str) -> Result<(), Failure> {
    let request: RequestBuilder = Request::delete(path);
    let response = request.send().await.map_err(|_| Failure::without_answer())?;
    checked(response).await.map(drop)
}

async fn checked(response: Response) -> Result<Response, Failure> {
    if response.ok() {
        return Ok(response);
    }
    let text = response.text().await.unwrap_or_default();
    Err(refusal(response.status(), &json::parse(&text).unwrap_or_default()))
}

/// What an answer that is no success says, in our own API's words or in Prometheus's.
fn refusal(status: u16, body: &Value) -> Failure {
    let said = |names: [&str; 2]| names.into_iter().find_map(|name| body.get(name)?.as_str());
    match said(["message", "error"]) {
        Some(message) if !message.is_empty() => Failure {
            status,
            code: said(["code", "errorType"]).unwrap_or_default().to_owned(),
            message: message.to_owned(),
        },
        _ => Failure {
            status,
            code: "unexpected".to_owned(),
            message: format!("The server answered with status {status}."),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_both_apis_are_read() {
        let read = |body: &str| {
            let failure = refusal(422, &json::parse(body).unwrap_or_default());
            (failure.code, failure.message)
        };
        let said = |code: &str, message: &str| (code.to_owned(), message.to_owned());
        assert_eq!(read(r#"{"code":"too_long","message":"m"}"#), said("too_long", "m"));
        assert_eq!(
            read(r#"{"status":"error","errorType":"bad_data","error":"e"}"#),
            said("bad_data", "e")
        );
        let unexpected = said("unexpected", "The server answered with status 422.");
        assert_eq!(read("{}"), unexpected);
        assert_eq!(read("<html>"), unexpected);
    }
}
