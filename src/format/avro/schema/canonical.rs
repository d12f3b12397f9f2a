//! The canonical form of a schema, and its fingerprint.

use std::fmt::Write;

use super::{AvroSchema, Kind, TypeId};

/// The form in which schemas that read the same are the same text ("Parsing Canonical Form for Schemas").
pub(super) fn form(schema: &AvroSchema) -> String {
    let mut form = Form {
        schema,
        is_defined: vec![false; schema.types.len()],
        text: String::new(),
    };
    form.write(schema.root);
    form.text
}

struct Form<'a> {
    schema: &'a AvroSchema,
    /// Whether the named type with this index was written; after that, its name suffices.
    is_defined: Vec<bool>,
    text: String,
}

impl Form<'_> {
    fn write(&mut self, id: TypeId) {
        let avro_type = self.schema.get(id);
        match &avro_type.kind {
            Kind::Fixed { name, .. } | Kind::Enum { name, .. } | Kind::Record { name, .. } => {
                match std::mem::replace(&mut self.is_defined[id.0], true) {
                    true => self.quoted(name),
                    false => self.definition(name, &avro_type.kind),
                }
            }
            Kind::Array(item) => {
                self.text.push_str("{\"type\":\"array\",\"items\":");
                self.write(*item);
                self.text.push('}');
            }
            Kind::Map(value) => {
                self.text.push_str("{\"type\":\"map\",\"values\":");
                self.write(*value);
                self.text.push('}');
            }
            Kind::Union(branches) => self.list(branches, |form, branch| form.write(*branch)),
            _ => self.quoted(avro_type.name()),
        }
    }

    fn definition(&mut self, name: &str, kind: &Kind) {
        self.text.push_str("{\"name\":");
        self.quoted(name);
        match kind {
            Kind::Fixed { size, .. } => {
                // Writing to a String cannot fail.
                let _ = write!(self.text, ",\"type\":\"fixed\",\"size\":{size}");
            }
            Kind::Enum { symbols, .. } => {
                self.text.push_str(",\"type\":\"enum\",\"symbols\":");
                self.list(symbols, |form, symbol| form.quoted(symbol));
            }
            Kind::Record { fields, .. } => {
                self.text.push_str(",\"type\":\"record\",\"fields\":");
                self.list(fields, |form, field| {
                    form.text.push_str("{\"name\":");
                    form.quoted(&field.name);
                    form.text.push_str(",\"type\":");
                    form.write(field.data_type);
                    form.text.push('}');
                });
            }
            _ => {}
        }
        self.text.push('}');
    }

    fn list<T>(&mut self, items: &[T], write: impl Fn(&mut Self, &T)) {
        self.text.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            write(self, item);
        }
        self.text.push(']');
    }

    fn quoted(&mut self, text: &str) {
        self.text
            .push_str(&serde_json::Value::from(text).to_string());
    }
}

/// The polynomial of CRC-64-AVRO, which is also its value for no bytes.
const EMPTY: u64 = 0xc15d_213a_a4d7_a795;

const TABLE: [u64; 256] = table();

const fn table() -> [u64; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let mut crc = index as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (EMPTY & (crc & 1).wrapping_neg());
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

/// The checksum CRC-64-AVRO.
pub(super) fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(EMPTY, |crc, byte| {
        (crc >> 8) ^ TABLE[usize::from(crc as u8 ^ byte)]
    })
}
