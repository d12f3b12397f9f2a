//! JSON functions that also take binary columns.

use std::sync::Arc;

use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{ScalarFunction, TryCast};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature,
};

/// A function of `datafusion-functions-json` that takes JSON as text or as bytes. JSON in bytes that are not UTF-8
/// is NULL, as with `TRY_CAST`.
///
/// Plans are made with this function, so that types are right; [`JsonCalls`] then replaces it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct JsonFunction {
    of_text: Arc<ScalarUDF>,
}

impl JsonFunction {
    /// `of_text`, which takes text only, also for bytes.
    pub(super) fn over(of_text: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::from(Self { of_text }))
    }
}

/// The type of text that values of type `json` are cast to; `None` if the functions take them as they are.
fn text_type(json: &DataType) -> Option<DataType> {
    match json {
        DataType::Binary | DataType::Null => Some(DataType::Utf8),
        DataType::LargeBinary => Some(DataType::LargeUtf8),
        DataType::BinaryView => Some(DataType::Utf8View),
        _ => None,
    }
}

fn text_field(field: &FieldRef) -> FieldRef {
    match text_type(field.data_type()) {
        Some(text) => Arc::new(Field::new(field.name(), text, true)),
        None => Arc::clone(field),
    }
}

impl ScalarUDFImpl for JsonFunction {
    fn name(&self) -> &str {
        self.of_text.name()
    }

    fn signature(&self) -> &Signature {
        self.of_text.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let mut arguments = arguments.to_vec();
        if let Some(json) = arguments.first_mut()
            && let Some(text) = text_type(json)
        {
            *json = text;
        }
        self.of_text.return_type(&arguments)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let mut fields = arguments.arg_fields.to_vec();
        if let Some(json) = fields.first_mut() {
            *json = text_field(json);
        }
        self.of_text.return_field_from_args(ReturnFieldArgs {
            arg_fields: &fields,
            scalar_arguments: arguments.scalar_arguments,
        })
    }

    /// For sessions that do not run [`JsonCalls`].
    fn invoke_with_args(&self, mut arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Some(json) = arguments.args.first_mut()
            && let Some(text) = text_type(&json.data_type())
        {
            let or_null = CastOptions {
                safe: true,
                ..CastOptions::default()
            };
            *json = match json {
                ColumnarValue::Array(values) => {
                    ColumnarValue::Array(cast_with_options(values, &text, &or_null)?)
                }
                ColumnarValue::Scalar(value) => {
                    ColumnarValue::Scalar(value.cast_to_with_options(&text, &or_null)?)
                }
            };
        }
        if let Some(json) = arguments.arg_fields.first_mut() {
            *json = text_field(json);
        }
        self.of_text.invoke_with_args(arguments)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.of_text.documentation()
    }
}

/// Replaces calls of a [`JsonFunction`] with the function of text, and casts bytes with `TRY_CAST`. Several calls
/// with the same column then share the cast, and `datafusion-functions-json` recognizes its own functions.
#[derive(Debug)]
pub(super) struct JsonCalls;

impl FunctionRewrite for JsonCalls {
    fn name(&self) -> &'static str {
        "kinesis_json_calls"
    }

    fn rewrite(
        &self,
        expr: Expr,
        schema: &DFSchema,
        _config: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        let Expr::ScalarFunction(ScalarFunction { func, mut args }) = expr else {
            return Ok(Transformed::no(expr));
        };
        let Some(function) = func.inner().downcast_ref::<JsonFunction>() else {
            return Ok(Transformed::no(Expr::ScalarFunction(ScalarFunction {
                func,
                args,
            })));
        };
        if let Some(json) = args.first_mut()
            && let Some(text) = text_type(&json.get_type(schema)?)
        {
            *json = Expr::TryCast(TryCast::new(Box::new(std::mem::take(json)), text));
        }
        Ok(Transformed::yes(Expr::ScalarFunction(
            ScalarFunction::new_udf(Arc::clone(&function.of_text), args),
        )))
    }
}
