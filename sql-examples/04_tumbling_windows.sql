-- Averages of each minute by the time in the records, given once when the minute is over; records that
-- come late are waited for, up to a point.
--
--   kinesis-sql --embedded -f sql-examples/04_tumbling_windows.sql
--
-- runs it against an in-memory Kinesis in the same process. Against AWS: leave out --embedded, have
-- credentials and a region in the environment, and mind that the two streams are created (and cost
-- money until they are deleted).

-- Readings say when they were taken: time,device,degrees. They come a little out of order.
CREATE EXTERNAL TABLE readings
STORED AS "aws-kinesis" LOCATION 'readings'
OPTIONS ('kinesis.createStream' 'true', 'kinesis.shardCount' '2');

CREATE EXTERNAL TABLE averages
STORED AS "aws-kinesis" LOCATION 'averages'
OPTIONS ('kinesis.createStream' 'true');

INSERT INTO readings (partitionKey, data) VALUES
  ('oven',   '2026-11-20T10:00:05Z,oven,200'),
  ('oven',   '2026-11-20T10:00:35Z,oven,220'),
  ('boiler', '2026-11-20T10:00:40Z,boiler,70'),
  ('oven',   '2026-11-20T10:01:10Z,oven,230'),
  ('boiler', '2026-11-20T10:01:20Z,boiler,74');

CREATE UNBOUNDED EXTERNAL TABLE readings_as_they_come
STORED AS "aws-kinesis" LOCATION 'readings'
OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON');

-- A reading may be 30 seconds older than others: a minute is closed, and given, when the readings are
-- 30 seconds beyond its end. That is the watermark.
SET streaming.watermark_delay = '30 seconds';

-- Give a minute once, when it is closed.
SET streaming.output_mode = 'append';

SET streaming.trigger = 'available now';

SET streaming.checkpoint_location = 'memory://example04';

-- Nothing is 30 seconds beyond 10:01:00 yet, so no minute is given.
INSERT INTO averages (partitionKey, data)
SELECT device, concat_ws(' ', to_char(window_start, '%H:%M'), count(*), avg(degrees))
FROM (
  SELECT to_timestamp(split_part(CAST(data AS VARCHAR), ',', 1)) AS ts,
         split_part(CAST(data AS VARCHAR), ',', 2) AS device,
         CAST(split_part(CAST(data AS VARCHAR), ',', 3) AS DOUBLE) AS degrees
  FROM readings_as_they_come)
GROUP BY tumble(ts, INTERVAL '1 minute'), device;

SELECT count(*) AS minutes FROM averages;

-- One reading of 10:00 comes late, and in time; others are far beyond its end.
INSERT INTO readings (partitionKey, data) VALUES
  ('oven',   '2026-11-20T10:00:55Z,oven,240'),
  ('oven',   '2026-11-20T10:02:35Z,oven,228'),
  ('boiler', '2026-11-20T10:02:40Z,boiler,72');

INSERT INTO averages (partitionKey, data)
SELECT device, concat_ws(' ', to_char(window_start, '%H:%M'), count(*), avg(degrees))
FROM (
  SELECT to_timestamp(split_part(CAST(data AS VARCHAR), ',', 1)) AS ts,
         split_part(CAST(data AS VARCHAR), ',', 2) AS device,
         CAST(split_part(CAST(data AS VARCHAR), ',', 3) AS DOUBLE) AS degrees
  FROM readings_as_they_come)
GROUP BY tumble(ts, INTERVAL '1 minute'), device;

-- 10:00 and 10:01 are closed. A reading of 10:00 that comes now is too late: it is left out, and counted in
-- the progress of the query.
INSERT INTO readings (partitionKey, data) VALUES
  ('oven', '2026-11-20T10:00:59Z,oven,999'),
  ('oven', '2026-11-20T10:04:00Z,oven,210');

INSERT INTO averages (partitionKey, data)
SELECT device, concat_ws(' ', to_char(window_start, '%H:%M'), count(*), avg(degrees))
FROM (
  SELECT to_timestamp(split_part(CAST(data AS VARCHAR), ',', 1)) AS ts,
         split_part(CAST(data AS VARCHAR), ',', 2) AS device,
         CAST(split_part(CAST(data AS VARCHAR), ',', 3) AS DOUBLE) AS degrees
  FROM readings_as_they_come)
GROUP BY tumble(ts, INTERVAL '1 minute'), device;

-- Each minute of a device is there once: its start, how many readings it had, and their mean.
SELECT partitionKey AS device, CAST(data AS VARCHAR) AS minute
FROM averages
ORDER BY device, minute;
