-- Filters a stream into another one with a streaming query, stops, and goes on where it stopped.
--
--   kinesis-sql --embedded -f sql-examples/02_streaming_filter.sql
--
-- runs it against an in-memory Kinesis in the same process. Against AWS: leave out --embedded, have
-- credentials and a region in the environment, and mind that the two streams are created (and cost
-- money until they are deleted).

-- A stream of temperatures, and one for those that are too high.
CREATE EXTERNAL TABLE readings
STORED AS "aws-kinesis" LOCATION 'readings'
OPTIONS ('kinesis.createStream' 'true', 'kinesis.shardCount' '4');

CREATE EXTERNAL TABLE alarms
STORED AS "aws-kinesis" LOCATION 'alarms'
OPTIONS ('kinesis.createStream' 'true');

INSERT INTO readings (partitionKey, data)
VALUES ('boiler', '71'), ('oven', '230'), ('boiler', '96'), ('cellar', '12');

-- The stream of temperatures once more, as one that does not end. What is read from it is a streaming
-- query: it starts at the oldest record here, and by default at the newest.
CREATE UNBOUNDED EXTERNAL TABLE readings_as_they_come
STORED AS "aws-kinesis" LOCATION 'readings'
OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON');

-- The query reads what is there now and ends. Without this it goes on until Ctrl-C.
SET streaming.trigger = 'available now';

-- Where the query keeps how far it has read. This place lasts as long as the process; one that stays
-- is file:///var/lib/alarms, or an object store.
SET streaming.checkpoint_location = 'memory://example02';

INSERT INTO alarms (partitionKey, data)
SELECT partitionKey, data
FROM readings_as_they_come
WHERE CAST(CAST(data AS VARCHAR) AS INT) > 90;

SELECT partitionKey AS device, CAST(CAST(data AS VARCHAR) AS INT) AS degrees
FROM alarms
ORDER BY device, degrees;

-- More temperatures come in while no query runs.
INSERT INTO readings (partitionKey, data)
VALUES ('boiler', '99'), ('oven', '60'), ('cellar', '95');

-- The same query again, with the same checkpoint: it reads only what came in between.
INSERT INTO alarms (partitionKey, data)
SELECT partitionKey, data
FROM readings_as_they_come
WHERE CAST(CAST(data AS VARCHAR) AS INT) > 90;

-- So each alarm is there once.
SELECT partitionKey AS device, CAST(CAST(data AS VARCHAR) AS INT) AS degrees
FROM alarms
ORDER BY device, degrees;
