//! Templates of annotations and labels: Go's `text/template` with Prometheus's functions.
//!
//! The output is byte for byte Go's: numbers as `%v` prints them (`1e+06`), a label set as
//! `map[a:1 b:2]`, a missing label as nothing, comparisons only between values of one kind. A
//! template that fails while it is expanded becomes the text `<error expanding template: …>`, so
//! that an alert never stays away because of its description.
//!
//! Everything is bounded: the text ([`MAX_TEXT`]), loops, the depth of calls, and the number of
//! queries. What Go has and this has not: complex numbers, `call`, and methods of times other than
//! the usual ones.
//!
//! Source: the documentation of Go's `text/template` and `fmt`, and Prometheus's template
//! reference.

mod ast;
mod escape;
mod exec;
mod format;
mod function;
mod lex;
mod literal;
mod parse;
mod prometheus;
mod time;
mod value;

use std::sync::Arc;

use model::{Labels, Timestamp};

use value::{Alert, Sample, Value};

/// The most bytes a template may write, or put into one value.
pub const MAX_TEXT: usize = 64 << 10;

/// The most queries one expansion may make; an alert storm would multiply them.
pub const MAX_QUERIES: usize = 10;

/// The declarations Prometheus puts in front of every template. Positions in Go's messages count
/// them, so ours do.
const PREAMBLE: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}\
                        {{$externalURL := .ExternalURL}}{{$value := .Value}}";

const VARIABLES: [&str; 5] = ["$", "$labels", "$externalLabels", "$externalURL", "$value"];

/// A parsed template.
#[derive(Debug, Clone)]
pub struct Template {
    source: String,
    tree: Arc<parse::Tree>,
}

/// A template that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// Byte offset in the template.
    pub offset: usize,
    /// What is wrong, in Go's words.
    pub message: String,
    /// What was probably meant.
    pub hint: Option<String>,
}

/// A template that was parsed and could not be expanded; the message is Go's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExpandError(String);

/// Answers `query` in a template: the series of an instant query with their numbers.
pub type QueryFunction<'a> = dyn Fn(&str) -> Result<Vec<(Labels, f64)>, String> + 'a;

/// What a template can see.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The rule's name; it appears in messages.
    pub name: &'a str,
    /// `$labels`: the labels of the series, its metric's name included.
    pub labels: &'a Labels,
    /// `$value`
    pub value: &'a model::Value,
    /// `$externalLabels`
    pub external_labels: &'a Labels,
    /// `$externalURL`
    pub external_url: &'a str,
    /// `now`
    pub now: Timestamp,
    /// `query`
    pub query: &'a QueryFunction<'a>,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("name", &self.name)
            .field("labels", &self.labels)
            .field("value", &self.value)
            .finish_non_exhaustive()
    }
}

impl Template {
    /// Parses a template and checks the names of its functions and variables.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let tree = parse::parse(source, &VARIABLES).map_err(|e| TemplateError {
            offset: e.position,
            message: e.message,
            hint: e.hint,
        })?;
        Ok(Self { source: source.to_owned(), tree: Arc::new(tree) })
    }

    /// The template as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether any of `names`, functions or variables with their `$`, occurs in an action.
    pub fn uses(&self, names: &[&str]) -> bool {
        parse::uses(&self.source, names)
    }

    /// Writes the text.
    ///
    /// # Errors
    /// When a function fails, a bound is reached, or values do not fit.
    pub fn try_expand(&self, context: &Context<'_>) -> Result<String, ExpandError> {
        let value = match context.value {
            model::Value::Float(value) => Value::Float(*value),
            model::Value::Histogram(histogram) => Value::text(histogram.to_string()),
        };
        let alert = Alert {
            labels: context.labels.clone(),
            external_labels: context.external_labels.clone(),
            external_url: context.external_url.into(),
            value: value.clone(),
        };
        let values = [
            Value::Alert(Arc::new(alert)),
            Value::Labels(context.labels.clone()),
            Value::Labels(context.external_labels.clone()),
            Value::text(context.external_url),
            value,
        ];
        let variables = VARIABLES.into_iter().zip(values).collect();
        let name = format!("__alert_{}", context.name);
        let mut environment = Environment { context, queries: 0 };
        exec::execute(&self.tree, &name, variables, &mut environment)
            .map_err(|failure| self.expand_error(&name, &failure))
    }

    /// Writes the text, or the message of what went wrong as Prometheus does.
    pub fn expand(&self, context: &Context<'_>) -> String {
        self.try_expand(context).unwrap_or_else(|e| format!("<error expanding template: {e}>"))
    }

    fn expand_error(&self, name: &str, failure: &exec::Failure) -> ExpandError {
        let before = &self.source[..failure.position];
        let line = before.matches('\n').count() + 1;
        let column = match before.rfind('\n') {
            Some(newline) => before.len() - newline - 1,
            None => before.len() + PREAMBLE.len(),
        };
        ExpandError(format!(
            "error executing template {name}: template: {name}:{line}:{column}: executing {} at \
             <{}>: {}",
            format::quoted(&failure.template),
            failure.context,
            failure.message
        ))
    }
}

/// What functions reach outside of the template, with the count of queries made.
struct Environment<'a> {
    context: &'a Context<'a>,
    queries: usize,
}

impl Environment<'_> {
    fn query(&mut self, expression: &str) -> Result<Arc<[Arc<Sample>]>, String> {
        self.queries += 1;
        if self.queries > MAX_QUERIES {
            return Err(format!("more than {MAX_QUERIES} queries in one template"));
        }
        let series = (self.context.query)(expression)?;
        Ok(series.into_iter().map(|(labels, value)| Arc::new(Sample { labels, value })).collect())
    }

    fn now(&self) -> Timestamp {
        self.context.now
    }

    fn external_url(&self) -> &str {
        self.context.external_url
    }
}

#[cfg(test)]
mod tests;
