//! One expression, compiled.

use super::token::{self, Kind, Token, Until};
use super::{CompileError, EvalError, Variable, environment, functions, value};
use crate::scope::Scope;
use minijinja::{Error, ErrorKind, Value};
use std::fmt;
use std::ops::Range;

/// An expression, compiled. Stands alone in `that:` and `until:`, elsewhere between `${` and `}`.
pub struct Expression {
    source: String,
    start: usize,
    variables: Vec<Variable>,
    program: Program,
}

enum Program {
    /// A name and its attributes: looked up without the virtual machine.
    Path,
    /// A function without arguments: called without the virtual machine.
    Call(functions::Simple),
    /// Anything else.
    Compiled(minijinja::Expression<'static, 'static>),
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.source).finish()
    }
}

impl Expression {
    /// Compiles a bare expression.
    pub fn compile(text: &str) -> Result<Expression, CompileError> {
        let (tokens, _) = token::scan(text, 0, Until::End)?;
        Expression::from_tokens(text, 0..text.len(), &tokens)
    }

    /// Compiles the expression whose tokens are `tokens`, in `place` of `text`.
    pub(super) fn from_tokens(
        text: &str,
        place: Range<usize>,
        tokens: &[Token],
    ) -> Result<Expression, CompileError> {
        let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
            return Err(CompileError {
                range: place,
                problem: "the expression is empty".into(),
                remedy: Some("write a name, a value or a function call".into()),
            });
        };
        token::check(text, tokens)?;
        let range = first.range.start..last.range.end;
        let source = text[range.clone()].to_owned();
        let variables = token::variables(text, tokens);
        let compiled = environment::environment()
            .compile_expression_owned(source.clone())
            .map_err(|error| refused(&error, text, &range))?;
        let program = Program::shortest(text, tokens, &variables, compiled);
        Ok(Expression { source, start: range.start, variables, program })
    }

    /// The text of the expression, without braces and the white space around it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Where [`source`](Expression::source) stands in the text that was given to `compile`.
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.source.len()
    }

    /// Its free names in the order in which they stand, repetitions and called functions included.
    pub fn variables(&self) -> Vec<Variable> {
        self.variables.clone()
    }

    /// Whether it reads the free name `name`.
    pub(crate) fn reads(&self, name: &str) -> bool {
        self.variables.iter().any(|variable| variable.path[0] == name)
    }

    /// The value in `scope`; never undefined.
    pub fn eval(&self, scope: &Scope) -> Result<Value, EvalError> {
        let value = match &self.program {
            Program::Path => scope.lookup(&self.variables[0].path),
            Program::Call(function) => Some(function.call(scope.shared())),
            Program::Compiled(program) => {
                Some(program.eval(scope.value()).map_err(|e| self.failed(&e, scope))?)
            }
        };
        value.filter(|value| !value.is_undefined()).ok_or_else(|| self.undefined(scope))
    }

    /// Whether it reads a secret, or a variable of the environment, which may be one.
    pub(crate) fn reads_environment(&self) -> bool {
        self.variables.iter().any(Variable::is_environment)
    }

    /// What the names stand for in `scope`, for a message: `json.id = 0, token = "a"`.
    pub(crate) fn values(&self, scope: &Scope) -> String {
        let mut shown: Vec<String> = Vec::new();
        // What comes from the environment may be a secret, and messages end up in reports.
        for variable in self.variables.iter().filter(|v| !v.called && !v.is_environment()) {
            let name = variable.path.join(".");
            let text = match scope.lookup(&variable.path) {
                Some(value) => format!("{name} = {}", value::excerpt(&value)),
                None => format!("{name} is missing"),
            };
            if shown.len() < 3 && !shown.contains(&text) {
                shown.push(text);
            }
        }
        shown.join(", ")
    }

    pub(super) fn error(&self, problem: &str) -> EvalError {
        EvalError(format!("`{}`: {problem}", value::escaped(&self.source, 80)))
    }

    fn failed(&self, error: &Error, scope: &Scope) -> EvalError {
        let kind = error.kind();
        let detail = error.detail().map_or_else(|| kind.to_string(), str::to_owned);
        // Operators name the types of their operands, which says less than the missing name.
        let undefined = kind == ErrorKind::UndefinedError || detail.contains("undefined");
        if undefined && self.missing(scope).is_some() {
            return self.undefined(scope);
        }
        self.error(&value::escaped(&detail, 300))
    }

    fn missing(&self, scope: &Scope) -> Option<&Variable> {
        self.variables.iter().find(|v| !v.called && scope.lookup(&v.path).is_none())
    }

    fn undefined(&self, scope: &Scope) -> EvalError {
        let Some(missing) = self.missing(scope) else { return self.error("the value is not defined") };
        let name = missing.path.join(".");
        self.error(&match missing.path.as_slice() {
            [env, variable] if env == "env" => {
                format!(
                    "the environment variable {variable} is not set; set it, or write `{name} or 'default'`"
                )
            }
            [params, _] if params == "params" => format!("the plan has no parameter `{name}`"),
            [setup, _, ..] if setup == "setup" => format!("`{name}` has no value; setup did not save it"),
            [root, ..] if crate::scope::RESPONSE_NAMES.contains(&root.as_str()) => {
                format!("the response has no `{name}`")
            }
            [root, ..] if crate::scope::MESSAGE_NAMES.contains(&root.as_str()) => {
                format!("there is no `{name}`")
            }
            _ => format!("`{name}` has no value; a step before this one must save it"),
        })
    }
}

impl Program {
    fn shortest(
        text: &str,
        tokens: &[Token],
        variables: &[Variable],
        compiled: minijinja::Expression<'static, 'static>,
    ) -> Program {
        let [variable] = variables else { return Program::Compiled(compiled) };
        let dotted = |tokens: &[Token]| {
            let expected = |i: usize| if i.is_multiple_of(2) { Kind::Name } else { Kind::Symbol };
            tokens.len() == 2 * variable.path.len() - 1
                && tokens.iter().enumerate().all(|(i, t)| t.kind == expected(i))
        };
        if dotted(tokens) {
            return Program::Path;
        }
        let call = match tokens {
            [path @ .., open, close] if dotted(path) && variable.called => {
                [open, close].map(|t| &text[t.range.clone()]) == ["(", ")"]
            }
            _ => false,
        };
        match functions::Simple::named(&variable.path).filter(|_| call) {
            Some(function) => Program::Call(function),
            None => Program::Compiled(compiled),
        }
    }
}

/// `error` in the text around the expression.
fn refused(error: &Error, text: &str, place: &Range<usize>) -> CompileError {
    let range = error.range().unwrap_or(0..place.len());
    let mut start = (place.start + range.start).min(place.end);
    let mut end = (place.start + range.end).clamp(start, place.end);
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    let problem = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    CompileError { range: start..end, problem, remedy: None }
}
