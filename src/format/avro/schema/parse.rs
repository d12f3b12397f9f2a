//! Parses schemas in their JSON form.

use std::collections::{HashMap, HashSet};

use datafusion::arrow::datatypes::TimeUnit;
use serde_json::{Map, Value};

use super::{AvroField, AvroType, Kind, Logical, TypeId};

/// What is wrong with a schema.
type Parsed<T> = Result<T, String>;

/// The types of the schema that `json` describes, and the index of its root. It can use the named types of
/// `references`, each of which can use those of the ones before it.
pub(super) fn parse(json: &str, references: &[String]) -> Parsed<(Vec<AvroType>, TypeId)> {
    let mut parser = Parser::default();
    for reference in references {
        let parsed = value(reference).and_then(|json| parser.schema(&json, ""));
        parsed.map_err(|reason| format!("a schema that it refers to: {reason}"))?;
    }
    let root = parser.schema(&value(json)?, "")?;
    Ok((parser.types, root))
}

fn value(json: &str) -> Parsed<Value> {
    serde_json::from_str(json)
        .map_err(|error| format!("expected JSON such as {{\"type\": \"record\", …}}: {error}"))
}

#[derive(Default)]
struct Parser {
    types: Vec<AvroType>,
    /// The named types, by full name.
    names: HashMap<String, TypeId>,
}

impl Parser {
    /// A type in any form. `namespace` is the one around it.
    fn schema(&mut self, json: &Value, namespace: &str) -> Parsed<TypeId> {
        match json {
            Value::String(name) => match primitive(name) {
                Some(kind) => Ok(self.add(kind, None)),
                None => self.named(name, namespace),
            },
            Value::Array(branches) => self.union(branches, namespace),
            Value::Object(object) => self.object(object, namespace),
            other => Err(format!(
                "{other} is no type: expected a name, an object or an array"
            )),
        }
    }

    fn add(&mut self, kind: Kind, logical: Option<Logical>) -> TypeId {
        self.types.push(AvroType { kind, logical });
        TypeId(self.types.len() - 1)
    }

    /// The type that was defined before as `name`.
    fn named(&self, name: &str, namespace: &str) -> Parsed<TypeId> {
        let full = full_name(name, namespace);
        let found = self.names.get(&full).or_else(|| self.names.get(name));
        found.copied().ok_or_else(|| {
            format!(
                "type '{full}' is not known: expected a primitive type, or a record, enum or fixed that is defined \
                 before"
            )
        })
    }

    fn union(&mut self, branches: &[Value], namespace: &str) -> Parsed<TypeId> {
        let branches = branches
            .iter()
            .map(|branch| self.schema(branch, namespace))
            .collect::<Parsed<Vec<_>>>()?;
        let mut names = HashSet::with_capacity(branches.len());
        for branch in &branches {
            let branch = &self.types[branch.0];
            if matches!(branch.kind, Kind::Union(_)) {
                return Err("a union contains a union".to_owned());
            }
            let name = branch_name(branch);
            if !names.insert(name) {
                return Err(format!("a union contains two types '{name}'"));
            }
        }
        Ok(self.add(Kind::Union(branches), None))
    }

    fn object(&mut self, object: &Map<String, Value>, namespace: &str) -> Parsed<TypeId> {
        let name = match object.get("type") {
            Some(Value::String(name)) => name.as_str(),
            // The type is one level deeper.
            Some(nested) => return self.schema(nested, namespace),
            None => return Err("a type lacks \"type\"".to_owned()),
        };
        match name {
            "record" | "error" => self.record(object, namespace),
            "enum" => {
                let name = defined_name(object, namespace)?;
                let symbols =
                    symbols(object).map_err(|reason| format!("enum '{name}' {reason}"))?;
                let id = self.add(
                    Kind::Enum {
                        name: name.clone(),
                        symbols,
                    },
                    None,
                );
                self.define(&name, id)
            }
            "fixed" => {
                let name = defined_name(object, namespace)?;
                let size = object.get("size").and_then(Value::as_u64);
                let size = size.and_then(|size| usize::try_from(size).ok());
                let size = size.ok_or_else(|| {
                    format!("fixed '{name}' has no valid \"size\": expected a number of bytes")
                })?;
                let kind = Kind::Fixed {
                    name: name.clone(),
                    size,
                };
                let logical = logical(&kind, object);
                let id = self.add(kind, logical);
                self.define(&name, id)
            }
            "array" => {
                let item = self.part(object, "items", "array", namespace)?;
                Ok(self.add(Kind::Array(item), None))
            }
            "map" => {
                let value = self.part(object, "values", "map", namespace)?;
                Ok(self.add(Kind::Map(value), None))
            }
            _ => match primitive(name) {
                Some(kind) => {
                    let logical = logical(&kind, object);
                    Ok(self.add(kind, logical))
                }
                None => self.named(name, namespace),
            },
        }
    }

    fn part(
        &mut self,
        object: &Map<String, Value>,
        key: &str,
        name: &str,
        namespace: &str,
    ) -> Parsed<TypeId> {
        let part = object.get(key);
        let part = part.ok_or_else(|| format!("type '{name}' lacks \"{key}\""))?;
        self.schema(part, namespace)
    }

    fn record(&mut self, object: &Map<String, Value>, namespace: &str) -> Parsed<TypeId> {
        let name = defined_name(object, namespace)?;
        let Some(Value::Array(fields)) = object.get("fields") else {
            return Err(format!("record '{name}' has no array \"fields\""));
        };
        // Defined before its fields, which can refer to it.
        let id = self.add(
            Kind::Record {
                name: name.clone(),
                fields: Vec::new(),
            },
            None,
        );
        self.define(&name, id)?;
        let inner = name.rsplit_once('.').map_or("", |(namespace, _)| namespace);
        let mut parsed: Vec<AvroField> = Vec::with_capacity(fields.len());
        let mut names = HashSet::with_capacity(fields.len());
        for field in fields {
            let field_name = field.get("name").and_then(Value::as_str);
            let field_name = field_name.filter(|name| !name.is_empty());
            let field_name =
                field_name.ok_or_else(|| format!("record '{name}' has a field without a name"))?;
            if !names.insert(field_name) {
                return Err(format!("record '{name}' has two fields '{field_name}'"));
            }
            let data_type = field
                .get("type")
                .ok_or_else(|| "it lacks \"type\"".to_owned());
            let data_type = data_type
                .and_then(|data_type| self.schema(data_type, inner))
                .map_err(|reason| format!("record '{name}', field '{field_name}': {reason}"))?;
            parsed.push(AvroField {
                name: field_name.to_owned(),
                data_type,
            });
        }
        self.types[id.0].kind = Kind::Record {
            name,
            fields: parsed,
        };
        Ok(id)
    }

    fn define(&mut self, name: &str, id: TypeId) -> Parsed<TypeId> {
        match self.names.insert(name.to_owned(), id) {
            None => Ok(id),
            Some(_) => Err(format!("type '{name}' is defined twice")),
        }
    }
}

fn primitive(name: &str) -> Option<Kind> {
    Some(match name {
        "null" => Kind::Null,
        "boolean" => Kind::Boolean,
        "int" => Kind::Int,
        "long" => Kind::Long,
        "float" => Kind::Float,
        "double" => Kind::Double,
        "bytes" => Kind::Bytes,
        "string" => Kind::String,
        _ => return None,
    })
}

/// What must differ between the branches of a union.
fn branch_name(branch: &AvroType) -> &str {
    match &branch.kind {
        Kind::Fixed { name, .. } | Kind::Enum { name, .. } | Kind::Record { name, .. } => name,
        _ => branch.name(),
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    match name.contains('.') || namespace.is_empty() {
        true => name.to_owned(),
        false => format!("{namespace}.{name}"),
    }
}

/// The full name of the named type that `object` defines.
fn defined_name(object: &Map<String, Value>, around: &str) -> Parsed<String> {
    let name = object.get("name").and_then(Value::as_str);
    let name = name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| "a record, enum or fixed has no name".to_owned())?;
    let namespace = object.get("namespace").and_then(Value::as_str);
    Ok(full_name(name, namespace.unwrap_or(around)))
}

fn symbols(object: &Map<String, Value>) -> Parsed<Vec<String>> {
    let Some(Value::Array(symbols)) = object.get("symbols") else {
        return Err("has no array \"symbols\"".to_owned());
    };
    let symbols: Option<Vec<String>> = symbols
        .iter()
        .map(|symbol| symbol.as_str().map(str::to_owned))
        .collect();
    symbols.ok_or_else(|| "has a symbol that is no text".to_owned())
}

/// The logical type of a type of this kind; `None` if there is none, or it does not suit the kind.
fn logical(kind: &Kind, object: &Map<String, Value>) -> Option<Logical> {
    let timestamp = |unit, is_local| Some(Logical::Timestamp { unit, is_local });
    match (object.get("logicalType")?.as_str()?, kind) {
        ("decimal", Kind::Bytes | Kind::Fixed { .. }) => decimal(object),
        ("uuid", Kind::String | Kind::Fixed { size: 16, .. }) => Some(Logical::Uuid),
        ("date", Kind::Int) => Some(Logical::Date),
        ("time-millis", Kind::Int) => Some(Logical::TimeOfDay(TimeUnit::Millisecond)),
        ("time-micros", Kind::Long) => Some(Logical::TimeOfDay(TimeUnit::Microsecond)),
        ("timestamp-millis", Kind::Long) => timestamp(TimeUnit::Millisecond, false),
        ("timestamp-micros", Kind::Long) => timestamp(TimeUnit::Microsecond, false),
        ("timestamp-nanos", Kind::Long) => timestamp(TimeUnit::Nanosecond, false),
        ("local-timestamp-millis", Kind::Long) => timestamp(TimeUnit::Millisecond, true),
        ("local-timestamp-micros", Kind::Long) => timestamp(TimeUnit::Microsecond, true),
        ("local-timestamp-nanos", Kind::Long) => timestamp(TimeUnit::Nanosecond, true),
        _ => None,
    }
}

fn decimal(object: &Map<String, Value>) -> Option<Logical> {
    let number = |key: &str| u8::try_from(object.get(key)?.as_u64()?).ok();
    let precision = number("precision").filter(|precision| *precision > 0)?;
    let scale = match object.contains_key("scale") {
        true => number("scale").filter(|scale| *scale <= precision)?,
        false => 0,
    };
    Some(Logical::Decimal { precision, scale })
}
