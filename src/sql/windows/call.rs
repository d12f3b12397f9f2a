//! A call of `tumble`, `hop` or `session` in the text of a statement, and its expansion.

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, ObjectNamePart,
};

use super::functions::WindowKind;
use super::tumble::BIN_END;
use crate::error::{Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tumble,
    Hop,
    Session,
}

impl Kind {
    fn of(name: &ObjectName) -> Option<Self> {
        let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() else {
            return None;
        };
        match ident.value.to_lowercase().as_str() {
            "tumble" => Some(Self::Tumble),
            "hop" => Some(Self::Hop),
            "session" => Some(Self::Session),
            _ => None,
        }
    }

    fn signature(self) -> &'static str {
        match self {
            Self::Tumble => "tumble(ts, INTERVAL size[, origin])",
            Self::Hop => "hop(ts, INTERVAL slide, INTERVAL size)",
            Self::Session => "session(ts, INTERVAL gap)",
        }
    }
}

/// A window call as written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WindowCall {
    kind: Kind,
    arguments: Vec<Expr>,
}

impl WindowCall {
    /// Parses `expr`, if it is a window call.
    ///
    /// # Errors
    /// The call has the wrong number or kind of arguments.
    pub(super) fn of(expr: &Expr) -> Result<Option<Self>> {
        let Expr::Function(function) = expr else {
            return Ok(None);
        };
        let Some(kind) = Kind::of(&function.name) else {
            return Ok(None);
        };
        let plain = |argument: &FunctionArg| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        };
        let arguments: Option<Vec<Expr>> = match &function.args {
            FunctionArguments::List(list) => list.args.iter().map(plain).collect(),
            _ => None,
        };
        let fits = |arguments: &Vec<Expr>| match kind {
            Kind::Tumble => (2..=3).contains(&arguments.len()),
            Kind::Hop => arguments.len() == 3,
            Kind::Session => arguments.len() == 2,
        };
        match arguments.filter(fits) {
            Some(arguments) => Ok(Some(Self { kind, arguments })),
            None => Err(Error::invalid_option(format!(
                "{expr}: expected {}",
                kind.signature()
            ))),
        }
    }

    /// The expressions to group by.
    pub(super) fn groups(&self) -> Vec<Expr> {
        match self.kind {
            Kind::Tumble | Kind::Hop => vec![self.start()],
            Kind::Session => vec![self.start(), self.end()],
        }
    }

    /// The expression for `window_start`.
    pub(super) fn start(&self) -> Expr {
        match (self.kind, self.arguments.as_slice()) {
            (Kind::Tumble, [ts, size, origin @ ..]) => {
                let arguments = [size, ts].into_iter().chain(origin);
                call("date_bin", arguments.cloned())
            }
            (Kind::Session, arguments) => {
                call(WindowKind::SessionStart.name(), arguments.iter().cloned())
            }
            (_, arguments) => call(WindowKind::Hop.name(), arguments.iter().cloned()),
        }
    }

    /// The expression for `window_end`.
    pub(super) fn end(&self) -> Expr {
        let after_start = match (self.kind, self.arguments.as_slice()) {
            (Kind::Tumble, [_, size_and_origin @ ..]) => size_and_origin,
            (Kind::Hop, [_, _, size]) => std::slice::from_ref(size),
            (_, arguments) => {
                return call(WindowKind::SessionEnd.name(), arguments.iter().cloned());
            }
        };
        let arguments = [self.start()].into_iter();
        call(BIN_END, arguments.chain(after_start.iter().cloned()))
    }
}

/// A call of the function `name`.
fn call(name: &str, arguments: impl Iterator<Item = Expr>) -> Expr {
    let arguments = arguments.map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
