"""Writes to a stream, splits its shard, and reads parent and children to the end."""

import sys

import boto3

kinesis = boto3.client(
    "kinesis",
    endpoint_url=sys.argv[1],
    region_name="us-east-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
)


def put(first):
    records = [
        {"PartitionKey": f"key-{number}", "Data": str(number).encode()}
        for number in range(first, first + 50)
    ]
    answer = kinesis.put_records(StreamName="clicks", Records=records)
    assert answer["FailedRecordCount"] == 0, answer


def read(shard):
    """The records of a shard, and the children it names at its end."""
    iterator = kinesis.get_shard_iterator(
        StreamName="clicks", ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = []
    while True:
        page = kinesis.get_records(ShardIterator=iterator, Limit=20)
        records += page["Records"]
        iterator = page.get("NextShardIterator")
        if iterator is None:
            return records, [child["ShardId"] for child in page["ChildShards"]]
        if not page["Records"] and page["MillisBehindLatest"] == 0:
            return records, []


kinesis.create_stream(StreamName="clicks", ShardCount=1)
kinesis.get_waiter("stream_exists").wait(StreamName="clicks")
put(0)
[shard] = kinesis.list_shards(StreamName="clicks")["Shards"]
end = int(shard["HashKeyRange"]["EndingHashKey"])
assert end == 2**128 - 1, end
kinesis.split_shard(
    StreamName="clicks",
    ShardToSplit=shard["ShardId"],
    NewStartingHashKey=str((end + 1) // 2),
)
put(50)

records, children = read(shard["ShardId"])
assert [int(record["Data"]) for record in records] == list(range(50)), records
assert all(record["ApproximateArrivalTimestamp"].year > 2000 for record in records)
assert len(children) == 2, children
for child in children:
    records += read(child)[0]
assert sorted(int(record["Data"]) for record in records) == list(range(100))
print(f"{len(records)} records")
