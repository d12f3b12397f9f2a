//! `hop`, `session_start` and `session_end`: names for what a group column is, which no row knows alone.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::Error;

/// What a window function gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum WindowKind {
    /// `hop(ts, slide, size)`: the start of a window that slides.
    Hop,
    /// `session_start(ts, gap)`.
    SessionStart,
    /// `session_end(ts, gap)`: the gap after the last row.
    SessionEnd,
}

impl WindowKind {
    pub(super) const ALL: [Self; 3] = [Self::Hop, Self::SessionStart, Self::SessionEnd];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hop => "hop",
            Self::SessionStart => "session_start",
            Self::SessionEnd => "session_end",
        }
    }

    fn signature(self) -> &'static str {
        match self {
            Self::Hop => "hop(timestamp, INTERVAL slide, INTERVAL size)",
            Self::SessionStart => "session_start(timestamp, INTERVAL gap)",
            Self::SessionEnd => "session_end(timestamp, INTERVAL gap)",
        }
    }

    fn arguments(self) -> usize {
        match self {
            Self::Hop => 3,
            Self::SessionStart | Self::SessionEnd => 2,
        }
    }
}

/// A group column that is a window.
///
/// Volatile, as far as the optimizer is concerned: the value is not a function of the row, so it must
/// not be computed elsewhere than in GROUP BY.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct WindowFunction {
    pub(super) kind: WindowKind,
    signature: Signature,
}

impl WindowFunction {
    pub(super) fn udf(kind: WindowKind) -> Arc<ScalarUDF> {
        let signature = Signature::any(kind.arguments(), Volatility::Volatile);
        Arc::new(ScalarUDF::from(Self { kind, signature }))
    }
}

/// Whether `expr` is made of a window that rows do not know alone.
pub(super) fn mentions_window(expr: &Expr) -> Result<bool> {
    expr.exists(|part| {
        Ok(matches!(part, Expr::ScalarFunction(call)
            if call.func.inner().is::<WindowFunction>()))
    })
}

impl ScalarUDFImpl for WindowFunction {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let expected = match arguments {
            [time @ DataType::Timestamp(..), intervals @ ..]
                if intervals
                    .iter()
                    .all(|kind| matches!(kind, DataType::Interval(_))) =>
            {
                return Ok(time.clone());
            }
            _ => self.kind.signature(),
        };
        let types: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        Err(Error::invalid_option(format!(
            "{}({}): expected {expected}; CAST makes a timestamp of a string",
            self.kind.name(),
            types.join(", "),
        ))
        .into())
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(Error::unsupported(format!(
            "{} stands in GROUP BY only, as a group of its own: a row does not know its window \
             before it is grouped. Outside GROUP BY write window_start and window_end, and use \
             the window in expressions around the query: SELECT … FROM (SELECT … GROUP BY …)",
            self.kind.signature()
        ))
        .into())
    }
}
