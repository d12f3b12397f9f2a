//! Reads the JSON documents of a sample.

use std::str::Utf8Error;

use serde_json::value::RawValue;

use super::Inferred;
use super::framing::JsonFraming;
use super::header::Header;
use super::observed::Fields;
use super::payload::{Kind, Payload, text_of};
use super::reading::Reading;
use crate::format::json::{at_path, entries};

/// The framing that suits all `payloads`, as far as one does.
pub(super) fn framing(payloads: &[Payload<'_>]) -> JsonFraming {
    let count = |wanted: JsonFraming| {
        let is = |payload: &&Payload<'_>| payload.kind == Kind::Json(wanted);
        payloads.iter().filter(is).count()
    };
    let records = count(JsonFraming::Record);
    let (newline, concatenated) = (
        count(JsonFraming::Newline),
        count(JsonFraming::Concatenated),
    );
    if count(JsonFraming::Array) > records + newline + concatenated {
        return JsonFraming::Array;
    }
    let is_long = |payload: &Payload<'_>| {
        payload.kind == Kind::Json(JsonFraming::Record) && payload.lines().count() > 1
    };
    match (newline, concatenated) {
        (0, 0) => JsonFraming::Record,
        (_, 0) if !payloads.iter().any(is_long) => JsonFraming::Newline,
        _ => JsonFraming::Concatenated,
    }
}

/// Reads the documents of `payload` into `inferred`.
pub(super) fn read(
    payload: &Payload<'_>,
    framing: JsonFraming,
    reading: &Reading,
    inferred: &mut Inferred,
) {
    let explode = reading.explode.as_deref();
    let text = match payload.text() {
        Ok(text) => text,
        Err(error) => return no_text(error, payload.number, inferred),
    };
    match framing {
        JsonFraming::Record => document(text, payload.number, explode, inferred),
        JsonFraming::Newline => {
            for line in payload.lines() {
                document(line, payload.number, explode, inferred);
            }
        }
        JsonFraming::Concatenated => {
            for found in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
                match found {
                    Ok(found) => document(found.get(), payload.number, explode, inferred),
                    Err(error) => return bad(&error, payload.number, inferred),
                }
            }
        }
        JsonFraming::Array => match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(found) => {
                for found in found {
                    document(found.get(), payload.number, explode, inferred);
                }
            }
            Err(error) => bad(&error, payload.number, inferred),
        },
    }
}

/// Reads the document of `payload` behind a header like `header` into `inferred`.
pub(super) fn read_behind(
    payload: &Payload<'_>,
    header: Header,
    reading: &Reading,
    inferred: &mut Inferred,
) {
    match payload.behind(header).map(text_of) {
        Ok(Ok(text)) => document(text, payload.number, reading.explode.as_deref(), inferred),
        Ok(Err(error)) => no_text(error, payload.number, inferred),
        Err(reason) => inferred.bad(payload.number, &reason),
    }
}

fn no_text(error: Utf8Error, number: usize, inferred: &mut Inferred) {
    inferred.bad(number, &format!("is not UTF-8: {error}"));
}

fn bad(error: &serde_json::Error, number: usize, inferred: &mut Inferred) {
    inferred.bad(number, &format!("is not valid JSON: {error}"));
}

/// Reads one document, or the elements of the array at `explode` within it.
fn document(text: &str, number: usize, explode: Option<&[String]>, inferred: &mut Inferred) {
    let read = match explode {
        None => entries(text).map(|entries| {
            inferred.documents += 1;
            observe(&entries, &mut inferred.columns);
        }),
        Some(path) => elements(text, path, inferred),
    };
    if let Err(error) = read {
        bad(&error, number, inferred);
    }
}

/// Reads the elements of the array at `path`, each with the fields around the array that it lacks, as a table does.
fn elements(text: &str, path: &[String], inferred: &mut Inferred) -> serde_json::Result<()> {
    let around = entries(text)?;
    let Some(array) = at_path(text, path)?.filter(|array| array.get() != "null") else {
        return Ok(());
    };
    for element in serde_json::from_str::<Vec<&RawValue>>(array.get())? {
        let mut fields = match (element.get().starts_with('{'), path.last()) {
            (false, Some(name)) => vec![(name.clone(), element)],
            _ => entries(element.get())?,
        };
        for (name, value) in &around {
            let is_array = path
                .first()
                .is_some_and(|first| first.eq_ignore_ascii_case(name));
            if !is_array && !fields.iter().any(|(own, _)| own == name) {
                fields.push((name.clone(), value));
            }
        }
        inferred.documents += 1;
        observe(&fields, &mut inferred.columns);
    }
    Ok(())
}

/// Adds the fields of one object to `fields`.
fn observe(entries: &[(String, &RawValue)], fields: &mut Fields) {
    fields.start_object();
    for (name, value) in entries {
        if let Some(field) = fields.field(name) {
            field.observe_json(value.get());
        }
    }
}
