//! Where columns come from, for people.

use datafusion::arrow::datatypes::TimeUnit;

use super::{Part, Typer};
use crate::format::avro::schema::{Kind, Logical, TypeId};

impl Typer<'_> {
    /// The Avro type of a column, with the names of the schemas if that is not the same in all.
    pub(super) fn note(&self, parts: &[Part]) -> String {
        let mut found: Vec<(String, Vec<usize>)> = Vec::new();
        for part in parts {
            let name = self.describe(*part);
            match found.iter_mut().find(|(known, _)| *known == name) {
                Some((_, schemas)) => schemas.push(part.0),
                None => found.push((name, vec![part.0])),
            }
        }
        if let [(name, schemas)] = found.as_slice()
            && schemas.len() >= self.schemas.len()
        {
            return name.clone();
        }
        let notes = found.iter().map(|(name, schemas)| {
            let names: Vec<&str> = schemas
                .iter()
                .map(|schema| self.schemas[*schema].0.as_str())
                .collect();
            match names.iter().all(|name| name.is_empty()) {
                true => name.clone(),
                false => format!("{name} in {}", names.join(", ")),
            }
        });
        notes.collect::<Vec<_>>().join("; ")
    }

    /// The Avro type in a few words.
    fn describe(&self, part: Part) -> String {
        let avro_type = self.get(part);
        let inner = |id: &TypeId| self.shallow((part.0, *id));
        match &avro_type.kind {
            Kind::Array(item) => format!("array of {}", inner(item)),
            Kind::Map(value) => format!("map of {}", inner(value)),
            Kind::Union(branches) => {
                let branches: Vec<String> = branches.iter().map(inner).collect();
                branches.join(" or ")
            }
            _ => self.shallow(part),
        }
    }

    fn shallow(&self, part: Part) -> String {
        let avro_type = self.get(part);
        match (&avro_type.kind, avro_type.logical) {
            (Kind::Record { name, .. } | Kind::Enum { name, .. }, _) => {
                format!("{} {name}", avro_type.name())
            }
            (_, None) => avro_type.name().to_owned(),
            (_, Some(logical)) => format!("{} ({})", avro_type.name(), logical_name(logical)),
        }
    }
}

/// The name of a logical type in a schema.
fn logical_name(logical: Logical) -> String {
    let unit = |unit| match unit {
        TimeUnit::Second => "seconds",
        TimeUnit::Millisecond => "millis",
        TimeUnit::Microsecond => "micros",
        TimeUnit::Nanosecond => "nanos",
    };
    match logical {
        Logical::Decimal { precision, scale } => format!("decimal {precision}, {scale}"),
        Logical::Uuid => "uuid".to_owned(),
        Logical::Date => "date".to_owned(),
        Logical::TimeOfDay(found) => format!("time-{}", unit(found)),
        Logical::Timestamp {
            unit: found,
            is_local,
        } => {
            let local = if is_local { "local-" } else { "" };
            format!("{local}timestamp-{}", unit(found))
        }
    }
}
