//! Walks over the values of a document: skips them, or writes them as JSON.

use super::input::{Input, Items, Malformed, Reason};
use super::scalar::{self, Scalar, write_json_string};
use super::schema::{AvroField, AvroSchema, Kind, TypeId};

/// How deeply values may be nested. Unions, arrays, maps and records count.
pub(super) const MAX_DEPTH: usize = 256;

/// The most bytes that the JSON texts of one document may have together.
const MAX_JSON_BYTES: usize = 64 * 1024 * 1024;

/// Walks over one document.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) schema: &'a AvroSchema,
    pub(super) input: Input<'a>,
    /// The names of the fields around the malformed value, the innermost first.
    pub(super) path: Vec<&'a str>,
    depth: usize,
    /// The JSON texts of the document so far.
    json_bytes: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(schema: &'a AvroSchema, input: Input<'a>) -> Self {
        Self {
            schema,
            input,
            path: Vec::new(),
            depth: 0,
            json_bytes: 0,
        }
    }

    /// How many bytes the columns may have grown by in addition to the document's own.
    pub(super) fn additional_bytes(&self) -> usize {
        self.json_bytes + self.input.free_values()
    }

    /// Runs `walk` one level deeper.
    pub(super) fn nested<T>(
        &mut self,
        walk: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        self.enter()?;
        let walked = walk(self)?;
        self.leave();
        Ok(walked)
    }

    /// Goes one level deeper. What is read and what is skipped must count the same levels, so that a document is
    /// valid whatever columns a query reads.
    pub(super) fn enter(&mut self) -> Result<(), Malformed> {
        if self.depth == MAX_DEPTH {
            return Err(Malformed {
                byte: self.input.position(),
                reason: Reason::Depth(MAX_DEPTH),
            });
        }
        self.depth += 1;
        Ok(())
    }

    /// Ends a level.
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// The fields of a record, which starts.
    pub(super) fn start_record(&mut self, id: TypeId) -> Result<&'a [AvroField], Malformed> {
        let fields = self.schema.fields(id);
        if !self.schema.has_bytes(id) {
            self.input.count_free(fields.len().max(1))?;
        }
        Ok(fields)
    }

    /// Reads the index of a branch of the union.
    pub(super) fn branch(&mut self, branches: &[TypeId]) -> Result<TypeId, Malformed> {
        Ok(branches[self.input.branch(branches.len())?])
    }

    /// Runs `walk` for the value of a field.
    pub(super) fn field<T>(
        &mut self,
        name: &'a str,
        walk: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        walk(self).inspect_err(|_| self.path.push(name))
    }

    /// Skips a value.
    pub(super) fn skip(&mut self, id: TypeId) -> Result<(), Malformed> {
        let schema = self.schema;
        match &schema.get(id).kind {
            Kind::Null => Ok(()),
            Kind::Record { .. } => {
                let fields = self.start_record(id)?;
                self.nested(|walk| {
                    (fields.iter()).try_for_each(|field| {
                        walk.field(&field.name, |walk| walk.skip(field.data_type))
                    })
                })
            }
            Kind::Union(branches) => {
                let branch = self.branch(branches)?;
                self.nested(|walk| walk.skip(branch))
            }
            Kind::Array(item) => self.nested(|walk| {
                let mut items = Items::new(schema.has_bytes(*item));
                while items.next(&mut walk.input)? {
                    walk.skip(*item)?;
                }
                Ok(())
            }),
            Kind::Map(value) => self.nested(|walk| {
                let mut items = Items::new(true);
                while items.next(&mut walk.input)? {
                    walk.input.string()?;
                    walk.skip(*value)?;
                }
                Ok(())
            }),
            _ => scalar::read(&mut self.input, schema.get(id)).map(drop),
        }
    }

    /// Writes a value to `json`, which is empty. Returns `false` if the text would be too long.
    pub(super) fn write_json(&mut self, id: TypeId, json: &mut Vec<u8>) -> Result<bool, Malformed> {
        self.json(id, json)?;
        let fits = json.len() + self.json_bytes <= MAX_JSON_BYTES;
        if fits {
            self.json_bytes += json.len();
        }
        Ok(fits)
    }

    fn json(&mut self, id: TypeId, json: &mut Vec<u8>) -> Result<(), Malformed> {
        if json.len() + self.json_bytes > MAX_JSON_BYTES {
            return self.skip(id);
        }
        let schema = self.schema;
        match &schema.get(id).kind {
            Kind::Null => Scalar::Null.write_json(json),
            Kind::Record { .. } => {
                let fields = self.start_record(id)?;
                self.nested(|walk| walk.json_record(fields, json))?;
            }
            Kind::Union(branches) => {
                let branch = self.branch(branches)?;
                self.nested(|walk| walk.json(branch, json))?;
            }
            Kind::Array(item) => self.nested(|walk| walk.json_array(*item, json))?,
            Kind::Map(value) => self.nested(|walk| walk.json_map(*value, json))?,
            _ => scalar::read(&mut self.input, schema.get(id))?.write_json(json),
        }
        Ok(())
    }

    fn json_record(
        &mut self,
        fields: &'a [AvroField],
        json: &mut Vec<u8>,
    ) -> Result<(), Malformed> {
        json.push(b'{');
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                json.push(b',');
            }
            write_json_string(&field.name, json);
            json.push(b':');
            self.field(&field.name, |walk| walk.json(field.data_type, json))?;
        }
        json.push(b'}');
        Ok(())
    }

    fn json_array(&mut self, item: TypeId, json: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut items = Items::new(self.schema.has_bytes(item));
        json.push(b'[');
        while items.next(&mut self.input)? {
            if json.last() != Some(&b'[') {
                json.push(b',');
            }
            self.json(item, json)?;
        }
        json.push(b']');
        Ok(())
    }

    fn json_map(&mut self, value: TypeId, json: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut items = Items::new(true);
        json.push(b'{');
        while items.next(&mut self.input)? {
            if json.last() != Some(&b'{') {
                json.push(b',');
            }
            write_json_string(self.input.string()?, json);
            json.push(b':');
            self.json(value, json)?;
        }
        json.push(b'}');
        Ok(())
    }
}
