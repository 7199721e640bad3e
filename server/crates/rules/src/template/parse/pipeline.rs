//! Pipelines, commands and operands: what stands inside of an action.

use super::{Failure, Parser, failure, unexpected};
use crate::template::{
    ast::{Command, Number, NumberValue, Pipeline, Term, Word},
    function,
    lex::{Kind, Token},
    literal::{number, unquote},
};

impl Parser<'_> {
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipeline, Failure> {
        let position = self.peek_word().position;
        let (variables, is_assignment) = self.declarations(context)?;
        let mut commands = Vec::new();
        loop {
            let token = self.peek_word();
            if token.kind == end {
                self.at += 1;
                break;
            }
            commands.push(self.command()?);
        }
        check_pipeline(&commands, position, context)?;
        if !is_assignment {
            self.variables.extend(variables.iter().cloned());
        }
        Ok(Pipeline { position, variables, is_assignment, commands })
    }

    /// `$x :=`, `$x =` or, in a range, `$i, $x :=`.
    fn declarations(&mut self, context: &str) -> Result<(Vec<String>, bool), Failure> {
        let back = self.at;
        let mut names = Vec::new();
        loop {
            let variable = self.peek_word();
            if variable.kind != Kind::Variable {
                break;
            }
            self.at += 1;
            names.push(variable.text.to_owned());
            let operator = self.peek_word();
            match operator.kind {
                Kind::Declare | Kind::Assign => {
                    self.at += 1;
                    let is_assignment = operator.kind == Kind::Assign;
                    if is_assignment {
                        for name in &names {
                            self.check_variable(name, variable.position)?;
                        }
                    }
                    return Ok((names, is_assignment));
                }
                Kind::Comma if context == "range" && names.len() < 2 => self.at += 1,
                Kind::Comma => {
                    return Err(failure(
                        operator.position,
                        &format!("too many declarations in {context}"),
                    ));
                }
                _ => break,
            }
        }
        self.at = back;
        Ok((Vec::new(), false))
    }

    fn check_variable(&self, name: &str, position: usize) -> Result<(), Failure> {
        if self.variables.iter().any(|v| v == name) {
            return Ok(());
        }
        let known: Vec<&str> = self.variables.iter().map(String::as_str).collect();
        let hint = model::closest(name, known.iter().copied()).map(str::to_owned);
        Err(Failure { hint, ..failure(position, &format!("undefined variable {name:?}")) })
    }

    fn command(&mut self) -> Result<Command, Failure> {
        let position = self.peek_word().position;
        let mut words = Vec::new();
        loop {
            let start = self.peek_word();
            if let Some(word) = self.operand()? {
                words.push(word);
            }
            let token = self.peek();
            match token.kind {
                Kind::Space if !words.is_empty() => {}
                Kind::RightDelimiter | Kind::RightParen => break,
                Kind::Pipe => {
                    self.at += 1;
                    if !matches!(
                        self.peek_word().kind,
                        Kind::RightDelimiter | Kind::RightParen | Kind::Pipe
                    ) {
                        break;
                    }
                    return Err(failure(token.position, "missing value after |"));
                }
                _ => {
                    return Err(unexpected(
                        if words.is_empty() { start } else { token },
                        "operand",
                    ));
                }
            }
        }
        if words.is_empty() {
            return Err(failure(position, "empty command"));
        }
        Ok(Command { position, words })
    }

    /// A term with the fields that follow it directly.
    fn operand(&mut self) -> Result<Option<Word>, Failure> {
        let Some(word) = self.term()? else {
            return Ok(None);
        };
        if self.peek().kind != Kind::Field {
            return Ok(Some(word));
        }
        // Go counts the place of a chain from its first field.
        let position = self.peek().position;
        let mut names = Vec::new();
        while self.peek().kind == Kind::Field {
            names.push(self.next().text[1..].to_owned());
        }
        let term = match word.term {
            Term::Field(first) => Term::Field(first.into_iter().chain(names).collect()),
            Term::Variable(name, first) => {
                Term::Variable(name, first.into_iter().chain(names).collect())
            }
            Term::Bool(_) | Term::Text { .. } | Term::Number(_) | Term::Nil | Term::Dot => {
                let message = format!("unexpected . after term {:?}", word.term.to_string());
                return Err(failure(position, &message));
            }
            _ => Term::Chain(Box::new(word), names),
        };
        Ok(Some(Word { position, term }))
    }

    fn term(&mut self) -> Result<Option<Word>, Failure> {
        let token = self.peek_word();
        let position = token.position;
        let term = match token.kind {
            Kind::Word => word_term(token)?,
            Kind::Dot => Term::Dot,
            Kind::Field => Term::Field(vec![token.text[1..].to_owned()]),
            Kind::Variable => {
                self.check_variable(token.text, position)?;
                Term::Variable(token.text.to_owned(), Vec::new())
            }
            Kind::Number => {
                let value = number(token.text).ok_or_else(|| unexpected(token, "operand"))?;
                Term::Number(Number { value, written: token.text.to_owned() })
            }
            Kind::Char => {
                let mut characters = unquote(token)?;
                let value = characters.pop().filter(|_| characters.is_empty());
                let value = value.ok_or_else(|| {
                    failure(position, &format!("malformed character constant: {}", token.text))
                })?;
                let value = NumberValue::Int(i64::from(u32::from(value)));
                Term::Number(Number { value, written: token.text.to_owned() })
            }
            Kind::Quoted | Kind::Raw => {
                Term::Text { value: unquote(token)?, written: token.text.to_owned() }
            }
            Kind::LeftParen => {
                self.at += 1;
                self.deeper(position)?;
                let pipeline = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                self.depth -= 1;
                return Ok(Some(Word { position, term: Term::Pipeline(pipeline) }));
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(Word { position, term }))
    }
}

fn word_term(token: Token<'_>) -> Result<Term, Failure> {
    Ok(match token.text {
        "true" => Term::Bool(true),
        "false" => Term::Bool(false),
        "nil" => Term::Nil,
        "if" | "else" | "end" | "range" | "with" | "define" | "template" | "block" | "break"
        | "continue" => return Err(unexpected(token, "operand")),
        name if function::is_known(name) => Term::Function(name.to_owned()),
        name => {
            let message = format!("function {name:?} not defined");
            let hint = function::closest_to(name).map(str::to_owned);
            return Err(Failure { hint, ..failure(token.position, &message) });
        }
    })
}

/// Only the first command may be something that cannot take an argument.
fn check_pipeline(commands: &[Command], position: usize, context: &str) -> Result<(), Failure> {
    if commands.is_empty() {
        return Err(failure(position, &format!("missing value for {context}")));
    }
    for (i, command) in commands.iter().enumerate().skip(1) {
        let first = &command.words[0];
        if matches!(
            first.term,
            Term::Bool(_) | Term::Dot | Term::Nil | Term::Number(_) | Term::Text { .. }
        ) {
            let message = format!("non executable command in pipeline stage {}", i + 1);
            return Err(failure(first.position, &message));
        }
    }
    Ok(())
}
