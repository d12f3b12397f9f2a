-- Filters a stream into another one with a streaming query, stops, and resumes where it stopped. Run it:
--
--   kinesis-sql --embedded -f sql-examples/02_streaming_filter.sql
--
-- This uses an in-memory Kinesis in the same process. To run it against AWS, omit --embedded and set
-- credentials and a region in the environment. Note that the two streams are created, and cost money
-- until they are deleted.

-- A stream of temperatures, and one for alarms about high temperatures.
CREATE EXTERNAL TABLE readings
STORED AS "aws-kinesis" LOCATION 'readings'
OPTIONS ('kinesis.createStream' 'true', 'kinesis.shardCount' '4');

CREATE EXTERNAL TABLE alarms
STORED AS "aws-kinesis" LOCATION 'alarms'
OPTIONS ('kinesis.createStream' 'true');

INSERT INTO readings (partitionKey, data)
VALUES ('boiler', '71'), ('oven', '230'), ('boiler', '96'), ('cellar', '12');

-- The same stream of temperatures, as an unbounded table. Statements that read it are streaming queries.
-- They start at the oldest record; by default they would read only records that arrive from now on.
CREATE UNBOUNDED EXTERNAL TABLE readings_as_they_come
STORED AS "aws-kinesis" LOCATION 'readings'
OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON');

-- The query reads the existing records and ends. Without this setting it runs until Ctrl-C.
SET streaming.trigger = 'available now';

-- The checkpoint, where the query keeps its progress. This location lasts as long as the process; use
-- file:///var/lib/alarms or an object store to keep it.
SET streaming.checkpoint_location = 'memory://example02';

INSERT INTO alarms (partitionKey, data)
SELECT partitionKey, data
FROM readings_as_they_come
WHERE CAST(CAST(data AS VARCHAR) AS INT) > 90;

SELECT partitionKey AS device, CAST(CAST(data AS VARCHAR) AS INT) AS degrees
FROM alarms
ORDER BY device, degrees;

-- More temperatures arrive while no query runs.
INSERT INTO readings (partitionKey, data)
VALUES ('boiler', '99'), ('oven', '60'), ('cellar', '95');

-- The same query again, with the same checkpoint: it reads only the new records.
INSERT INTO alarms (partitionKey, data)
SELECT partitionKey, data
FROM readings_as_they_come
WHERE CAST(CAST(data AS VARCHAR) AS INT) > 90;

-- So each alarm was written once.
SELECT partitionKey AS device, CAST(CAST(data AS VARCHAR) AS INT) AS degrees
FROM alarms
ORDER BY device, degrees;
