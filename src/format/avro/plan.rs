//! Compiles a schema and columns to what is done with each value of a document.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Fields};

use super::schema::{AvroField, AvroSchema, Kind, TypeId};

/// What is done with a value for which there is a column.
#[derive(Debug)]
pub(super) enum Plan {
    /// It is appended.
    Scalar(TypeId),
    /// Its fields are appended to those of a struct.
    Record(RecordPlan),
    /// Its items are appended to a list.
    List { item: Box<Self>, item_type: TypeId },
    /// It is one of several types.
    Union(Arc<[Self]>),
    /// It is appended as JSON text.
    Json(TypeId),
    /// It never fits the column.
    Misfit(TypeId),
}

/// What is done with a record.
#[derive(Debug)]
pub(super) struct RecordPlan {
    pub(super) id: TypeId,
    /// For each field of the record, the column that takes it and how; `None` if it is skipped.
    pub(super) fields: Vec<Option<(usize, Plan)>>,
    /// The columns that no field has, with their names.
    pub(super) absent: Vec<(usize, String)>,
}

/// What is done with a document.
#[derive(Debug)]
pub(super) enum Root {
    /// A record is a row.
    Row(RecordPlan),
    /// A value is the only column of a row.
    Value(Plan),
    /// A row has no value from it: NULL, or a query that reads no column.
    Skip(TypeId),
    /// A value that is no record, in a table with several columns.
    Misfit(TypeId),
    /// A document is one of several types.
    Union(Vec<Self>),
}

/// The field of a record that each column takes. A field belongs to the column with the same name, or else to the
/// first that differs only in case. Of several fields, the column takes the one with the same name, or else the last.
pub(super) fn taken(fields: &[AvroField], columns: &Fields) -> Vec<Option<usize>> {
    let mut takes: Vec<Option<usize>> = vec![None; columns.len()];
    for (index, field) in fields.iter().enumerate() {
        let name = &field.name;
        let exact = columns.iter().position(|column| column.name() == name);
        let same = || {
            let mut columns = columns.iter();
            columns.position(|column| column.name().eq_ignore_ascii_case(name))
        };
        let Some(column) = exact.or_else(same) else {
            continue;
        };
        let taken = takes[column].map(|taken| &fields[taken].name);
        if taken != Some(columns[column].name()) {
            takes[column] = Some(index);
        }
    }
    takes
}

/// Compiles the plans of one schema.
struct Planner<'a> {
    schema: &'a AvroSchema,
    /// The plans of each union, by its type and the address of the column's type. Without it, records that contain
    /// unions of records would be compiled once for each path to them, and the number of paths grows exponentially
    /// with their depth.
    unions: HashMap<(TypeId, usize), Arc<[Plan]>>,
}

impl Planner<'_> {
    /// What is done with a value of type `id` for a column of this type.
    fn plan(&mut self, id: TypeId, column: &DataType) -> Plan {
        match (&self.schema.get(id).kind, column) {
            (Kind::Union(branches), _) => Plan::Union(self.union(id, branches, column)),
            (Kind::Record { fields, .. }, DataType::Struct(columns)) => {
                Plan::Record(self.record(id, fields, columns))
            }
            (Kind::Array(item_type), DataType::List(item)) => Plan::List {
                item: Box::new(self.plan(*item_type, item.data_type())),
                item_type: *item_type,
            },
            (Kind::Record { .. } | Kind::Array(_) | Kind::Map(_), column) if column.is_string() => {
                Plan::Json(id)
            }
            (Kind::Record { .. } | Kind::Array(_) | Kind::Map(_), _) => Plan::Misfit(id),
            (Kind::Null, _) => Plan::Scalar(id),
            (_, DataType::Struct(_) | DataType::List(_)) => Plan::Misfit(id),
            _ => Plan::Scalar(id),
        }
    }

    fn union(&mut self, id: TypeId, branches: &[TypeId], column: &DataType) -> Arc<[Plan]> {
        let key = (id, std::ptr::from_ref(column).addr());
        if let Some(known) = self.unions.get(&key) {
            return Arc::clone(known);
        }
        let branches = branches.iter().map(|id| self.plan(*id, column));
        let plans: Arc<[Plan]> = branches.collect();
        self.unions.insert(key, Arc::clone(&plans));
        plans
    }

    /// What is done with a record whose fields have these columns.
    fn record(&mut self, id: TypeId, fields: &[AvroField], columns: &Fields) -> RecordPlan {
        let takes = taken(fields, columns);
        let field = |(index, field): (usize, &AvroField)| {
            let column = takes.iter().position(|taken| *taken == Some(index))?;
            let data_type = columns[column].data_type();
            Some((column, self.plan(field.data_type, data_type)))
        };
        RecordPlan {
            id,
            fields: fields.iter().enumerate().map(field).collect(),
            absent: (takes.iter().zip(columns).enumerate())
                .filter(|(_, (taken, _))| taken.is_none())
                .map(|(column, (_, field))| (column, field.name().clone()))
                .collect(),
        }
    }

    fn root(&mut self, id: TypeId, columns: &Fields, all: usize) -> Root {
        match &self.schema.get(id).kind {
            Kind::Record { fields, .. } => Root::Row(self.record(id, fields, columns)),
            Kind::Union(branches) => {
                let branches = branches.iter();
                Root::Union(branches.map(|id| self.root(*id, columns, all)).collect())
            }
            Kind::Null => Root::Skip(id),
            _ => match columns.first() {
                None => Root::Skip(id),
                Some(column) if all == 1 => Root::Value(self.plan(id, column.data_type())),
                Some(_) => Root::Misfit(id),
            },
        }
    }
}

impl Root {
    /// What is done with documents of `schema`, if `columns` of a table with `all` columns are decoded.
    pub(super) fn new(schema: &AvroSchema, columns: &Fields, all: usize) -> Self {
        let mut planner = Planner {
            schema,
            unions: HashMap::new(),
        };
        planner.root(schema.root(), columns, all)
    }
}
