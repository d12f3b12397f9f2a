"""Writes vectors.jsonl: random schemas and values, encoded by fastavro 1.13.1.

    pip install fastavro==1.13.1
    python make_vectors.py > vectors.jsonl

Each line is {"schema", "columns": [[name, type]], "datum": hex, "row": [value]}. A column type is the name of
an SQL type, ["list", item] or ["struct", [[name, type]]]. Values: floating-point numbers are the bits of a
double in hex, decimals are text, bytes are hex, dates are days, times and timestamps are microseconds, structs
and lists are arrays, and a record or map in a VARCHAR column is JSON text.
"""

import base64
import datetime
import decimal
import io
import json
import random
import struct
import uuid

import fastavro

VECTORS = 250
SEED = 20261130
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
LOCAL_EPOCH = datetime.datetime(1970, 1, 1)


class Raw(str):
    """JSON text."""


def dump(value):
    """JSON text without spaces, in which floating-point numbers have no needless fraction."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{dump(k)}:{dump(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dump, value)) + "]"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return json.dumps(value, ensure_ascii=False)


def fraction(micros):
    """The fraction of a second with the fewest of 0, 3 and 6 digits."""
    if micros % 1000:
        return f".{micros:06}"
    return f".{micros // 1000:03}" if micros else ""


class Generator:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.names = 0

    def name(self, prefix):
        self.names += 1
        return f"{prefix}{self.names}"

    def text(self):
        letters = ["a", "Z", "0", " ", '"', "\\", "\n", "é", "ß", "漢", "🙂", "\u0000", "/"]
        return "".join(self.rng.choice(letters) for _ in range(self.rng.randrange(12)))

    def field(self, depth):
        """(schema, column type, function that gives (value, expected, JSON value))"""
        kinds = [
            "null", "boolean", "int", "int_wide", "int_decimal", "long", "long_text", "float", "float_wide",
            "double", "string", "bytes", "fixed", "enum", "decimal", "decimal_fixed", "date", "time_millis",
            "time_micros", "timestamp_millis", "timestamp_micros", "local_timestamp", "uuid",
        ]
        if depth > 0:
            kinds += ["array", "array", "record", "record", "map", "map", "optional", "optional", "optional",
                      "union", "recursive"]
        return getattr(self, "make_" + self.rng.choice(kinds))(depth)

    def simple(self, schema, column, make):
        def value():
            made = make()
            return made if len(made) == 3 else (made[0], made[1], made[1])
        return schema, column, value

    def make_null(self, depth):
        return self.simple("null", "VARCHAR", lambda: (None, None))

    def make_boolean(self, depth):
        return self.simple("boolean", "BOOLEAN", lambda: (lambda b: (b, b))(self.rng.random() < 0.5))

    def integer(self, bits):
        size = self.rng.randrange(1, bits)
        value = self.rng.getrandbits(size)
        return -value - 1 if self.rng.random() < 0.5 else value

    def make_int(self, depth):
        return self.simple("int", "INT", lambda: (lambda v: (v, v))(self.integer(32)))

    def make_int_wide(self, depth):
        return self.simple("int", "BIGINT", lambda: (lambda v: (v, v))(self.integer(32)))

    def make_int_decimal(self, depth):
        return self.simple("int", "DECIMAL(20,2)", lambda: (lambda v: (v, f"{v}.00", v))(self.integer(32)))

    def make_long(self, depth):
        return self.simple("long", "BIGINT", lambda: (lambda v: (v, v))(self.integer(64)))

    def make_long_text(self, depth):
        return self.simple("long", "VARCHAR", lambda: (lambda v: (v, str(v), v))(self.integer(64)))

    def make_float(self, depth):
        return self.floating("float", "REAL", 2)

    def make_float_wide(self, depth):
        return self.floating("float", "DOUBLE", 2)

    def make_double(self, depth):
        return self.floating("double", "DOUBLE", 8)

    def floating(self, schema, column, parts):
        def make():
            # Few bits, so that the decimal text is exact in JSON, too.
            value = self.rng.randrange(-10_000 * parts, 10_000 * parts) / parts
            return value, struct.pack(">d", value).hex(), value
        return self.simple(schema, column, make)

    def make_string(self, depth):
        return self.simple("string", "VARCHAR", lambda: (lambda t: (t, t))(self.text()))

    def raw(self, schema, length):
        def make():
            value = self.rng.randbytes(length())
            return value, value.hex(), base64.b64encode(value).decode()
        return self.simple(schema, "BYTEA", make)

    def make_bytes(self, depth):
        return self.raw("bytes", lambda: self.rng.randrange(70))

    def make_fixed(self, depth):
        size = self.rng.randrange(20)
        return self.raw({"type": "fixed", "name": self.name("F"), "size": size}, lambda: size)

    def make_enum(self, depth):
        symbols = [f"S{i}" for i in range(self.rng.randrange(1, 9))]
        schema = {"type": "enum", "name": self.name("E"), "symbols": symbols}
        return self.simple(schema, "VARCHAR", lambda: (lambda s: (s, s))(self.rng.choice(symbols)))

    def decimal(self, schema, digits):
        scale = self.rng.randrange(digits + 1)
        schema = {**schema, "logicalType": "decimal", "precision": digits, "scale": scale}

        def make():
            unscaled = self.rng.randrange(10 ** self.rng.randrange(1, digits + 1))
            unscaled = -unscaled if self.rng.random() < 0.5 else unscaled
            with decimal.localcontext(prec=80):
                value = decimal.Decimal(unscaled).scaleb(-scale)
            return value, f"{value:f}", Raw(f"{value:f}")
        return self.simple(schema, f"DECIMAL({38 if digits <= 38 else 76},{scale})", make)

    def make_decimal(self, depth):
        return self.decimal({"type": "bytes"}, self.rng.randrange(1, 60))

    def make_decimal_fixed(self, depth):
        digits = self.rng.randrange(1, 60)
        return self.decimal({"type": "fixed", "name": self.name("F"), "size": 26}, digits)

    def make_date(self, depth):
        def make():
            days = self.rng.randrange(-200_000, 200_000)
            date = EPOCH.date() + datetime.timedelta(days=days)
            return date, days, date.isoformat()
        return self.simple({"type": "int", "logicalType": "date"}, "DATE", make)

    def time_of_day(self, schema, step):
        def make():
            micros = self.rng.randrange(86_400_000_000) // step * step
            time = (EPOCH + datetime.timedelta(microseconds=micros)).time()
            return time, micros, f"{time:%H:%M:%S}{fraction(time.microsecond)}"
        return self.simple(schema, "TIME", make)

    def make_time_millis(self, depth):
        return self.time_of_day({"type": "int", "logicalType": "time-millis"}, 1000)

    def make_time_micros(self, depth):
        return self.time_of_day({"type": "long", "logicalType": "time-micros"}, 1)

    def timestamp(self, logical, epoch, step):
        def make():
            micros = self.rng.randrange(-(10**16), 10**16) // step * step
            time = epoch + datetime.timedelta(microseconds=micros)
            zone = "Z" if time.tzinfo else ""
            return time, micros, f"{time:%Y-%m-%dT%H:%M:%S}{fraction(time.microsecond)}{zone}"
        return self.simple({"type": "long", "logicalType": logical}, "TIMESTAMP", make)

    def make_timestamp_millis(self, depth):
        return self.timestamp("timestamp-millis", EPOCH, 1000)

    def make_timestamp_micros(self, depth):
        return self.timestamp("timestamp-micros", EPOCH, 1)

    def make_local_timestamp(self, depth):
        return self.timestamp("local-timestamp-micros", LOCAL_EPOCH, 1)

    def make_uuid(self, depth):
        def make():
            value = uuid.UUID(bytes=self.rng.randbytes(16))
            return value, str(value)
        return self.simple({"type": "string", "logicalType": "uuid"}, "VARCHAR", make)

    def make_array(self, depth):
        schema, column, item = self.field(depth - 1)

        def value():
            items = [item() for _ in range(self.rng.randrange(4))]
            return tuple([part[i] for part in items] for i in range(3))
        return {"type": "array", "items": schema}, ["list", column], value

    def record(self, depth):
        names = [self.name("f") for _ in range(self.rng.randrange(1, 5))]
        fields = [self.field(depth - 1) for _ in names]
        schema = {
            "type": "record",
            "name": self.name("R"),
            "fields": [{"name": n, "type": f[0]} for n, f in zip(names, fields)],
        }
        columns = [[n, f[1]] for n, f in zip(names, fields)]

        def value():
            values = [f[2]() for f in fields]
            return (
                {n: v[0] for n, v in zip(names, values)},
                [v[1] for v in values],
                {n: v[2] for n, v in zip(names, values)},
            )
        return schema, columns, value

    def make_record(self, depth):
        schema, columns, value = self.record(depth)
        return schema, ["struct", columns], value

    def make_map(self, depth):
        schema, _, item = self.field(depth - 1)

        def value():
            entries = {self.text(): item() for _ in range(self.rng.randrange(4))}
            made = {k: v[2] for k, v in entries.items()}
            return {k: v[0] for k, v in entries.items()}, dump(made), made
        return {"type": "map", "values": schema}, "VARCHAR", value

    def make_optional(self, depth):
        schema, column, item = self.field(depth - 1)
        if schema == "null" or isinstance(schema, list):
            return schema, column, item
        first = self.rng.random() < 0.7

        def value():
            return (None, None, None) if self.rng.random() < 0.4 else item()
        return (["null", schema] if first else [schema, "null"]), column, value

    def make_union(self, depth):
        def value():
            branch = self.rng.randrange(4)
            if branch == 0:
                return None, None, None
            if branch == 1:
                number = self.integer(64)
                return number, str(number), number
            if branch == 2:
                truth = self.rng.random() < 0.5
                return truth, "true" if truth else "false", truth
            text = self.text()
            return text, text, text
        return ["boolean", "long", "null", "string"], "VARCHAR", value

    def make_recursive(self, depth):
        name = self.name("N")
        schema = {
            "type": "record",
            "name": name,
            "namespace": "tree",
            "fields": [
                {"name": "value", "type": "int"},
                {"name": "children", "type": {"type": "array", "items": name}},
                {"name": "next", "type": ["null", f"tree.{name}"]},
            ],
        }

        def node(levels):
            count = self.rng.randrange(3) if levels else 0
            children = [node(levels - 1) for _ in range(count)]
            following = node(levels - 1) if levels and self.rng.random() < 0.5 else None
            return {"value": self.integer(32), "children": children, "next": following}

        def value():
            made = node(3)
            return made, dump(made), made
        return schema, "VARCHAR", value


def main():
    generator = Generator(SEED)
    for _ in range(VECTORS):
        schema, columns, value = generator.record(4)
        made, row, _ = value()
        datum = io.BytesIO()
        fastavro.schemaless_writer(datum, fastavro.parse_schema(json.loads(json.dumps(schema))), made)
        line = {"schema": schema, "columns": columns, "datum": datum.getvalue().hex(), "row": row}
        print(json.dumps(line, ensure_ascii=False, separators=(",", ":")))


main()
