//! Requests to the server: typed, and aborted when nobody waits any more.

use gloo_net::http::{Request, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use web_sys::{AbortController, AbortSignal};

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

    /// Whether the request itself was wrong, so that sending it again is of no use.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self.status, 400 | 404 | 422)
    }

    /// Whether the session is over.
    pub(crate) fn is_signed_out(&self) -> bool {
        self.status == 401
    }
}

/// The error shapes of our own API and of Prometheus's.
#[derive(serde::Deserialize)]
struct ErrorBody {
    #[serde(default, alias = "errorType")]
    code: String,
    #[serde(default, alias = "error")]
    message: String,
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
    let response = Request::get(path)
        .abort_signal(abort)
        .send()
        .await
        .map_err(|_| Failure::without_answer())?;
    parse(checked(response).await?).await
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
    let status = response.status();
    let body = response.json::<ErrorBody>().await.ok();
    let said = body.filter(|body| !body.message.is_empty());
    Err(said.map_or_else(
        || Failure {
            status,
            code: "unexpected".to_owned(),
            message: format!("The server answered with status {status}."),
        },
        |body| Failure { status, code: body.code, message: body.message },
    ))
}

async fn parse<T: DeserializeOwned>(response: Response) -> Result<T, Failure> {
    let status = response.status();
    response.json().await.map_err(|error| Failure {
        status,
        code: "unreadable".to_owned(),
        message: format!(
            "The answer cannot be read: {error}. Reload the page to get the server's version of it."
        ),
    })
}
