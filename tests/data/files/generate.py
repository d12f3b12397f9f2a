"""Writes the files of this folder, with pyarrow and fastavro: python generate.py"""

import json
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent
DAY = datetime(2026, 11, 20, tzinfo=timezone.utc)
ROWS = [
    {"code": "DE", "name": "Germany", "people": 83_500_000, "share": Decimal("0.42"), "since": DAY, "tags": ["eu"]},
    {"code": "FR", "name": "France", "people": 68_400_000, "share": Decimal("0.31"), "since": DAY, "tags": ["eu", "wine"]},
    {"code": "IS", "name": "Ísland", "people": None, "share": None, "since": None, "tags": []},
]

table = pa.Table.from_pylist(
    ROWS,
    pa.schema(
        [
            ("code", pa.string()),
            ("name", pa.string()),
            ("people", pa.int64()),
            ("share", pa.decimal128(5, 2)),
            ("since", pa.timestamp("us", tz="UTC")),
            ("tags", pa.list_(pa.string())),
        ]
    ),
)
for codec in ["none", "snappy", "zstd", "gzip"]:
    pq.write_table(table, HERE / f"countries.{codec}.parquet", compression=codec)

schema = {
    "type": "record",
    "name": "Country",
    "fields": [
        {"name": "code", "type": "string"},
        {"name": "name", "type": "string"},
        {"name": "people", "type": ["null", "long"]},
    ],
}
rows = [{key: row[key] for key in ["code", "name", "people"]} for row in ROWS]
for codec in ["null", "deflate", "snappy", "zstandard"]:
    with open(HERE / f"countries.{codec}.avro", "wb") as file:
        fastavro.writer(file, schema, rows, codec=codec)
with open(HERE / "countries.json", "w") as file:
    file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
with open(HERE / "countries.csv", "w") as file:
    file.write("code,name,people\n")
    file.writelines(f"{row['code']},{row['name']},{row['people'] or ''}\n" for row in rows)
