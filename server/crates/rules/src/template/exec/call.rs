//! Calls of functions: count and kinds of arguments.

use super::{Executor, Failure};
use crate::template::{
    MAX_TEXT,
    ast::{Command, Term, Word},
    function::{self, Kind, Signature},
    value::Value,
};

impl<'a> Executor<'a, '_> {
    /// Calls a function that is itself an argument, and so has none.
    pub(super) fn function_alone(&mut self, name: &str, word: &Word) -> Result<Value, Failure> {
        let signature = self.signature(name, word.position, &word.term)?;
        self.check_count(signature, 0, word)?;
        self.call(name, &[], word.position, &word.term)
    }

    fn signature(
        &self,
        name: &str,
        position: usize,
        context: &Term,
    ) -> Result<&'static Signature, Failure> {
        function::signature(name).ok_or_else(|| {
            self.failure(position, context, &format!("{name:?} is not a defined function"))
        })
    }

    pub(super) fn function(
        &mut self,
        name: &str,
        command: &'a Command,
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        let first = &command.words[0];
        let signature = self.signature(name, first.position, &first.term)?;
        let words = &command.words[1..];
        self.check_count(signature, words.len() + usize::from(last.is_some()), first)?;
        if matches!(name, "and" | "or") {
            return self.and_or(name == "and", words, dot, last);
        }
        let mut arguments = Vec::with_capacity(words.len() + 1);
        for (i, word) in words.iter().enumerate() {
            arguments.push(self.argument(word, dot, signature.kind(i))?);
        }
        if let Some(last) = last {
            let kind = signature.kind(arguments.len());
            self.check_kind(&last, kind, first)?;
            arguments.push(last);
        }
        self.call(name, &arguments, command.position, command)
    }

    /// The first argument that decides, or the last; those after it are not evaluated.
    fn and_or(
        &mut self,
        is_and: bool,
        words: &'a [Word],
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        let mut value = Value::None;
        for word in words {
            value = self.word(word, dot)?;
            if value.is_true() != is_and {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    fn check_count(&self, signature: &Signature, given: usize, word: &Word) -> Result<(), Failure> {
        let least = signature.least();
        let is_fine = if signature.is_variadic { given >= least } else { given == least };
        if is_fine {
            return Ok(());
        }
        let at_least = if signature.is_variadic { "at least " } else { "" };
        let message = format!(
            "wrong number of args for {}: want {at_least}{least} got {given}",
            signature.name
        );
        Err(self.failure(word.position, &word.term, &message))
    }

    fn argument(&mut self, word: &'a Word, dot: &Value, kind: Kind) -> Result<Value, Failure> {
        let value = self.word(word, dot)?;
        let is_literal = matches!(word.term, Term::Bool(_) | Term::Number(_) | Term::Text { .. });
        if is_literal && !fits(&value, kind) {
            let message = format!("expected {}; found {}", kind_name(kind), word.term);
            return Err(self.failure(word.position, &word.term, &message));
        }
        self.check_kind(&value, kind, word)?;
        Ok(value)
    }

    fn check_kind(&self, value: &Value, kind: Kind, word: &Word) -> Result<(), Failure> {
        if fits(value, kind) {
            return Ok(());
        }
        let expected = kind_name(kind);
        let message = match value {
            Value::None => format!("invalid value; expected {expected}"),
            value => {
                format!("wrong type for value; expected {expected}; got {}", value.type_name())
            }
        };
        Err(self.failure(word.position, &word.term, &message))
    }

    fn call(
        &mut self,
        name: &str,
        arguments: &[Value],
        position: usize,
        context: impl ToString,
    ) -> Result<Value, Failure> {
        let result = function::call(name, arguments, self.environment);
        let result = result.and_then(|value| match &value {
            Value::Text(text) if text.len() > MAX_TEXT => {
                Err(format!("the result is longer than {MAX_TEXT} bytes"))
            }
            _ => Ok(value),
        });
        result.map_err(|message| {
            let message = format!("error calling {name}: {message}");
            self.failure(position, context, &message)
        })
    }
}

fn fits(value: &Value, kind: Kind) -> bool {
    match kind {
        Kind::Any => true,
        Kind::Text => matches!(value, Value::Text(_) | Value::Html(_)),
        Kind::Sample => matches!(value, Value::Sample(_)),
        Kind::Vector => matches!(value, Value::Vector(_)),
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Any => "interface {}",
        Kind::Text => "string",
        Kind::Sample => "*template.sample",
        Kind::Vector => "template.queryResult",
    }
}
