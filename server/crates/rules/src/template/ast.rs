//! The tree of a template, and its text as Go writes it in error messages.

use std::fmt;

/// A sequence of nodes.
pub(super) type List = Vec<Node>;

/// A part of a template that writes something or decides what is written.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Text(String),
    /// `{{ pipeline }}`
    Action(Pipeline),
    If(Branch),
    With(Branch),
    Range(Branch),
    Break,
    Continue,
    /// `{{ template "name" pipeline }}`
    Template(Call),
}

/// `if`, `with` or `range`.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub(super) pipeline: Pipeline,
    pub(super) body: List,
    pub(super) otherwise: List,
}

/// The use of a defined template.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) position: usize,
    pub(super) name: String,
    pub(super) argument: Option<Pipeline>,
}

/// Commands that hand their value on as the last argument of the next.
#[derive(Debug, Clone)]
pub(super) struct Pipeline {
    pub(super) position: usize,
    /// Variables that take the value, with their `$`.
    pub(super) variables: Vec<String>,
    /// `=` and not `:=`.
    pub(super) is_assignment: bool,
    pub(super) commands: Vec<Command>,
}

/// A value or a function with its arguments; never empty.
#[derive(Debug, Clone)]
pub(super) struct Command {
    pub(super) position: usize,
    pub(super) words: Vec<Word>,
}

/// An operand with its place.
#[derive(Debug, Clone)]
pub(super) struct Word {
    pub(super) position: usize,
    pub(super) term: Term,
}

/// An operand.
#[derive(Debug, Clone)]
pub(super) enum Term {
    Function(String),
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    /// The value, and the text as written with its quotes.
    Text {
        value: String,
        written: String,
    },
    /// `.a.b`
    Field(Vec<String>),
    /// `$x.a.b`: the variable with its `$`, then the fields.
    Variable(String, Vec<String>),
    /// `(pipeline).a.b`
    Chain(Box<Word>, Vec<String>),
    Pipeline(Pipeline),
}

/// A constant. Go's constants have no type until used: `5` may be an integer or a float.
#[derive(Debug, Clone)]
pub(super) struct Number {
    pub(super) value: NumberValue,
    pub(super) written: String,
}

/// The type a constant takes where any will do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum NumberValue {
    Int(i64),
    Float(f64),
}

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            let operator = if self.is_assignment { "=" } else { ":=" };
            write!(f, "{} {operator} ", self.variables.join(", "))?;
        }
        for (i, command) in self.commands.iter().enumerate() {
            write!(f, "{}{command}", if i > 0 { " | " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, word) in self.words.iter().enumerate() {
            write!(f, "{}{}", if i > 0 { " " } else { "" }, word.term)?;
        }
        Ok(())
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {:?}", self.name)?;
        if let Some(argument) = &self.argument {
            write!(f, " {argument}")?;
        }
        f.write_str("}}")
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = |f: &mut fmt::Formatter<'_>, names: &[String]| {
            names.iter().try_for_each(|name| write!(f, ".{name}"))
        };
        match self {
            Self::Function(name) => f.write_str(name),
            Self::Dot => f.write_str("."),
            Self::Nil => f.write_str("nil"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => f.write_str(&number.written),
            Self::Text { written, .. } => f.write_str(written),
            Self::Field(names) => fields(f, names),
            Self::Variable(name, names) => {
                f.write_str(name)?;
                fields(f, names)
            }
            Self::Chain(word, names) => {
                write!(f, "{}", word.term)?;
                fields(f, names)
            }
            Self::Pipeline(pipeline) => write!(f, "({pipeline})"),
        }
    }
}
