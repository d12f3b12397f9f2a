//! Reads the message of a payload from a set of file descriptors.

use std::collections::HashMap;

use prost_reflect::{Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind};
use prost_reflect::{MessageDescriptor, Syntax, Value};

use super::descriptor::{
    Absent, Descriptor, EnumId, Enumeration, Field, FieldKind, Label, Message, MessageId,
    ScalarKind, StatedDefault, WellKnown,
};
use crate::error::{Error, Result};
use crate::options::{DescriptorSource, ProtobufOptions};

impl Descriptor {
    /// The message that the options name, from the descriptor set that they hold.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) if the set is invalid or has no such message.
    pub(in crate::format) fn new(options: &ProtobufOptions) -> Result<Self> {
        let DescriptorSource::Bytes(set) = &options.descriptors else {
            return Err(Error::internal(
                "the file of the Protobuf descriptors was not read",
            ));
        };
        let pool = DescriptorPool::decode(set.as_slice()).map_err(|error| {
            Error::invalid_option(format!(
                "option 'kinesis.protobuf.descriptorFile': {error}; expected a descriptor set of syntax proto2 or \
                 proto3, as written by 'protoc --include_imports --descriptor_set_out=FILE'"
            ))
        })?;
        let name = &options.message;
        let message = pool.get_message_by_name(name).ok_or_else(|| {
            let mut names: Vec<_> = (pool.all_messages())
                .filter(|message| !message.is_map_entry())
                .filter(|message| message.package_name() != "google.protobuf")
                .map(|message| message.full_name().to_owned())
                .collect();
            names.sort_unstable();
            names.truncate(10);
            Error::invalid_option(format!(
                "option 'kinesis.protobuf.message' = '{name}': expected a message of \
                 'kinesis.protobuf.descriptorFile', with its package, such as {}",
                names.join(", ")
            ))
        })?;
        let mut builder = Builder::default();
        builder.message(&message);
        while let Some((id, message)) = builder.unread.pop() {
            builder.read(id, &message);
        }
        let mut descriptor = Self {
            messages: builder.messages,
            enums: builder.enums,
            indexes: indexes(&message),
        };
        descriptor.find_required();
        Ok(descriptor)
    }

    /// Marks the messages with required fields, and those around them.
    fn find_required(&mut self) {
        loop {
            let mut is_done = true;
            for index in 0..self.messages.len() {
                let message = &self.messages[index];
                let inner = |field: &Field| match field.kind {
                    FieldKind::Scalar(_) => false,
                    FieldKind::Message(id) | FieldKind::Group(id) => self.message(id).has_required,
                };
                let mut fields = message.fields.iter();
                if !message.has_required
                    && fields.any(|field| field.label == Label::Required || inner(field))
                {
                    self.messages[index].has_required = true;
                    is_done = false;
                }
            }
            if is_done {
                return;
            }
        }
    }
}

/// Collects the messages that are reached from one, each once.
#[derive(Debug, Default)]
struct Builder {
    messages: Vec<Message>,
    enums: Vec<Enumeration>,
    message_ids: HashMap<String, MessageId>,
    enum_ids: HashMap<String, EnumId>,
    unread: Vec<(MessageId, MessageDescriptor)>,
}

impl Builder {
    fn message(&mut self, message: &MessageDescriptor) -> MessageId {
        let name = message.full_name();
        if let Some(id) = self.message_ids.get(name) {
            return *id;
        }
        let id = MessageId(self.messages.len());
        self.messages.push(Message {
            name: name.to_owned(),
            fields: Vec::new(),
            well_known: well_known(name),
            has_required: false,
        });
        self.message_ids.insert(name.to_owned(), id);
        self.unread.push((id, message.clone()));
        id
    }

    fn enumeration(&mut self, found: &EnumDescriptor) -> EnumId {
        let name = found.full_name();
        if let Some(id) = self.enum_ids.get(name) {
            return *id;
        }
        let id = EnumId(self.enums.len());
        // In the order of the file; the descriptor sorts by number.
        let values = found.enum_descriptor_proto().value.iter();
        let values = values.map(|value| (value.number(), value.name().to_owned()));
        self.enums.push(Enumeration {
            name: name.to_owned(),
            values: values.collect(),
        });
        self.enum_ids.insert(name.to_owned(), id);
        id
    }

    fn read(&mut self, id: MessageId, message: &MessageDescriptor) {
        let oneofs: Vec<String> = (message.oneofs())
            .filter(|oneof| !oneof.is_synthetic())
            .map(|oneof| oneof.name().to_owned())
            .collect();
        let fields = message.fields().map(|field| self.field(&field, &oneofs));
        let mut fields: Vec<Field> = fields.collect();
        fields.sort_by_key(|field| field.number);
        self.messages[id.0].fields = fields;
    }

    fn field(&mut self, field: &FieldDescriptor, oneofs: &[String]) -> Field {
        let kind = match field.kind() {
            Kind::Message(message) if field.is_group() => FieldKind::Group(self.message(&message)),
            Kind::Message(message) => FieldKind::Message(self.message(&message)),
            scalar => FieldKind::Scalar(self.scalar(&scalar)),
        };
        let label = match field.cardinality() {
            _ if field.is_map() => Label::Map,
            Cardinality::Required => Label::Required,
            Cardinality::Repeated => Label::Repeated,
            Cardinality::Optional => Label::Optional,
        };
        let states_default = field.field_descriptor_proto().default_value.is_some();
        let absent = match states_default
            .then(|| stated(&field.default_value()))
            .flatten()
        {
            Some(default) => Absent::Stated(default),
            None if field.supports_presence() || field.cardinality() == Cardinality::Repeated => {
                Absent::Null
            }
            None => Absent::Zero,
        };
        let oneof = field.containing_oneof();
        Field {
            number: field.number(),
            name: field.name().to_owned(),
            json_name: field.json_name().to_owned(),
            kind,
            label,
            absent,
            oneof: oneof.and_then(|oneof| oneofs.iter().position(|name| name == oneof.name())),
            is_packed: field.is_packed(),
            checks_utf8: field.parent_file().syntax() == Syntax::Proto3,
        }
    }

    fn scalar(&mut self, kind: &Kind) -> ScalarKind {
        match kind {
            Kind::Double => ScalarKind::Double,
            Kind::Float => ScalarKind::Float,
            Kind::Int32 => ScalarKind::Int32,
            Kind::Int64 => ScalarKind::Int64,
            Kind::Uint32 => ScalarKind::Uint32,
            Kind::Uint64 => ScalarKind::Uint64,
            Kind::Sint32 => ScalarKind::Sint32,
            Kind::Sint64 => ScalarKind::Sint64,
            Kind::Fixed32 => ScalarKind::Fixed32,
            Kind::Fixed64 => ScalarKind::Fixed64,
            Kind::Sfixed32 => ScalarKind::Sfixed32,
            Kind::Sfixed64 => ScalarKind::Sfixed64,
            Kind::Bool => ScalarKind::Bool,
            Kind::String => ScalarKind::String,
            Kind::Enum(found) => ScalarKind::Enum(self.enumeration(found)),
            // A message is no scalar; the caller handles it.
            Kind::Bytes | Kind::Message(_) => ScalarKind::Bytes,
        }
    }
}

fn well_known(name: &str) -> Option<WellKnown> {
    Some(match name.strip_prefix("google.protobuf.")? {
        "Timestamp" => WellKnown::Timestamp,
        "Duration" => WellKnown::Duration,
        "Struct" => WellKnown::Object,
        "Value" => WellKnown::Value,
        "ListValue" => WellKnown::Array,
        "BoolValue" | "BytesValue" | "DoubleValue" | "FloatValue" | "Int32Value" | "Int64Value"
        | "StringValue" | "UInt32Value" | "UInt64Value" => WellKnown::Wrapper,
        _ => return None,
    })
}

/// A default that the file states, which is a scalar.
fn stated(value: &Value) -> Option<StatedDefault> {
    Some(match value {
        Value::Bool(value) => StatedDefault::Bool(*value),
        Value::I32(value) => StatedDefault::Integer((*value).into()),
        Value::I64(value) => StatedDefault::Integer((*value).into()),
        Value::U32(value) => StatedDefault::Integer((*value).into()),
        Value::U64(value) => StatedDefault::Integer((*value).into()),
        Value::F32(value) => StatedDefault::Float(f64::from(*value).to_bits()),
        Value::F64(value) => StatedDefault::Float(value.to_bits()),
        Value::String(value) => StatedDefault::Text(value.clone()),
        Value::Bytes(value) => StatedDefault::Bytes(value.to_vec()),
        Value::EnumNumber(value) => StatedDefault::Enum(*value),
        Value::Message(_) | Value::List(_) | Value::Map(_) => return None,
    })
}

/// The path of `message` in its file. In a descriptor, a path has the number of a list before each index.
fn indexes(message: &MessageDescriptor) -> Vec<i32> {
    message.path().iter().skip(1).step_by(2).copied().collect()
}
