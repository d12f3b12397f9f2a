"""Opens and builds aggregates with the Python library `aws-kinesis-agg`.

Reads {"aggregates": [hex], "records": [[[key, hash key or null, hex]]]} from standard input, and
writes {"opened": [[[key, hash key or null, hex]]], "built": [hex]} in the same order.
"""

import base64
import json
import sys

from aws_kinesis_agg.aggregator import RecordAggregator
from aws_kinesis_agg.deaggregator import deaggregate_records


def opened(aggregate):
    outer = {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "sequenceNumber": "1",
            "approximateArrivalTimestamp": 0,
            "partitionKey": "a",
            "data": base64.b64encode(bytes.fromhex(aggregate)),
        }
    }
    inner = [record["kinesis"] for record in deaggregate_records(outer)]
    assert all(record.get("aggregated") for record in inner), "not taken for an aggregate"
    return [
        [r["partitionKey"], r["explicitHashKey"], base64.b64decode(r["data"]).hex()] for r in inner
    ]


def built(records):
    aggregator = RecordAggregator()
    for key, hash_key, data in records:
        full = aggregator.add_user_record(key, bytes.fromhex(data), hash_key)
        assert full is None, "too much for one aggregate"
    return aggregator.clear_and_get().get_contents()[2].hex()


task = json.load(sys.stdin)
answer = {
    "opened": [opened(aggregate) for aggregate in task["aggregates"]],
    "built": [built(records) for records in task["records"]],
}
json.dump(answer, sys.stdout)
