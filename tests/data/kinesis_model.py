"""Writes kinesis_model.tsv: what the API model of Kinesis says about members, ranges, patterns and errors.

python3 -m venv venv && venv/bin/pip install botocore==1.44.8
venv/bin/python tests/data/kinesis_model.py > tests/data/kinesis_model.tsv
"""

import botocore
import botocore.loaders

HEADER = f"""\
# The API model of Kinesis, without its queues and channels.
# Made from botocore {botocore.__version__} (kinesis/2013-12-02/service-2.json, Apache-2.0) by kinesis_model.py.
# operation, then: errors <codes>
#              or: in|out <path> <type> required|optional <min> <max> <pattern, or values of an enum>
# In a path, [] is an item of a list, and {{}} is a key or a value of a map."""

model = botocore.loaders.Loader().load_service_model("kinesis", "service-2")
shapes = model["shapes"]


def lines(path, name, required):
    shape = shapes[name]
    kind = shape["type"]
    values = ",".join(shape["enum"]) if "enum" in shape else shape.get("pattern", "")
    if path:
        yield [
            path,
            "enum" if "enum" in shape else kind,
            "required" if required else "optional",
            shape.get("min", ""),
            shape.get("max", ""),
            values,
        ]
    if kind == "structure" and not shape.get("eventstream"):
        for member, of in shape["members"].items():
            inner = f"{path}.{member}" if path else member
            yield from lines(inner, of["shape"], member in shape.get("required", []))
    elif kind == "list":
        yield from lines(f"{path}[]", shape["member"]["shape"], True)
    elif kind == "map":
        yield from lines(f"{path}{{key}}", shape["key"]["shape"], True)
        yield from lines(f"{path}{{value}}", shape["value"]["shape"], True)


print(HEADER)
for name, operation in sorted(model["operations"].items()):
    if "Queue" in name or "Channel" in name:
        continue
    codes = [error["shape"] for error in operation.get("errors", [])]
    print(name, "errors", ",".join(codes), sep="\t")
    for direction in ("input", "output"):
        if direction in operation:
            for line in lines("", operation[direction]["shape"], True):
                print(name, direction.removesuffix("put"), *line, sep="\t")
