//! Test vectors of the engine's hash functions.
//!
//! Some states contain hashes, such as the sketch of `approx_distinct`. An engine that hashes values
//! differently cannot use such a state, and nothing in its columns shows that. Therefore every file records
//! how the engine that wrote it hashes fixed values, and an engine that reads it must hash them in the same
//! way.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::common::hash_utils::{HLL_RANDOM_STATE, HashState, create_hashes};
use datafusion::physical_plan::repartition::REPARTITION_RANDOM_STATE;
use md5::{Digest, Md5};

/// Digests of the hashes of fixed values, by type; [`SKETCHES`] is the digest of those that sketches keep.
pub(super) type HashVectors = BTreeMap<String, String>;

const SKETCHES: &str = "sketches";

/// Types whose values sketches hash.
const SKETCHED: [DataType; 4] = [
    DataType::Int64,
    DataType::Float64,
    DataType::Utf8,
    DataType::Binary,
];

/// Characters of a digest that are kept.
const DIGITS: usize = 16;

/// The test vectors of a state with these group columns.
pub(super) fn hash_vectors<'a>(
    groups: impl IntoIterator<Item = &'a Arc<Field>>,
) -> Result<HashVectors> {
    let sketched = SKETCHED.iter().filter_map(fixed_values);
    let sketches = digest(sketched, &HLL_RANDOM_STATE)?;
    let mut vectors = HashVectors::from([(SKETCHES.to_owned(), sketches)]);
    let mut types = Vec::new();
    for field in groups {
        leaves(field.data_type(), &mut types);
    }
    for data_type in types {
        if let Some(values) = fixed_values(&data_type) {
            let hashes = digest([values], REPARTITION_RANDOM_STATE.random_state())?;
            vectors.insert(data_type.to_string(), hashes);
        }
    }
    Ok(vectors)
}

/// The types that determine the hash of a value of `data_type`.
fn leaves(data_type: &DataType, found: &mut Vec<DataType>) {
    match data_type {
        DataType::Dictionary(_, values) => leaves(values, found),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => leaves(field.data_type(), found),
        DataType::Struct(fields) => {
            for field in fields {
                leaves(field.data_type(), found);
            }
        }
        other => found.push(other.clone()),
    }
}

/// Fixed values of a type; `None` for a type that neither numbers nor texts can be cast to.
fn fixed_values(data_type: &DataType) -> Option<ArrayRef> {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![
        Some(""),
        Some("a"),
        None,
        Some("a longer text, beyond what is kept inline"),
    ]));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(0), Some(1), None, Some(1_234)]));
    let is_text = matches!(
        data_type,
        DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
    );
    match is_text {
        true => cast(&texts, data_type).ok(),
        false => cast(&numbers, data_type).ok(),
    }
}

fn digest(arrays: impl IntoIterator<Item = ArrayRef>, state: &impl HashState) -> Result<String> {
    let mut md5 = Md5::new();
    for values in arrays {
        let mut hashes = vec![0; values.len()];
        create_hashes([&values], state, &mut hashes)?;
        for hash in hashes {
            md5.update(hash.to_le_bytes());
        }
    }
    let digest = md5.finalize();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(hex[..DIGITS].to_owned())
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::TimeUnit;

    use super::*;

    #[test]
    fn every_kind_of_key_has_a_vector() {
        let types = [
            DataType::Boolean,
            DataType::Int8,
            DataType::UInt64,
            DataType::Float32,
            DataType::Decimal128(20, 3),
            DataType::Utf8View,
            DataType::BinaryView,
            DataType::Date32,
            DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            DataType::Time64(TimeUnit::Microsecond),
        ];
        let fields = types
            .iter()
            .map(|of| Arc::new(Field::new("key", of.clone(), true)));
        let fields: Vec<_> = fields.collect();
        let vectors = hash_vectors(&fields).unwrap();
        assert!(vectors.contains_key(SKETCHES));
        for of in &types {
            assert!(vectors.contains_key(&of.to_string()), "{of}: {vectors:?}");
        }
    }

    #[test]
    fn nested_keys_have_the_vectors_of_their_parts() {
        let dictionary =
            DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::LargeUtf8));
        let list = DataType::new_list(dictionary, true);
        let field = Field::new("b", DataType::Date32, true);
        let fields = vec![Field::new("a", list, true), field];
        let key = Arc::new(Field::new("key", DataType::Struct(fields.into()), true));
        let vectors = hash_vectors([&key]).unwrap();
        for of in ["LargeUtf8", "Date32"] {
            assert!(vectors.contains_key(of), "{vectors:?}");
        }
    }
}
