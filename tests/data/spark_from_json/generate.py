"""Decodes 10,000 generated records with Spark's from_json and stores what it returns.

Run with Python 3, pyspark 3.5.8 (Apache-2.0) and Java 17, and compress what it writes:
python generate.py from_json.jsonl && zstd --ultra -22 from_json.jsonl

Each line of the output is an array: the kind of the record, the record, the row in mode PERMISSIVE (null for a row
without values), and whether mode FAILFAST fails. Spark evaluates FAILFAST for a whole statement, so the records that
PERMISSIVE finds good run together, and up to 40 others of each kind one by one; for the rest it is null.
"""
import datetime, decimal, json, random, sys
from pyspark.sql import SparkSession, functions as F

SCHEMA = ("id BIGINT, name STRING, price DOUBLE, ok BOOLEAN, amount DECIMAL(18,4), ts TIMESTAMP, day DATE, "
          "tags ARRAY<STRING>, geo STRUCT<country: STRING, lat: DOUBLE>, bad STRING")
RANDOM = random.Random(20261130)
WORDS = ["ada", "bob", "caf\u00e9", "\U0001f600", "a\"b", "back\\slash", "line\nend", "", "null", "7"]


def good():
    r = RANDOM
    return {
        "id": r.choice([r.randrange(-50, 50), r.randrange(-2**63, 2**63), 2**53 + 1]),
        "name": r.choice(WORDS),
        "price": r.choice([r.randrange(100), round(r.uniform(-9, 9), 3), 1e300, -0.0, 1.5e-7]),
        "ok": r.random() < .5,
        "amount": r.choice([r.randrange(1000), round(r.uniform(-9, 9), r.randrange(5))]),
        "ts": "2026-%02d-%02dT%02d:%02d:%02d%s" % (r.randrange(1, 13), r.randrange(1, 29), r.randrange(24),
              r.randrange(60), r.randrange(60), r.choice(["Z", ".25Z", ".123456Z", "+02:00", "-05:30", ""])),
        "day": "2026-%02d-%02d" % (r.randrange(1, 13), r.randrange(1, 29)),
        "tags": [r.choice(WORDS) for _ in range(r.randrange(4))],
        "geo": {"country": r.choice(["DE", "FR"]), "lat": round(r.uniform(-90, 90), 2)},
    }


def text(record):
    return json.dumps(record, ensure_ascii=RANDOM.random() < .5)


def changed(name, values):
    record = good()
    record[name] = RANDOM.choice(values)
    return text(record)


def plain():
    return text(good())


def some_missing():
    record = good()
    return text({name: value for name, value in record.items() if RANDOM.random() < .6})


def some_null():
    record = good()
    return text({name: value if RANDOM.random() < .7 else None for name, value in record.items()})


def unknown():
    record = good()
    record["more"] = RANDOM.choice([1, "x", [1, {"id": 2}], {"id": [[[]]]}, None])
    record["geo"]["more"] = [{}]
    return text(record)


def spaces():
    return json.dumps(good(), indent=RANDOM.randrange(1, 4)) + RANDOM.choice(["", " ", "\n\t"])


def duplicate():
    return text(good())[:-1] + ', "id": %d}' % RANDOM.randrange(9)


def broken():
    record = plain()
    return record[:RANDOM.randrange(1, len(record))]


KINDS = {
    "plain": plain, "some_missing": some_missing, "some_null": some_null, "unknown": unknown, "spaces": spaces,
    "duplicate": duplicate, "broken": broken,
    "text_in_id": lambda: changed("id", ["7", "", "seven"]),
    "bool_in_id": lambda: changed("id", [True, False]),
    "nested_in_id": lambda: changed("id", [[1], {"a": 1}]),
    "large_id": lambda: changed("id", [2**63, -2**63 - 1, 10**30]),
    "fraction_in_id": lambda: changed("id", [1.5, -0.25]),
    "whole_fraction_in_id": lambda: changed("id", [1.0, -20.0]),
    "number_in_name": lambda: changed("name", [7, -1, 0]),
    "bool_in_name": lambda: changed("name", [True, False]),
    "nested_in_name": lambda: changed("name", [["a", 1], {"a": None}]),
    "text_in_price": lambda: changed("price", ["1.5", "high"]),
    "special_in_price": lambda: changed("price", ["NaN", "Infinity", "-Infinity"]),
    "bare_special_in_price": lambda: changed("price", [float("nan"), float("inf"), float("-inf")]),
    "number_in_ok": lambda: changed("ok", [0, 1]),
    "text_in_ok": lambda: changed("ok", ["true", "yes"]),
    "text_in_amount": lambda: changed("amount", ["1.25", "-7"]),
    "fine_amount": lambda: changed("amount", [1.23456, 0.00001]),
    "large_amount": lambda: changed("amount", [10**14, 10**20]),
    "other_in_ts": lambda: changed("ts", ["soon", "2026-13-01T00:00:00Z", True, [1]]),
    "space_in_ts": lambda: changed("ts", ["2026-11-30 08:00:00", "2026-11-30 08:00:00.5"]),
    "day_in_ts": lambda: changed("ts", ["2026-11-30"]),
    "number_in_ts": lambda: changed("ts", [1764489600, 0]),
    "other_in_day": lambda: changed("day", ["soon", "2026-02-30", 1.5, {}]),
    "text_in_tags": lambda: changed("tags", ["a", 7]),
    "numbers_in_tags": lambda: changed("tags", [[1, 2.5, True]]),
    "null_in_tags": lambda: changed("tags", [["a", None]]),
    "text_in_geo": lambda: changed("geo", ["DE", 7, [{}]]),
    "text_in_lat": lambda: changed("geo", [{"country": "DE", "lat": "north"}]),
    "other_case": lambda: text({name.upper(): value for name, value in good().items()}),
    "after_the_end": lambda: plain() + RANDOM.choice([" x", "}", "{}"]),
    "single_quotes": lambda: "{'id': %d, 'name': 'x'}" % RANDOM.randrange(9),
    "comma_at_end": lambda: plain()[:-1] + ",}",
    "leading_zero": lambda: '{"name": "x", "id": 0%d}' % RANDOM.randrange(9),
    "control_character": lambda: '{"id": 1, "name": "a%sb"}' % RANDOM.choice("\t\x01\x1f"),
    "no_object": lambda: RANDOM.choice(["7", '"x"', "true", "x", "null"]),
    "array": lambda: RANDOM.choice(["[]", "[1]", '[{"id": 1}]']),
    "empty": lambda: RANDOM.choice(["", " ", "\n"]),
    "empty_object": lambda: "{}",
    "comment": lambda: '{"id": 1 /* one */}',
    "lone_surrogate": lambda: '{"id": 1, "name": "\\ud800"}',
}


def value(found):
    if isinstance(found, float):
        return repr(found)
    if isinstance(found, decimal.Decimal):
        return str(found)
    if isinstance(found, datetime.datetime):
        return found.strftime("%Y-%m-%dT%H:%M:%S.%f")
    if isinstance(found, datetime.date):
        return found.isoformat()
    if isinstance(found, list):
        return [value(item) for item in found]
    if hasattr(found, "asDict"):
        return {name: value(inner) for name, inner in found.asDict().items()}
    return found


def main():
    import os, time
    os.environ["TZ"] = "UTC"
    time.tzset()
    names = list(KINDS)
    records = []
    for index in range(10_000):
        kind = names[index % len(names)] if index < 8_000 else RANDOM.choice(names[:7])
        records.append((index, kind, KINDS[kind]()))
    spark = (SparkSession.builder.master("local[2]").config("spark.sql.session.timeZone", "UTC")
             .config("spark.sql.legacy.timeParserPolicy", "CORRECTED").config("spark.ui.enabled", "false").config("spark.driver.memory", "1g").getOrCreate())
    spark.sparkContext.setLogLevel("OFF")
    table = spark.createDataFrame(records, "i INT, kind STRING, json STRING").coalesce(1).cache()
    permissive = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": "bad"}
    parsed = {row.i: row.v for row in table.select("i", F.from_json("json", SCHEMA, permissive).alias("v")).collect()}
    failfast = {"mode": "FAILFAST"}
    plain_schema = SCHEMA.rsplit(",", 1)[0]
    fails = lambda frame: frame.select(F.from_json("json", plain_schema, failfast).alias("v")).collect()
    is_bad = lambda index: parsed[index] is None or parsed[index].bad is not None
    good_records = [record for record in records if not is_bad(record[0])]
    fails(spark.createDataFrame(good_records, "i INT, kind STRING, json STRING"))
    tried = {}
    with open(sys.argv[1], "wb") as out:
        for index, kind, record in records:
            row = parsed[index]
            failed = False
            if is_bad(index):
                failed = None
                if tried.setdefault(kind, 0) < 40:
                    tried[kind] += 1
                    try:
                        fails(spark.range(1).select(F.lit(record).alias("json")))
                        failed = False
                    except Exception:
                        failed = True
            found = None if row is None else value(row)
            if found is not None:
                found = [found[name] for name in list(found) if name != "bad"]
                if all(cell is None for cell in found):
                    found = None
            line = json.dumps([kind, record, found, failed], ensure_ascii=True, separators=(",", ":"))
            out.write((line + "\n").encode())
    spark.stop()


if __name__ == "__main__":
    main()
