"""Writes the descriptor sets of the .proto files, and python.json: random messages that Python's protobuf wrote, and
their JSON.

python3 -m venv venv && venv/bin/pip install grpcio-tools==1.85.1 protobuf==7.36.2
venv/bin/python tests/data/protobuf/generate.py
"""

import base64
import json
import pathlib
import random

import google.protobuf
import grpc_tools
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_tools import protoc

random.seed(15)
HERE = pathlib.Path(__file__).parent
INCLUDE = pathlib.Path(grpc_tools.__file__).parent / "_proto"
pool = descriptor_pool.DescriptorPool()
for name in ["everything", "legacy"]:
    path = HERE / f"{name}.desc"
    arguments = ["", f"-I{HERE}", f"-I{INCLUDE}", "--include_imports", f"--descriptor_set_out={path}"]
    assert protoc.main([*arguments, f"{name}.proto"]) == 0
    for file in descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes()).file:
        pool.Add(file)


def integer(bits, signed):
    value = random.choice([0, 1, 2, random.getrandbits(bits), (1 << bits) - 1])
    return value - (1 << bits) if signed and value >= 1 << (bits - 1) else value


def text():
    return "".join(random.choices(["a", "bc", "\"", "\\", "\n", "\x01", "ü", "日", "😀", " "], k=random.randint(0, 5)))


def scalar(field):
    kind = field.type
    if kind in (field.TYPE_DOUBLE, field.TYPE_FLOAT):
        return random.choice([0.0, -0.0, 0.1, 1e30, -2.5, float("inf"), float("nan"), random.random()])
    if kind == field.TYPE_BOOL:
        return random.random() < 0.5
    if kind == field.TYPE_STRING:
        return text()
    if kind == field.TYPE_BYTES:
        return random.randbytes(random.randint(0, 6))
    if kind == field.TYPE_ENUM:
        values = [value.number for value in field.enum_type.values]
        is_open = not field.enum_type.is_closed
        return random.choice(values + ([99] if is_open else []))
    bits = 32 if kind in (
        field.TYPE_INT32, field.TYPE_UINT32, field.TYPE_SINT32, field.TYPE_FIXED32, field.TYPE_SFIXED32
    ) else 64
    unsigned = (field.TYPE_UINT32, field.TYPE_UINT64, field.TYPE_FIXED32, field.TYPE_FIXED64)
    return integer(bits, kind not in unsigned)


def any_json(depth):
    kinds = [None, True, "x", 1.5, -0.25, text()]
    if depth < 2:
        kinds += [[any_json(depth + 1) for _ in range(2)], {text(): any_json(depth + 1)}]
    return random.choice(kinds)


def fill(message, depth):
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        message.seconds = random.randint(-62135596800, 253402300799)
        message.nanos = random.choice([0, 500_000_000, 1_000, 999_999_999])
    elif name == "google.protobuf.Duration":
        sign = random.choice([-1, 1])
        message.seconds = sign * random.choice([0, 3, 315576000000])
        message.nanos = sign * random.choice([0, 250_000_000, 1])
    elif name == "google.protobuf.Struct":
        message.update({text(): any_json(0) for _ in range(random.randint(0, 3))})
    elif name == "google.protobuf.Value":
        json_format.ParseDict(any_json(0), message)
    else:
        for field in message.DESCRIPTOR.fields:
            if field.is_required or random.random() < (0.5 if depth < 2 else 0.1):
                fill_field(message, field, depth)


def fill_field(message, field, depth):
    value = getattr(message, field.name)
    if field.message_type and field.message_type.GetOptions().map_entry:
        key, inner = field.message_type.fields
        for _ in range(random.randint(0, 3)):
            if inner.message_type:
                fill(value[scalar(key)], depth + 1)
            else:
                value[scalar(key)] = scalar(inner)
    elif field.is_repeated:
        for _ in range(random.randint(0, 3)):
            fill(value.add(), depth + 1) if field.message_type else value.append(scalar(field))
    elif field.message_type:
        value.SetInParent()
        fill(value, depth + 1)
    else:
        setattr(message, field.name, scalar(field))


vectors = []
for name, count in [("test.Outer", 40), ("legacy.Envelope", 40)]:
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
    while count > 0:
        outer = kind()
        inner = outer.DESCRIPTOR.fields[0]
        fill(getattr(outer, inner.name), 0)
        getattr(outer, inner.name).SetInParent()
        written = outer.SerializeToString()
        if len(written) < 3_000:
            count -= 1
            vectors.append({
                "message": name,
                "bytes": base64.b64encode(written).decode(),
                "json": json_format.MessageToDict(getattr(outer, inner.name)),
            })
with open(HERE / "python.json", "w") as out:
    lines = ",\n".join(json.dumps(vector) for vector in vectors)
    out.write(f'{{"made_by": "protobuf {google.protobuf.__version__}", "vectors": [\n{lines}\n]}}\n')
