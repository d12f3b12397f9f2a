//! JSON in SQL: the functions `json_get_str(data, 'a', …)`, and the operators `->`, `->>`, `#>`, `#>>` and `?`.
//!
//! The functions are those of the crate `datafusion-functions-json`, which takes text only. [`function`] lets them
//! take binary columns, such as `data`. [`operators`] plans the operators. [`grouping`] and [`question_mark`]
//! correct how a statement is parsed: the parser gives these operators a lower precedence than comparisons, and
//! takes `?` for a parameter.

mod function;
mod grouping;
mod operators;
mod question_mark;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::{ScalarUDF, expr_rewriter::FunctionRewrite};

use self::function::{JsonCalls, JsonFunction};
use self::operators::JsonOperators;

pub(super) use self::grouping::group_operators;
pub(super) use self::question_mark::parse_question_marks;

/// The functions whose first argument is JSON.
fn functions() -> [Arc<ScalarUDF>; 11] {
    use datafusion_functions_json::udfs;
    [
        udfs::json_as_text_udf(),
        udfs::json_contains_udf(),
        udfs::json_get_udf(),
        udfs::json_get_array_udf(),
        udfs::json_get_bool_udf(),
        udfs::json_get_float_udf(),
        udfs::json_get_int_udf(),
        udfs::json_get_json_udf(),
        udfs::json_get_str_udf(),
        udfs::json_length_udf(),
        udfs::json_object_keys_udf(),
    ]
}

/// Adds the functions and operators to `state`. Installing them twice changes nothing.
///
/// # Errors
/// The state takes no functions.
pub(super) fn install(state: &mut SessionState) -> Result<()> {
    let mut known = state.scalar_functions().values();
    if known.any(|function| function.inner().is::<JsonFunction>()) {
        return Ok(());
    }
    // This also registers the rewrite of CAST(json_get(…) AS …), which has to see the calls after JsonCalls
    // replaced them.
    let calls: Arc<dyn FunctionRewrite + Send + Sync> = Arc::new(JsonCalls);
    state.register_function_rewrite(calls)?;
    state.register_expr_planner(Arc::new(JsonOperators))?;
    datafusion_functions_json::register_all(state)?;
    for function in functions() {
        state.register_udf(JsonFunction::over(function))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
