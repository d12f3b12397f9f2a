//! The columns that hold all documents of some schemas: the inverse of [`derive`](super::derive).

mod notes;
mod scalars;

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields};

use self::scalars::{common, scalar};
use super::{AvroField, AvroSchema, AvroType, Kind, TypeId};
use crate::format::names::can_be_declared;

/// The name of the only column for documents that are no records.
const VALUE: &str = "value";

/// The deepest nesting that becomes a type; below it is JSON as text.
const MAX_DEPTH: usize = 16;

/// The most fields within columns. A schema can use its named types again and again, so that the fields of a document
/// grow exponentially with their depth.
const MAX_NESTED_FIELDS: usize = 2_000;

/// A column for a field of documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::format) struct SchemaColumn {
    pub(in crate::format) name: String,
    /// Whether a schema has another field whose name differs only in case.
    pub(in crate::format) is_ambiguous: bool,
    pub(in crate::format) data_type: DataType,
    /// Its Avro type, with the schemas that have it.
    pub(in crate::format) note: String,
}

/// The columns for documents of some schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::format) struct SchemaColumns {
    pub(in crate::format) columns: Vec<SchemaColumn>,
    /// Whether some fields have no column.
    pub(in crate::format) left_out: bool,
}

/// The columns for documents of any of `schemas`, each of which has a name: the fields of the first, then those that
/// only others have.
pub(in crate::format) fn columns(schemas: &[(String, Arc<AvroSchema>)]) -> SchemaColumns {
    let mut typer = Typer {
        schemas,
        path: Vec::new(),
        nested_fields: 0,
    };
    let roots = (0..schemas.len()).map(|schema| (schema, schemas[schema].1.root));
    let (roots, _) = typer.flat(&roots.collect::<Vec<_>>());
    let is_record = |root: &&Part| matches!(typer.kind(**root), Kind::Record { .. });
    let records: Vec<Part> = roots.iter().filter(is_record).copied().collect();
    if records.is_empty() {
        return SchemaColumns {
            columns: vec![SchemaColumn {
                name: VALUE.to_owned(),
                is_ambiguous: false,
                data_type: typer.data_type(&roots),
                note: typer.note(&roots),
            }],
            left_out: false,
        };
    }
    typer.path.extend(&records);
    let fields = typer.fields(&records);
    let mut columns = Vec::with_capacity(fields.len());
    let mut left_out = false;
    for field in fields {
        left_out |= field.hides_others || !can_be_declared(&field.name);
        if can_be_declared(&field.name) {
            columns.push(SchemaColumn {
                data_type: typer.data_type(&field.parts),
                note: typer.note(&field.parts),
                name: field.name,
                is_ambiguous: field.hides_others,
            });
        }
    }
    SchemaColumns { columns, left_out }
}

/// A type of the schema with this index.
type Part = (usize, TypeId);

/// A field that has the same name, ignoring case, in all schemas.
struct MergedField {
    name: String,
    parts: Vec<Part>,
    /// Whether a record has another field of this name.
    hides_others: bool,
}

struct Typer<'a> {
    schemas: &'a [(String, Arc<AvroSchema>)],
    /// The records around the type.
    path: Vec<Part>,
    nested_fields: usize,
}

impl<'a> Typer<'a> {
    fn get(&self, (schema, id): Part) -> &'a AvroType {
        self.schemas[schema].1.get(id)
    }

    fn kind(&self, part: Part) -> &'a Kind {
        &self.get(part).kind
    }

    /// The types that values other than null can have, and whether one schema has several.
    fn flat(&self, parts: &[Part]) -> (Vec<Part>, bool) {
        let mut flat = Vec::with_capacity(parts.len());
        let mut is_mixed = false;
        for (schema, id) in parts.iter().copied() {
            let branches = match self.kind((schema, id)) {
                Kind::Union(branches) => branches.as_slice(),
                _ => &[id],
            };
            let branches = branches.iter().map(|branch| (schema, *branch));
            let start = flat.len();
            flat.extend(branches.filter(|branch| *self.kind(*branch) != Kind::Null));
            is_mixed |= flat.len() > start + 1;
        }
        (flat, is_mixed)
    }

    /// The type of a column that takes the values of all `parts`. VARCHAR takes most values as text or JSON.
    fn data_type(&mut self, parts: &[Part]) -> DataType {
        let (flat, is_mixed) = self.flat(parts);
        let kinds = || flat.iter().map(|part| self.kind(*part));
        if !is_mixed && !flat.is_empty() {
            if kinds().all(|kind| matches!(kind, Kind::Record { .. })) {
                return self.record(&flat);
            }
            if let Some(items) = self.items(&flat) {
                return match self.path.len() < MAX_DEPTH {
                    true => {
                        self.path.push(flat[0]);
                        let item = self.data_type(&items);
                        self.path.pop();
                        DataType::List(Arc::new(Field::new_list_field(item, true)))
                    }
                    false => DataType::Utf8View,
                };
            }
        }
        let is_text = |part: &Part| *self.kind(*part) == Kind::String;
        let scalars: Option<Vec<DataType>> =
            flat.iter().map(|part| scalar(self.get(*part))).collect();
        let Some(scalars) = scalars else {
            return DataType::Utf8View;
        };
        let mut mixed = flat.iter().zip(&scalars);
        // A string fits as its bytes, but bytes are not always text.
        if scalars.contains(&DataType::Binary)
            && mixed.all(|(part, scalar)| *scalar == DataType::Binary || is_text(part))
        {
            return DataType::Binary;
        }
        let common = scalars.into_iter().reduce(|one, other| match is_mixed {
            true if one != other => DataType::Utf8View,
            true => one,
            false => common(one, &other),
        });
        common.unwrap_or(DataType::Utf8View)
    }

    /// The types of items, if all are arrays.
    fn items(&self, arrays: &[Part]) -> Option<Vec<Part>> {
        let item = |array: &Part| match self.kind(*array) {
            Kind::Array(item) => Some((array.0, *item)),
            _ => None,
        };
        arrays.iter().map(item).collect()
    }

    fn record(&mut self, records: &[Part]) -> DataType {
        let is_recursive = records.iter().any(|record| self.path.contains(record));
        let fields = self.fields(records);
        self.nested_fields += fields.len();
        // SQL would change a name within a type.
        let is_declared = |field: &MergedField| can_be_declared(&field.name) && !field.hides_others;
        if is_recursive
            || self.path.len() >= MAX_DEPTH
            || self.nested_fields > MAX_NESTED_FIELDS
            || fields.is_empty()
            || !fields.iter().all(is_declared)
        {
            return DataType::Utf8View;
        }
        let depth = self.path.len();
        self.path.extend(records);
        let fields: Fields = fields
            .into_iter()
            .map(|field| Field::new(field.name, self.data_type(&field.parts), true))
            .collect();
        self.path.truncate(depth);
        DataType::Struct(fields)
    }

    /// The fields of `records`: those of the first, then those that only others have.
    fn fields(&self, records: &[Part]) -> Vec<MergedField> {
        let mut merged: Vec<MergedField> = Vec::new();
        for record in records {
            let Kind::Record { fields, .. } = self.kind(*record) else {
                continue;
            };
            let mut seen = HashSet::new();
            for AvroField { name, data_type } in fields {
                let is_first = seen.insert(name.to_ascii_lowercase());
                let part = (record.0, *data_type);
                let known = merged
                    .iter_mut()
                    .find(|field| field.name.eq_ignore_ascii_case(name));
                match known {
                    // The column takes the field with exactly its name, or else the last.
                    Some(known) if !is_first => {
                        known.hides_others = true;
                        known.parts.push(part);
                    }
                    Some(known) => known.parts.push(part),
                    None => merged.push(MergedField {
                        name: name.clone(),
                        parts: vec![part],
                        hides_others: false,
                    }),
                }
            }
        }
        merged
    }
}
