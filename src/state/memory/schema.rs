//! The columns of a state: what the plan of one batch happens to say of them does not matter.
//!
//! Each batch is planned anew. The optimizer numbers the names that it makes (`__common_expr_3`) as it
//! goes, and a constant of one batch, such as its time, may be null in the next. The files and the memory
//! of a state outlive a batch, so their columns depend on the places and types of the columns only.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};

/// Prefixes of the names that the optimizer makes; a number follows.
const GENERATED: [&str; 4] = [
    "__datafusion_extracted_",
    "__common_expr_",
    "__scalar_sq_",
    "__correlated_sq_",
];

/// The columns of a state whose groups have the columns of `planned` in the plan of a batch: generated
/// names are numbered anew, in the order in which they first stand in `planned`, and each column may hold
/// nulls.
pub(crate) fn state_schema(planned: &Schema) -> SchemaRef {
    let mut numbers = Vec::new();
    let fields = planned.fields().iter().map(|field| {
        let name = renumbered(field.name(), &mut numbers);
        Field::clone(field).with_name(name).with_nullable(true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Whether columns of `one` can stand for those of `other`: there are as many, of the same types.
pub(crate) fn have_same_types(one: &Schema, other: &Schema) -> bool {
    let types = |schema: &Schema| -> Vec<_> {
        let fields = schema.fields().iter();
        fields.map(|field| field.data_type().clone()).collect()
    };
    types(one) == types(other)
}

/// `name` with the numbers of generated names replaced by their place in `numbers`.
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
        let place = numbers.iter().position(|known| known == generated);
        let place = place.unwrap_or_else(|| {
            numbers.push(generated.to_owned());
            numbers.len() - 1
        });
        text.push_str(&rest[..number]);
        if end > number {
            text.push_str(&(place + 1).to_string());
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
    fn generated_names_are_numbered_in_the_order_in_which_they_stand() {
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
