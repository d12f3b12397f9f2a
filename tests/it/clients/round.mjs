// Uses each operation of a stream with the AWS SDK for JavaScript, with its default settings, and checks the answers.
//
// Arguments: the folder of the package, a name for the stream, an endpoint whose GetRecords says that the iterator has
// expired, whose PutRecord is throttled, and whose PutRecords fails each entry; and the endpoint for all else.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const [packages, StreamName, faulty, endpoint] = process.argv.slice(2);
const require = createRequire(`${packages}/`);
const { Kinesis } = require("@aws-sdk/client-kinesis");

const connect = (endpoint) =>
  new Kinesis({
    endpoint,
    region: "eu-west-1",
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
  });
const kinesis = connect(endpoint);

const settled = async () => {
  for (;;) {
    const { StreamDescriptionSummary: summary } = await kinesis.describeStreamSummary({ StreamName });
    if (summary.StreamStatus === "ACTIVE") return summary;
  }
};

const failure = async (call) => {
  try {
    await call;
  } catch (error) {
    return error.name;
  }
  return "no error";
};

const openShards = async () => {
  const { Shards } = await kinesis.listShards({ StreamName, ShardFilter: { Type: "AT_LATEST" } });
  return Shards;
};

const iterator = async (ShardId, ShardIteratorType, more = {}) => {
  const answer = await kinesis.getShardIterator({ StreamName, ShardId, ShardIteratorType, ...more });
  return answer.ShardIterator;
};

/** All records from an iterator to the tip, and the child shards. */
const readAll = async (from) => {
  const records = [];
  for (let ShardIterator = from; ; ) {
    const page = await kinesis.getRecords({ ShardIterator, Limit: 300 });
    records.push(...page.Records);
    ShardIterator = page.NextShardIterator;
    const atTip = page.Records.length === 0 && page.MillisBehindLatest === 0;
    if (atTip || !ShardIterator) return { records, children: page.ChildShards };
  }
};

const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
const text = (record) => Buffer.from(record.Data).toString();

await kinesis.createStream({ StreamName, ShardCount: 1 });
const summary = await settled();
assert.equal(summary.OpenShardCount, 1);
assert.equal(summary.RetentionPeriodHours, 24);
assert.ok(Math.abs(summary.StreamCreationTimestamp - Date.now()) < 600_000);
assert.equal(await failure(kinesis.createStream({ StreamName, ShardCount: 1 })), "ResourceInUseException");
const [shard] = await openShards();

// Records of all kinds.
const entries = Array.from({ length: 500 }, (_, n) => ({ Data: Buffer.from(`value ${n}`), PartitionKey: `key ${n}` }));
entries[0] = { Data: bytes, PartitionKey: "bytes", ExplicitHashKey: "7" };
entries[1] = { Data: new Uint8Array(0), PartitionKey: "Größe 漢字 🦀" };
const first = await kinesis.putRecord({ StreamName, Data: bytes, PartitionKey: "first" });
assert.equal(first.ShardId, shard.ShardId);
const numbers = [first.SequenceNumber];
for (const Records of [entries, entries]) {
  const put = await kinesis.putRecords({ StreamName, Records });
  assert.equal(put.FailedRecordCount, 0);
  numbers.push(...put.Records.map((record) => record.SequenceNumber));
}
const expected = [{ Data: bytes, PartitionKey: "first" }, ...entries, ...entries];

// Each type of iterator.
const { records } = await readAll(await iterator(shard.ShardId, "TRIM_HORIZON"));
assert.equal(records.length, 1_001);
records.forEach((record, n) => {
  assert.deepEqual(Buffer.from(record.Data), Buffer.from(expected[n].Data));
  assert.equal(record.PartitionKey, expected[n].PartitionKey);
  assert.equal(record.SequenceNumber, numbers[n]);
  assert.ok(Math.abs(record.ApproximateArrivalTimestamp - Date.now()) < 600_000);
});
const number = { StartingSequenceNumber: numbers[600] };
const count = async (type, more) => (await readAll(await iterator(shard.ShardId, type, more))).records.length;
assert.equal(await count("AT_SEQUENCE_NUMBER", number), 401);
assert.equal(await count("AFTER_SEQUENCE_NUMBER", number), 400);
assert.equal(await count("LATEST"), 0);
const hour = (hours) => ({ Timestamp: new Date(Date.now() + hours * 3_600_000) });
assert.equal(await count("AT_TIMESTAMP", hour(-1)), 1_001);
const last = records.at(-1).ApproximateArrivalTimestamp;
const since = records.filter((record) => record.ApproximateArrivalTimestamp >= last).length;
assert.equal(await count("AT_TIMESTAMP", { Timestamp: last }), since);
const page = await kinesis.getRecords({ ShardIterator: await iterator(shard.ShardId, "TRIM_HORIZON"), Limit: 1 });
assert.equal(typeof page.MillisBehindLatest, "number");

// Errors have their types.
const missing = { StreamName: "missing" };
assert.equal(await failure(kinesis.describeStreamSummary(missing)), "ResourceNotFoundException");
const put = { Data: bytes, PartitionKey: "k" };
assert.equal(await failure(kinesis.putRecord({ ...missing, ...put })), "ResourceNotFoundException");
assert.equal(await failure(kinesis.getRecords({ ShardIterator: "AAAA" })), "InvalidArgumentException");
assert.equal(await failure(iterator(shard.ShardId, "AT_TIMESTAMP", hour(1))), "InvalidArgumentException");
assert.equal(await failure(kinesis.putRecord({ StreamName, Data: bytes, PartitionKey: "" })), "ValidationException");
const other = connect(faulty);
await other.createStream({ StreamName, ShardCount: 1 });
const place = await other.getShardIterator({ StreamName, ShardId: shard.ShardId, ShardIteratorType: "LATEST" });
assert.equal(
  await failure(other.getRecords({ ShardIterator: place.ShardIterator })),
  "ExpiredIteratorException",
);
assert.equal(await failure(other.putRecord({ StreamName, ...put })), "ProvisionedThroughputExceededException");
const failed = await other.putRecords({ StreamName, Records: [put] });
assert.equal(failed.FailedRecordCount, 1);
assert.equal(failed.Records[0].ErrorCode, "InternalFailure");

// Resharding.
await kinesis.splitShard({ StreamName, ShardToSplit: shard.ShardId, NewStartingHashKey: `${2n ** 127n}` });
await settled();
const parent = await readAll(await iterator(shard.ShardId, "TRIM_HORIZON"));
assert.equal(parent.records.length, 1_001);
const [left, right] = parent.children.map((child) => child.ShardId);
await kinesis.putRecords({ StreamName, Records: [put, { ...put, ExplicitHashKey: "7" }] });
await kinesis.mergeShards({ StreamName, ShardToMerge: left, AdjacentShardToMerge: right });
await settled();
const [merged] = await openShards();
assert.deepEqual([merged.ParentShardId, merged.AdjacentParentShardId], [left, right]);
const children = [left, right].map(async (child) => (await readAll(await iterator(child, "TRIM_HORIZON"))).records);
assert.equal((await Promise.all(children)).flat().length, 2);
const { Shards, NextToken } = await kinesis.listShards({ StreamName, MaxResults: 3 });
assert.equal(Shards.length, 3);
assert.equal((await kinesis.listShards({ NextToken })).Shards.length, 1);

// Enhanced fan-out.
const { StreamARN } = await settled();
const { Consumer } = await kinesis.registerStreamConsumer({ StreamARN, ConsumerName: "round" });
const { ConsumerARN } = Consumer;
for (;;) {
  const { ConsumerDescription } = await kinesis.describeStreamConsumer({ ConsumerARN });
  if (ConsumerDescription.ConsumerStatus === "ACTIVE") break;
}
const subscribe = (ShardId, Type) => kinesis.subscribeToShard({ ConsumerARN, ShardId, StartingPosition: { Type } });
const pushed = [];
let end;
for await (const { SubscribeToShardEvent } of (await subscribe(shard.ShardId, "TRIM_HORIZON")).EventStream) {
  end = SubscribeToShardEvent;
  pushed.push(...end.Records);
}
assert.deepEqual(pushed.map((record) => record.SequenceNumber), numbers);
pushed.forEach((record, n) => assert.deepEqual(Buffer.from(record.Data), Buffer.from(expected[n].Data)));
assert.equal(end.ContinuationSequenceNumber, undefined);
assert.deepEqual(end.ChildShards.map((child) => child.ShardId), [left, right]);
assert.equal(await failure(subscribe(shard.ShardId, "TRIM_HORIZON")), "ResourceInUseException");
const live = await subscribe(merged.ShardId, "LATEST");
const { SequenceNumber } = await kinesis.putRecord({ StreamName, ...put });
const { value } = await live.EventStream[Symbol.asyncIterator]().next();
assert.deepEqual(value.SubscribeToShardEvent.Records.map((record) => record.SequenceNumber), [SequenceNumber]);
await kinesis.deregisterStreamConsumer({ ConsumerARN });

// Tags.
await kinesis.addTagsToStream({ StreamName, Tags: { team: "données", empty: "" } });
const { Tags } = await kinesis.listTagsForStream({ StreamName });
assert.deepEqual(Object.fromEntries(Tags.map((tag) => [tag.Key, tag.Value])), { team: "données", empty: "" });
await kinesis.removeTagsFromStream({ StreamName, TagKeys: ["team"] });
assert.equal((await kinesis.listTagsForStream({ StreamName })).Tags.length, 1);
assert.ok((await kinesis.listStreams({})).StreamNames.includes(StreamName));

await kinesis.deleteStream({ StreamName, EnforceConsumerDeletion: true });
assert.equal(await failure(kinesis.listShards({ StreamName })), "ResourceNotFoundException");
assert.equal(kinesis.config.requestHandler.metadata.handlerProtocol, "h2");
console.log("passed");
