//! The JSON around every answer: `{"status":"success","data":…}` or `{"status":"error",…}`.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use promql::{ErrorKind, EvalError};
use serde::Serialize;

use crate::query::QueryError;

/// A successful answer.
#[derive(Debug, Serialize)]
pub(super) struct Success<T> {
    status: &'static str,
    data: T,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    infos: Vec<String>,
}

impl<T: Serialize> Success<T> {
    pub(super) fn new(data: T) -> Self {
        Self { status: "success", data, warnings: Vec::new(), infos: Vec::new() }
    }

    pub(super) fn with_remarks(mut self, warnings: Vec<String>, infos: Vec<String>) -> Self {
        self.warnings = warnings;
        self.infos = infos;
        self
    }
}

impl<T: Serialize> IntoResponse for Success<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// An error in Prometheus's form.
#[derive(Debug)]
pub(super) struct Failure {
    kind: ErrorKind,
    message: String,
}

impl Failure {
    /// A request that makes no sense.
    pub(super) fn bad_data(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::BadData, message: message.into() }
    }

    /// Something failed that is not the caller's fault; the reason is in the log.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Internal, message: message.into() }
    }

    /// A parameter that cannot be read.
    pub(super) fn parameter(name: &str, reason: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter {name:?}: {reason}"))
    }
}

impl From<EvalError> for Failure {
    fn from(error: EvalError) -> Self {
        if error.kind() == ErrorKind::Internal {
            tracing::error!(error = %model::text::causes(&error), "a query failed");
        }
        Self { kind: error.kind(), message: error.to_string() }
    }
}

impl From<model::StorageError> for Failure {
    fn from(error: model::StorageError) -> Self {
        EvalError::from(error).into()
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Parse(error) => Self::parameter("query", error),
            QueryError::Eval(error) => error.into(),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FailureBody<'a> {
    status: &'static str,
    error_type: &'static str,
    error: &'a str,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match self.kind {
            ErrorKind::BadData => StatusCode::BAD_REQUEST,
            ErrorKind::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::Timeout => StatusCode::SERVICE_UNAVAILABLE,
            // nginx's "client closed request", as Prometheus answers.
            ErrorKind::Canceled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let body =
            FailureBody { status: "error", error_type: self.kind.as_str(), error: &self.message };
        (status, Json(body)).into_response()
    }
}
