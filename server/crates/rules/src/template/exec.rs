//! Walks the tree of a template and writes the text.

mod call;
mod field;

use field::{elements, field};

use super::{
    Environment, MAX_TEXT,
    ast::{Branch, Call, Command, List, Node, NumberValue, Pipeline, Term, Word},
    parse::Tree,
    value::Value,
};

/// How deep templates may use one another.
const MAX_DEPTH: usize = 50;
/// How many nodes may be walked, which bounds loops.
const MAX_STEPS: usize = 100_000;

/// Why a template gave no text, and where.
#[derive(Debug)]
pub(super) struct Failure {
    /// Byte offset in the source.
    pub(super) position: usize,
    /// The name of the template that was executed.
    pub(super) template: String,
    /// The part of the source that failed, as Go writes it.
    pub(super) context: String,
    pub(super) message: String,
}

/// Executes a tree with the given variables, the first of which is `$`.
pub(super) fn execute(
    tree: &Tree,
    name: &str,
    variables: Vec<(&str, Value)>,
    environment: &mut Environment<'_>,
) -> Result<String, Failure> {
    let dot = variables.first().map_or(Value::None, |(_, value)| value.clone());
    let mut executor = Executor {
        tree,
        environment,
        out: String::new(),
        variables: variables.into_iter().map(|(n, v)| (n.to_owned(), v)).collect(),
        name: name.to_owned(),
        depth: 0,
        steps: 0,
    };
    executor.list(&tree.root, &dot)?;
    Ok(executor.out)
}

/// Whether the nodes after this one are still to be walked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

struct Executor<'a, 'e> {
    tree: &'a Tree,
    environment: &'a mut Environment<'e>,
    out: String,
    variables: Vec<(String, Value)>,
    name: String,
    depth: usize,
    steps: usize,
}

impl<'a> Executor<'a, '_> {
    fn list(&mut self, list: &'a List, dot: &Value) -> Result<Flow, Failure> {
        for node in list {
            let flow = self.node(node, dot)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn node(&mut self, node: &'a Node, dot: &Value) -> Result<Flow, Failure> {
        match node {
            Node::Text(text) => {
                self.out.push_str(text);
                self.check_output(0, "")?;
            }
            Node::Action(pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                if pipeline.variables.is_empty() {
                    match value {
                        Value::None => self.out.push_str("<no value>"),
                        value => value.write_plain(&mut self.out),
                    }
                    self.check_output(pipeline.position, pipeline)?;
                }
            }
            Node::If(branch) => return self.branch(branch, dot, false),
            Node::With(branch) => return self.branch(branch, dot, true),
            Node::Range(branch) => return self.range(branch, dot),
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::Template(call) => self.template(call, dot)?,
        }
        Ok(Flow::On)
    }

    fn branch(&mut self, branch: &'a Branch, dot: &Value, is_with: bool) -> Result<Flow, Failure> {
        let scope = self.variables.len();
        let value = self.pipeline(&branch.pipeline, dot)?;
        let flow = match (value.is_true(), is_with) {
            (true, true) => self.list(&branch.body, &value)?,
            (true, false) => self.list(&branch.body, dot)?,
            (false, _) => self.list(&branch.otherwise, dot)?,
        };
        self.variables.truncate(scope);
        Ok(flow)
    }

    fn range(&mut self, branch: &'a Branch, dot: &Value) -> Result<Flow, Failure> {
        let outside = self.variables.len();
        let value = self.pipeline(&branch.pipeline, dot)?;
        let scope = self.variables.len();
        let elements = elements(&value).ok_or_else(|| {
            let message = format!("range can't iterate over {}", value.to_plain());
            self.failure(branch.pipeline.position, &branch.pipeline, &message)
        })?;
        let mut is_empty = true;
        let mut flow = Flow::On;
        for (key, element) in elements {
            is_empty = false;
            self.step(branch.pipeline.position, &branch.pipeline)?;
            self.set_loop_variables(&branch.pipeline, &key, &element);
            let ended = self.list(&branch.body, &element)?;
            self.variables.truncate(scope);
            if ended == Flow::Break {
                break;
            }
        }
        if is_empty {
            flow = self.list(&branch.otherwise, dot)?;
        }
        self.variables.truncate(outside);
        Ok(flow)
    }

    /// With one variable it takes the element, with two the key comes first.
    fn set_loop_variables(&mut self, pipeline: &Pipeline, key: &Value, element: &Value) {
        match pipeline.variables.as_slice() {
            [one] => self.assign(one, element.clone()),
            [first, second] => {
                self.assign(first, key.clone());
                self.assign(second, element.clone());
            }
            _ => {}
        }
    }

    fn template(&mut self, call: &'a Call, dot: &Value) -> Result<(), Failure> {
        let Some(body) = self.tree.defined.get(&call.name) else {
            let message = format!("template {:?} not defined", call.name);
            return Err(self.failure(call.position, call, &message));
        };
        let argument = match &call.argument {
            Some(pipeline) => self.pipeline(pipeline, dot)?,
            None => Value::None,
        };
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("exceeded maximum template depth ({MAX_DEPTH})");
            return Err(self.failure(call.position, call, &message));
        }
        let inside = vec![("$".to_owned(), argument.clone())];
        let outside = std::mem::replace(&mut self.variables, inside);
        let name = std::mem::replace(&mut self.name, call.name.clone());
        self.list(body, &argument)?;
        self.variables = outside;
        self.name = name;
        self.depth -= 1;
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &'a Pipeline, dot: &Value) -> Result<Value, Failure> {
        self.step(pipeline.position, pipeline)?;
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(command, dot, value)?);
        }
        let value = value.unwrap_or(Value::None);
        for name in &pipeline.variables {
            if pipeline.is_assignment {
                self.assign(name, value.clone());
            } else {
                self.variables.push((name.clone(), value.clone()));
            }
        }
        Ok(value)
    }

    fn assign(&mut self, name: &str, value: Value) {
        if let Some(slot) = self.variables.iter_mut().rev().find(|(n, _)| n == name) {
            slot.1 = value;
        }
    }

    fn command(
        &mut self,
        command: &'a Command,
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        let first = &command.words[0];
        let arguments = &command.words[1..];
        match &first.term {
            Term::Function(name) => self.function(name, command, dot, last),
            Term::Field(names) => self.fields(dot.clone(), first, names, arguments, dot, last),
            Term::Variable(name, names) if !names.is_empty() => {
                let value = self.variable(name);
                self.fields(value, first, names, arguments, dot, last)
            }
            Term::Chain(word, names) => {
                let value = self.word(word, dot)?;
                self.fields(value, first, names, arguments, dot, last)
            }
            _ if !arguments.is_empty() || last.is_some() => {
                let message = format!("can't give argument to non-function {}", first.term);
                Err(self.failure(first.position, &first.term, &message))
            }
            Term::Nil => Err(self.failure(first.position, &first.term, "nil is not a command")),
            _ => self.word(first, dot),
        }
    }

    /// The value of an operand that stands alone.
    fn word(&mut self, word: &'a Word, dot: &Value) -> Result<Value, Failure> {
        Ok(match &word.term {
            Term::Dot => dot.clone(),
            Term::Nil => Value::None,
            Term::Bool(value) => Value::Bool(*value),
            Term::Number(number) => match number.value {
                NumberValue::Int(value) => Value::Int(value),
                NumberValue::Float(value) => Value::Float(value),
            },
            Term::Text { value, .. } => Value::text(value.as_str()),
            Term::Field(names) => self.fields(dot.clone(), word, names, &[], dot, None)?,
            Term::Variable(name, names) => {
                let value = self.variable(name);
                self.fields(value, word, names, &[], dot, None)?
            }
            Term::Chain(inner, names) => {
                let value = self.word(inner, dot)?;
                self.fields(value, word, names, &[], dot, None)?
            }
            Term::Pipeline(pipeline) => self.pipeline(pipeline, dot)?,
            Term::Function(name) => self.function_alone(name, word)?,
        })
    }

    fn variable(&self, name: &str) -> Value {
        let found = self.variables.iter().rev().find(|(n, _)| n == name);
        found.map_or(Value::None, |(_, value)| value.clone())
    }

    /// Follows `.a.b`; only the last name may be a method with arguments.
    fn fields(
        &mut self,
        mut value: Value,
        word: &'a Word,
        names: &[String],
        arguments: &'a [Word],
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        let mut given = Vec::new();
        for argument in arguments {
            given.push(self.word(argument, dot)?);
        }
        given.extend(last);
        for (i, name) in names.iter().enumerate() {
            let given = if i + 1 == names.len() { given.as_slice() } else { &[] };
            value = field(&value, name, given)
                .map_err(|message| self.failure(word.position, &word.term, &message))?;
        }
        Ok(value)
    }

    fn step(&mut self, position: usize, context: impl ToString) -> Result<(), Failure> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(self.failure(position, context, "the template does not come to an end"));
        }
        Ok(())
    }

    fn check_output(&self, position: usize, context: impl ToString) -> Result<(), Failure> {
        if self.out.len() <= MAX_TEXT {
            return Ok(());
        }
        let message = format!("the text is longer than {MAX_TEXT} bytes");
        Err(self.failure(position, context, &message))
    }

    #[expect(clippy::needless_pass_by_value, reason = "the tree's parts are passed by reference")]
    fn failure(&self, position: usize, context: impl ToString, message: &str) -> Failure {
        Failure {
            position,
            template: self.name.clone(),
            context: context.to_string(),
            message: message.to_owned(),
        }
    }
}
