//! Builds the tree of a template and checks names: functions, variables, blocks.

mod pipeline;

use std::collections::HashMap;

use super::{
    ast::{Branch, Call, List, Node},
    lex::{self, Kind, Token},
    literal::unquote,
};

/// How deep parentheses and blocks may be nested.
const MAX_DEPTH: usize = 50;

/// A template and those it defines.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) root: List,
    pub(super) defined: HashMap<String, List>,
}

/// A mistake in the source, at a byte offset.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) position: usize,
    pub(super) message: String,
    /// What was probably meant.
    pub(super) hint: Option<String>,
}

/// Parses a source in which `variables` are already declared.
pub(super) fn parse(source: &str, variables: &[&str]) -> Result<Tree, Failure> {
    let tokens = lex::tokens(source).map_err(|e| failure(e.position, &e.message))?;
    let mut parser = Parser {
        tokens,
        at: 0,
        variables: variables.iter().map(|&v| v.to_owned()).collect(),
        loops: 0,
        depth: 0,
        defined: HashMap::new(),
    };
    let (root, end) = parser.list(true)?;
    match end {
        Stop::EndOfSource => Ok(Tree { root, defined: parser.defined }),
        Stop::End(position) => Err(failure(position, "unexpected {{end}}")),
        Stop::Else(position) => Err(failure(position, "unexpected {{else}}")),
    }
}

/// Whether any of `names`, functions or variables with their `$`, occurs in a source.
pub(super) fn uses(source: &str, names: &[&str]) -> bool {
    lex::tokens(source).is_ok_and(|tokens| {
        tokens.iter().any(|token| {
            matches!(token.kind, Kind::Word | Kind::Variable | Kind::Field)
                && names.contains(&token.text)
        })
    })
}

/// What ended a list of nodes.
enum Stop {
    EndOfSource,
    End(usize),
    Else(usize),
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    variables: Vec<String>,
    loops: usize,
    depth: usize,
    defined: HashMap<String, List>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        // The last token is `End`, which is never passed.
        self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn peek_word(&mut self) -> Token<'a> {
        while self.peek().kind == Kind::Space {
            self.at += 1;
        }
        self.peek()
    }

    fn next_word(&mut self) -> Token<'a> {
        let token = self.peek_word();
        self.at += 1;
        token
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Token<'a>, Failure> {
        let token = self.next_word();
        if token.kind == kind { Ok(token) } else { Err(unexpected(token, context)) }
    }

    fn deeper(&mut self, position: usize) -> Result<(), Failure> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(failure(position, &format!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    /// Nodes up to the end of the source, `{{end}}` or `{{else`, of which `{{else` is consumed and
    /// what follows it is left.
    fn list(&mut self, is_top: bool) -> Result<(List, Stop), Failure> {
        let mut list = List::new();
        loop {
            let token = self.next();
            match token.kind {
                Kind::End => return Ok((list, Stop::EndOfSource)),
                Kind::Text => list.push(Node::Text(token.text.to_owned())),
                _ => {
                    let word = self.peek_word();
                    let keyword = if word.kind == Kind::Word { word.text } else { "" };
                    match keyword {
                        "end" => {
                            self.at += 1;
                            self.expect(Kind::RightDelimiter, "end")?;
                            return Ok((list, Stop::End(word.position)));
                        }
                        "else" => {
                            self.at += 1;
                            return Ok((list, Stop::Else(word.position)));
                        }
                        "define" if is_top => self.define()?,
                        "define" => return Err(failure(word.position, "unexpected {{define}}")),
                        _ => {
                            self.deeper(word.position)?;
                            list.push(self.action(keyword)?);
                            self.depth -= 1;
                        }
                    }
                }
            }
        }
    }

    fn action(&mut self, keyword: &str) -> Result<Node, Failure> {
        let start = self.peek_word();
        if matches!(keyword, "if" | "with" | "range" | "template" | "block" | "break" | "continue")
        {
            self.at += 1;
        }
        match keyword {
            "if" => Ok(Node::If(self.branch("if", start)?)),
            "with" => Ok(Node::With(self.branch("with", start)?)),
            "range" => Ok(Node::Range(self.branch("range", start)?)),
            "template" => self.template(start),
            "block" => self.block(start),
            "break" | "continue" => {
                self.expect(Kind::RightDelimiter, keyword)?;
                if self.loops == 0 {
                    let message = format!("{{{{{keyword}}}}} outside {{{{range}}}}");
                    return Err(failure(start.position, &message));
                }
                Ok(if keyword == "break" { Node::Break } else { Node::Continue })
            }
            _ => Ok(Node::Action(self.pipeline("command", Kind::RightDelimiter)?)),
        }
    }

    fn branch(&mut self, context: &str, start: Token<'a>) -> Result<Branch, Failure> {
        let scope = self.variables.len();
        let is_loop = context == "range";
        let pipeline = self.pipeline(context, Kind::RightDelimiter)?;
        self.loops += usize::from(is_loop);
        let (body, stop) = self.list(false)?;
        self.loops -= usize::from(is_loop);
        let otherwise = match stop {
            Stop::EndOfSource => {
                return Err(failure(
                    start.position,
                    &format!("{{{{{context}}}}} without {{{{end}}}}"),
                ));
            }
            Stop::End(_) => List::new(),
            Stop::Else(_) => self.otherwise(context, start)?,
        };
        self.variables.truncate(scope);
        Ok(Branch { pipeline, body, otherwise })
    }

    /// What follows `{{else`: a whole branch without an end of its own, or a list.
    fn otherwise(&mut self, context: &str, start: Token<'a>) -> Result<List, Failure> {
        let word = self.peek_word();
        if word.kind == Kind::Word && word.text == context && context != "range" {
            self.deeper(word.position)?;
            let node = self.action(context)?;
            self.depth -= 1;
            return Ok(vec![node]);
        }
        self.expect(Kind::RightDelimiter, "else")?;
        match self.list(false)? {
            (list, Stop::End(_)) => Ok(list),
            (_, Stop::Else(position)) => Err(failure(position, "expected end; found {{else}}")),
            (_, Stop::EndOfSource) => {
                Err(failure(start.position, &format!("{{{{{context}}}}} without {{{{end}}}}")))
            }
        }
    }

    fn template(&mut self, start: Token<'a>) -> Result<Node, Failure> {
        let name = self.quoted_name("template clause")?;
        let argument = if self.peek_word().kind == Kind::RightDelimiter {
            self.at += 1;
            None
        } else {
            Some(self.pipeline("template clause", Kind::RightDelimiter)?)
        };
        Ok(Node::Template(Call { position: start.position, name, argument }))
    }

    fn block(&mut self, start: Token<'a>) -> Result<Node, Failure> {
        let name = self.quoted_name("block clause")?;
        let argument = Some(self.pipeline("block clause", Kind::RightDelimiter)?);
        self.definition(name.clone(), start)?;
        Ok(Node::Template(Call { position: start.position, name, argument }))
    }

    fn define(&mut self) -> Result<(), Failure> {
        let start = self.next_word();
        let name = self.quoted_name("define clause")?;
        self.expect(Kind::RightDelimiter, "define clause")?;
        self.definition(name, start)
    }

    /// The body of a template of its own, which sees none of the variables around it.
    fn definition(&mut self, name: String, start: Token<'a>) -> Result<(), Failure> {
        let outside = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let loops = std::mem::take(&mut self.loops);
        let (body, stop) = self.list(false)?;
        if !matches!(stop, Stop::End(_)) {
            return Err(failure(start.position, &format!("template {name:?} without {{{{end}}}}")));
        }
        self.variables = outside;
        self.loops = loops;
        self.defined.insert(name, body);
        Ok(())
    }

    fn quoted_name(&mut self, context: &str) -> Result<String, Failure> {
        let token = self.next_word();
        match token.kind {
            Kind::Quoted | Kind::Raw => unquote(token),
            _ => Err(unexpected(token, context)),
        }
    }
}

fn unexpected(token: Token<'_>, context: &str) -> Failure {
    let message = match token.kind {
        Kind::End => format!("unexpected EOF in {context}"),
        Kind::RightDelimiter => format!("unexpected \"}}}}\" in {context}"),
        _ => format!("unexpected {:?} in {context}", token.text),
    };
    failure(token.position, &message)
}

fn failure(position: usize, message: &str) -> Failure {
    Failure { position, message: message.to_owned(), hint: None }
}
