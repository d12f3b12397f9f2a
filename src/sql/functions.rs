//! Scalar functions that replace DataFusion's.

use std::sync::Arc;

use datafusion::arrow::compute::kernels::length::length;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::types::{logical_binary, logical_string};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    Coercion, ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, TypeSignatureClass, Volatility,
};

/// `octet_length` for strings and binary; it replaces DataFusion's function of the same name.
pub(super) fn octet_length() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(OctetLength::default()))
}

/// `octet_length`; DataFusion's accepts strings only.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OctetLength {
    signature: Signature,
}

impl Default for OctetLength {
    fn default() -> Self {
        let of = |class| TypeSignature::Coercible(vec![Coercion::new_exact(class)]);
        let text = of(TypeSignatureClass::Native(logical_string()));
        let bytes = of(TypeSignatureClass::Native(logical_binary()));
        Self {
            signature: Signature::one_of(vec![text, bytes], Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for OctetLength {
    fn name(&self) -> &str {
        "octet_length"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [DataType::LargeUtf8 | DataType::LargeBinary] => Ok(DataType::Int64),
            [_] => Ok(DataType::Int32),
            _ => plan_err!("octet_length takes one argument"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.as_slice() {
            [ColumnarValue::Array(values)] => Ok(ColumnarValue::Array(length(values)?)),
            [ColumnarValue::Scalar(value)] => {
                let lengths = length(&value.to_array()?)?;
                let length = ScalarValue::try_from_array(&lengths, 0)?;
                Ok(ColumnarValue::Scalar(length))
            }
            _ => plan_err!("octet_length takes one argument"),
        }
    }
}
