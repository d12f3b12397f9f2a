//! Runs a plan: appends the values of a document to columns.

use super::input::{Items, Malformed};
use super::plan::{Plan, RecordPlan, Root};
use super::scalar::{self, Scalar};
use super::schema::TypeId;
use super::walk::Walk;
use crate::format::columns::{Column, Mismatch, type_name};
use crate::options::TimestampFormat;

/// Appends one document to columns.
#[derive(Debug)]
pub(super) struct RowReader<'a> {
    pub(super) walk: Walk<'a>,
    pub(super) timestamps: TimestampFormat,
    /// For JSON texts.
    pub(super) json: &'a mut Vec<u8>,
    /// The values that did not fit their columns.
    pub(super) mismatches: u64,
    /// The first of them.
    pub(super) first: Option<Misfit<'a>>,
    /// Whether a column without a field is to be found.
    pub(super) finds_missing: bool,
    /// The first column that the document has no field for, if it is to be found.
    pub(super) missing: Option<Missing<'a>>,
}

/// A column without a field.
#[derive(Debug)]
pub(super) struct Missing<'a> {
    /// The names of the fields around it, the innermost first.
    pub(super) path: Vec<&'a str>,
    pub(super) name: String,
}

/// A value that does not fit its column.
#[derive(Debug)]
pub(super) struct Misfit<'a> {
    pub(super) byte: usize,
    /// The names of the fields that lead to it, the innermost first.
    pub(super) path: Vec<&'a str>,
    pub(super) reason: String,
}

impl<'a> RowReader<'a> {
    /// Reads the whole document: appends one value to each of `columns`.
    pub(super) fn document(
        &mut self,
        root: &Root,
        columns: &mut [Column],
    ) -> Result<(), Malformed> {
        self.root(root, columns)?;
        self.walk.input.finish()
    }

    fn root(&mut self, root: &Root, columns: &mut [Column]) -> Result<(), Malformed> {
        match (root, columns) {
            (Root::Row(record), columns) => return self.record(record, columns),
            (Root::Union(branches), columns) => {
                let branch = self.walk.input.branch(branches.len())?;
                self.walk.enter()?;
                self.root(&branches[branch], columns)?;
                self.walk.leave();
            }
            (Root::Value(plan), [column]) => return self.value(plan, column),
            (Root::Value(Plan::Scalar(id)) | Root::Skip(id), columns) => {
                self.walk.skip(*id)?;
                columns.iter_mut().for_each(Column::push_null);
            }
            (Root::Value(_), _) => {}
            (Root::Misfit(id), columns) => {
                let byte = self.walk.input.position();
                self.walk.skip(*id)?;
                let name = self.walk.schema.get(*id).name();
                self.mismatch(byte, || {
                    format!("the document is of type {name}, but the table has several columns")
                });
                columns.iter_mut().for_each(Column::push_null);
            }
        }
        Ok(())
    }

    fn record(&mut self, record: &RecordPlan, columns: &mut [Column]) -> Result<(), Malformed> {
        let fields = self.walk.start_record(record.id)?;
        self.walk.enter()?;
        for (field, plan) in fields.iter().zip(&record.fields) {
            let Some((column, plan)) = plan else {
                let data_type = field.data_type;
                self.walk.field(&field.name, |walk| walk.skip(data_type))?;
                continue;
            };
            // A misfit of an earlier field has its path already.
            let (had_misfit, had_missing) = (self.first.is_some(), self.missing.is_some());
            let read = self.value(plan, &mut columns[*column]);
            if let (false, Some(first)) = (had_misfit, &mut self.first) {
                first.path.push(&field.name);
            }
            if let (false, Some(missing)) = (had_missing, &mut self.missing) {
                missing.path.push(&field.name);
            }
            if read.is_err() {
                self.walk.path.push(&field.name);
            }
            read?;
        }
        for (column, name) in &record.absent {
            columns[*column].push_null();
            if self.finds_missing {
                self.missing.get_or_insert_with(|| Missing {
                    path: Vec::new(),
                    name: name.clone(),
                });
            }
        }
        self.walk.leave();
        Ok(())
    }

    fn value(&mut self, plan: &Plan, column: &mut Column) -> Result<(), Malformed> {
        match plan {
            Plan::Scalar(id) => self.scalar(*id, column),
            Plan::Union(branches) => {
                let branch = self.walk.input.branch(branches.len())?;
                self.walk.enter()?;
                self.value(&branches[branch], column)?;
                self.walk.leave();
                Ok(())
            }
            Plan::Record(record) => {
                if let Some(columns) = column.struct_fields() {
                    self.record(record, columns)?;
                }
                column.finish_struct();
                Ok(())
            }
            Plan::List { item, item_type } => {
                self.walk.enter()?;
                let mut items = Items::new(self.walk.schema.has_bytes(*item_type));
                while let Some(column) = column.list_item()
                    && items.next(&mut self.walk.input)?
                {
                    self.value(item, column)?;
                }
                column.finish_list();
                self.walk.leave();
                Ok(())
            }
            Plan::Json(id) => self.json(*id, column),
            Plan::Misfit(id) => {
                let byte = self.walk.input.position();
                self.walk.skip(*id)?;
                self.misfit(byte, *id, None, column, Mismatch::Type);
                Ok(())
            }
        }
    }

    fn scalar(&mut self, id: TypeId, column: &mut Column) -> Result<(), Malformed> {
        let byte = self.walk.input.position();
        let value = scalar::read(&mut self.walk.input, self.walk.schema.get(id))?;
        if let Err(mismatch) = value.push_to(column, self.timestamps) {
            self.misfit(byte, id, Some(value), column, mismatch);
        }
        Ok(())
    }

    fn json(&mut self, id: TypeId, column: &mut Column) -> Result<(), Malformed> {
        let byte = self.walk.input.position();
        self.json.clear();
        let fits = self.walk.write_json(id, self.json)?;
        if !fits || column.push_bytes(self.json).is_err() {
            self.misfit(byte, id, None, column, Mismatch::Range);
        }
        Ok(())
    }

    /// Appends NULL in place of a value that does not fit.
    fn misfit(
        &mut self,
        byte: usize,
        id: TypeId,
        value: Option<Scalar<'_>>,
        column: &mut Column,
        mismatch: Mismatch,
    ) {
        column.push_null();
        let name = self.walk.schema.get(id).name();
        let data_type = type_name(column.data_type());
        self.mismatch(byte, || {
            let found = match value {
                Some(value) => format!("the {name} {}", shortened(&value.to_string())),
                None => format!("a value of type {name}"),
            };
            match mismatch {
                Mismatch::Type => format!("{found} is no {data_type}"),
                Mismatch::Range => format!("{found} is not exactly a {data_type}"),
            }
        });
    }

    fn mismatch(&mut self, byte: usize, reason: impl FnOnce() -> String) {
        self.mismatches += 1;
        self.first.get_or_insert_with(|| Misfit {
            byte,
            path: Vec::new(),
            reason: reason(),
        });
    }
}

/// Shortens a value for a message.
fn shortened(text: &str) -> String {
    const SHOWN_CHARS: usize = 40;
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
