//! The one error of our own API: a status, a stable word and a sentence.

use api_types::ApiError;
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use db::DbError;

use crate::auth::AuthError;

/// What a handler answers when it cannot do what was asked. Inner causes are logged, not sent.
#[derive(Debug)]
pub(crate) struct HttpError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl HttpError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// There is nothing with this name.
    pub(crate) fn not_found(what: &str, name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {what} `{name}`"))
    }

    /// Nobody is signed in.
    pub(crate) fn unauthorized() -> Self {
        let message = "sign in first, or send `Authorization: Bearer <token>`";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// Something of ours failed; the cause goes to the log.
    pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %model::text::causes(error), "a request failed");
        let message = "the server could not do this; its log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let body = ApiError { code: self.code.to_owned(), message: self.message };
        (self.status, Json(body)).into_response()
    }
}

impl From<DbError> for HttpError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Conflict { .. } => {
                Self::new(StatusCode::CONFLICT, "conflict", error.to_string())
            }
            DbError::NotFound { .. } => {
                Self::new(StatusCode::NOT_FOUND, "not_found", error.to_string())
            }
            error => Self::internal(&error),
        }
    }
}

impl From<AuthError> for HttpError {
    fn from(error: AuthError) -> Self {
        let (status, code) = match error {
            AuthError::WrongPassword => (StatusCode::UNAUTHORIZED, "wrong_password"),
            AuthError::WrongSetupLink => (StatusCode::FORBIDDEN, "wrong_setup_link"),
            AuthError::ShortPassword => (StatusCode::BAD_REQUEST, "short_password"),
            AuthError::BadName => (StatusCode::BAD_REQUEST, "bad_name"),
            AuthError::Hash(_) => return Self::internal(&error),
            AuthError::Db(error) => return error.into(),
        };
        Self::new(status, code, error.to_string())
    }
}
