//! The messages that a payload consists of, from a set of file descriptors.

use std::collections::HashMap;

use prost_reflect::{Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind};
use prost_reflect::{MessageDescriptor, Syntax, Value};

use super::wire::WireType;
use crate::error::{Error, Result};
use crate::options::{DescriptorSource, ProtobufOptions};

/// The message of a payload, and all messages and enums within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::format) struct Descriptor {
    messages: Vec<Message>,
    enums: Vec<Enumeration>,
    /// The place of the message in its file: its index, or those of the messages around it and its own.
    indexes: Vec<i32>,
}

/// The index of a message in its descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MessageId(usize);

/// The index of an enum in its descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EnumId(usize);

/// A message type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// With the package.
    pub(super) name: String,
    /// In the order of their numbers.
    pub(super) fields: Vec<Field>,
    pub(super) well_known: Option<WellKnown>,
    /// Whether it, or a message within it, has required fields.
    pub(super) has_required: bool,
}

/// A message type with a meaning of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WellKnown {
    Timestamp,
    Duration,
    /// The value of its only field, or NULL.
    Wrapper,
    /// A JSON object.
    Object,
    /// Any JSON value.
    Value,
    /// A JSON array.
    Array,
}

/// A field of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: String,
    pub(super) json_name: String,
    pub(super) kind: FieldKind,
    pub(super) label: Label,
    /// What it is if it is absent.
    pub(super) absent: Absent,
    /// The index of its `oneof` in the message.
    pub(super) oneof: Option<usize>,
    /// Whether a repeated field is written as one value.
    pub(super) is_packed: bool,
    /// Whether a string must be UTF-8.
    pub(super) checks_utf8: bool,
}

/// How often a field occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Optional,
    Required,
    Repeated,
    /// Repeated messages with a key and a value.
    Map,
}

/// What a field is if it is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Absent {
    Null,
    /// A default that the file states.
    Stated(StatedDefault),
    /// The zero of its type. It is not written, so a reader cannot tell it from an absent field.
    Zero,
}

/// A default value that a file states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StatedDefault {
    Bool(bool),
    Integer(i128),
    /// The bits of a 64-bit number.
    Float(u64),
    Text(String),
    Bytes(Vec<u8>),
    Enum(i32),
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldKind {
    Scalar(ScalarKind),
    Message(MessageId),
    Group(MessageId),
}

/// The type of a value that is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScalarKind {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
    Enum(EnumId),
}

/// An enum type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Enumeration {
    /// With the package.
    pub(super) name: String,
    /// The values in their order. Of several names of one number, the first counts.
    pub(super) values: Vec<(i32, String)>,
}

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

    /// The name of the payload's field that a column with this name holds.
    pub(in crate::format) fn field_name(&self, column: &str) -> Option<&str> {
        let field = self.message(self.root()).field_of_column(column)?;
        Some(&field.name)
    }

    /// The message of the payload.
    pub(super) fn root(&self) -> MessageId {
        MessageId(0)
    }

    pub(super) fn message(&self, id: MessageId) -> &Message {
        &self.messages[id.0]
    }

    pub(super) fn enumeration(&self, id: EnumId) -> &Enumeration {
        &self.enums[id.0]
    }

    /// The place of the message in its file.
    pub(super) fn indexes(&self) -> &[i32] {
        &self.indexes
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

impl Message {
    /// The field with this number.
    pub(super) fn field(&self, number: u32) -> Option<&Field> {
        // Most messages number their fields from 1 without gaps.
        let guess = self.fields.get((number as usize).wrapping_sub(1));
        if let Some(field) = guess.filter(|field| field.number == number) {
            return Some(field);
        }
        let found = self
            .fields
            .binary_search_by_key(&number, |field| field.number);
        found.ok().map(|index| &self.fields[index])
    }

    /// The field that a column with this name holds: the same name, as in the file or as in JSON, or else one that
    /// differs in case only.
    pub(super) fn field_of_column(&self, name: &str) -> Option<&Field> {
        let find = |same: &dyn Fn(&Field) -> bool| self.fields.iter().find(|field| same(field));
        find(&|field| field.name == name)
            .or_else(|| find(&|field| field.json_name == name))
            .or_else(|| find(&|field| field.name.eq_ignore_ascii_case(name)))
            .or_else(|| find(&|field| field.json_name.eq_ignore_ascii_case(name)))
    }
}

impl Field {
    pub(super) fn is_repeated(&self) -> bool {
        matches!(self.label, Label::Repeated | Label::Map)
    }

    /// The wire type of one value.
    pub(super) fn wire_type(&self) -> WireType {
        match self.kind {
            FieldKind::Scalar(kind) => kind.wire_type(),
            FieldKind::Message(_) => WireType::Bytes,
            FieldKind::Group(_) => WireType::StartGroup,
        }
    }

    /// The type of its values, if several can be written as one value.
    pub(super) fn packable(&self) -> Option<ScalarKind> {
        match self.kind {
            FieldKind::Scalar(kind) if self.is_repeated() => {
                (kind.wire_type() != WireType::Bytes).then_some(kind)
            }
            _ => None,
        }
    }
}

impl ScalarKind {
    pub(super) fn wire_type(self) -> WireType {
        match self {
            Self::Double | Self::Fixed64 | Self::Sfixed64 => WireType::Fixed64,
            Self::Float | Self::Fixed32 | Self::Sfixed32 => WireType::Fixed32,
            Self::String | Self::Bytes => WireType::Bytes,
            _ => WireType::Varint,
        }
    }
}

impl Enumeration {
    pub(super) fn name_of(&self, number: i32) -> Option<&str> {
        let mut values = self.values.iter();
        let found = values.find(|(value, _)| *value == number);
        found.map(|(_, name)| name.as_str())
    }

    /// The number of the value with this name.
    pub(super) fn number_of(&self, name: &str) -> Option<i32> {
        let mut values = self.values.iter();
        let found = values.find(|(_, value)| value == name);
        found.map(|(number, _)| *number)
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

/// The place of `message` in its file. A path in a descriptor has the number of a list before each index.
fn indexes(message: &MessageDescriptor) -> Vec<i32> {
    message.path().iter().skip(1).step_by(2).copied().collect()
}
