//! The schema of a state, independent of the plan of a single batch.
//!
//! Every batch is planned separately. The optimizer numbers the names that it generates (`__common_expr_3`)
//! consecutively, and a value that cannot be null in one batch, such as a constant, may be null in the next.
//! Memory and files outlive a batch, so their schema depends only on the order and the types of the columns.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};

/// Prefixes of the names that the optimizer generates; a number follows.
const GENERATED: [&str; 4] = [
    "__datafusion_extracted_",
    "__common_expr_",
    "__scalar_sq_",
    "__correlated_sq_",
];

/// The schema of a state whose columns are `planned` in the plan of a batch: generated names are renumbered in the
/// order of their first use, and every column is nullable.
pub(crate) fn state_schema(planned: &Schema) -> SchemaRef {
    let mut numbers = Vec::new();
    let fields = planned.fields().iter().map(|field| {
        let name = renumbered(field.name(), &mut numbers);
        Field::clone(field).with_name(name).with_nullable(true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Whether both have the same number of columns, of the same types.
pub(crate) fn have_same_types(one: &Schema, other: &Schema) -> bool {
    let types = |schema: &Schema| -> Vec<_> {
        let fields = schema.fields().iter();
        fields.map(|field| field.data_type().clone()).collect()
    };
    types(one) == types(other)
}

/// `names` without duplicates: later ones are numbered.
pub(crate) fn unique_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut taken = HashSet::new();
    let unique = names.map(|name| {
        let mut unique = name.to_owned();
        let mut number = 1;
        while !taken.insert(unique.clone()) {
            number += 1;
            unique = format!("{name}_{number}");
        }
        unique
    });
    unique.collect()
}

/// `name` with the numbers of generated names replaced by their index in `numbers`.
fn renumbered(name: &str, numbers: &mut Vec<String>) -> String {
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    let next = |rest: &str| {
        let found = GENERATED.iter().filter_map(|prefix| {
            let start = rest.find(prefix)?;
            Some((start, start + prefix.len()))
        });
        found.min()
    };
    while let Some((start, number)) = next(rest) {
        let digits = rest[number..].bytes().take_while(u8::is_ascii_digit);
        let end = number + digits.count();
        let generated = &rest[start..end];
        let index = numbers.iter().position(|known| known == generated);
        let index = index.unwrap_or_else(|| {
            numbers.push(generated.to_owned());
            numbers.len() - 1
        });
        text.push_str(&rest[..number]);
        if end > number {
            text.push_str(&(index + 1).to_string());
        }
        rest = &rest[end..];
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::DataType;

    use super::*;

    #[test]
    fn duplicate_names_are_numbered() {
        let names = ["a", "sum[sum]", "a", "a_2", "batch", "batch"];
        let expected = ["a", "sum[sum]", "a_2", "a_2_2", "batch", "batch_2"];
        assert_eq!(unique_names(names.into_iter()), expected);
    }

    #[test]
    fn generated_names_are_renumbered_in_order_of_first_use() {
        let fields = [
            "key",
            "sum(__common_expr_7)[sum]",
            "max(__scalar_sq_12.w + __common_expr_7)[max]",
            "__common_expr_",
        ];
        let fields = fields.map(|name| Field::new(name, DataType::Int64, false));
        let schema = state_schema(&Schema::new(fields.to_vec()));
        let names: Vec<&str> = schema
            .fields()
            .iter()
            .map(|field| &**field.name())
            .collect();
        let expected = [
            "key",
            "sum(__common_expr_1)[sum]",
            "max(__scalar_sq_2.w + __common_expr_1)[max]",
            "__common_expr_",
        ];
        assert_eq!(names, expected);
        assert!(schema.fields().iter().all(|field| field.is_nullable()));
    }
}
