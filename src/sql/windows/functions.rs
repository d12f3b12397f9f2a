//! `hop`, `session_start` and `session_end`: placeholder functions that mark a group column as a window.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::Error;

/// The placeholder functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum WindowKind {
    /// `hop(ts, slide, size)`: the start of a hopping window.
    Hop,
    /// `session_start(ts, gap)`: the time of the first row.
    SessionStart,
    /// `session_end(ts, gap)`: the time of the last row plus the gap.
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
/// Declared volatile, because the value is not a function of the row and the optimizer must not compute it
/// outside GROUP BY.
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

/// Whether `expr` contains one of the placeholder functions.
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
            "{}({}): expected {expected}; CAST converts a string to a timestamp",
            self.kind.name(),
            types.join(", "),
        ))
        .into())
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(Error::unsupported(format!(
            "{} is allowed in GROUP BY only, as a group of its own: the window of a row is not known \
             before grouping. Elsewhere use window_start and window_end, and compute with them in a \
             query around this one: SELECT … FROM (SELECT … GROUP BY …)",
            self.kind.signature()
        ))
        .into())
    }
}
