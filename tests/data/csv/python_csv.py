"""Writes python_csv.json: texts with odd quoting, and the rows that Python's csv module reads from them.

python3 tests/data/csv/python_csv.py > tests/data/csv/python_csv.json
"""

import csv
import io
import json
import random
import sys

random.seed(15)

PIECES = ["", "a", "bc", " ", '"', '""', "'", ",", ";", "\t", "|", "\\", "\n", "\r", "\r\n", "ü", "日", "0", "NULL"]


def read(text, options):
    """The rows that are not blank, and whether an error ended reading."""
    rows = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), strict=True, **options):
            if row:
                rows.append(row)
    except csv.Error:
        return rows, True
    return rows, False


def kinesis(options):
    names = {"delimiter": "delimiter", "quotechar": "quote", "escapechar": "escape"}
    return {f"kinesis.csv.{names[key]}": value for key, value in options.items() if key in names}


def case(text, options):
    rows, failed = read(text, options)
    return {"options": kinesis(options), "text": text, "rows": rows, "failed": failed}


def written(options, quoting):
    out = io.StringIO(newline="")
    columns = random.randint(1, 4)
    ends = random.choice(["\n", "\r\n"])
    writer = csv.writer(out, lineterminator=ends, quoting=quoting, **options)
    rows = [["".join(random.choices(PIECES, k=random.randint(0, 4))) for _ in range(columns)] for _ in range(4)]
    writer.writerows(rows)
    return case(out.getvalue(), options)


def soup(options):
    return case("".join(random.choices(['"', ",", "a", " ", "\n", "\r", "ü"], k=random.randint(1, 12))), options)


cases = []
for dialect in [{}, {"delimiter": ";"}, {"delimiter": "\t", "quotechar": "'"}, {"delimiter": "|"}]:
    for quoting in [csv.QUOTE_MINIMAL, csv.QUOTE_ALL]:
        cases += [written(dialect, quoting) for _ in range(8)]
# Python also escapes outside of quotes, which Kinesis tables do not: so everything is quoted.
escaping = {"escapechar": "\\", "doublequote": False}
cases += [written(escaping, csv.QUOTE_ALL) for _ in range(10)]
cases += [soup({}) for _ in range(250)]
print(f'{{"made_by": "csv of Python {sys.version.split()[0]}", "cases": [')
print(",\n".join(json.dumps(case, ensure_ascii=False) for case in cases))
print("]}")
