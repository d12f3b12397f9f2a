-- Counts the words of a stream as they arrive, and writes each changed count to another stream. Run it:
--
--   kinesis-sql --embedded -f sql-examples/03_streaming_word_count.sql
--
-- This uses an in-memory Kinesis in the same process. To run it against AWS, omit --embedded and set
-- credentials and a region in the environment. Note that the two streams are created, and cost money
-- until they are deleted.

-- A stream of lines, and one for the counts.
CREATE EXTERNAL TABLE lines
STORED AS "aws-kinesis" LOCATION 'lines'
OPTIONS ('kinesis.createStream' 'true', 'kinesis.shardCount' '4');

CREATE EXTERNAL TABLE word_counts
STORED AS "aws-kinesis" LOCATION 'word_counts'
OPTIONS ('kinesis.createStream' 'true');

INSERT INTO lines (partitionKey, data)
VALUES ('1', 'the quick brown fox'), ('2', 'jumps over'), ('3', 'the lazy dog');

-- The same stream of lines, as an unbounded table that is read from its oldest record.
CREATE UNBOUNDED EXTERNAL TABLE lines_as_they_come
STORED AS "aws-kinesis" LOCATION 'lines'
OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON');

-- The counts are kept from batch to batch. Output mode 'update' returns those that a batch changed.
SET streaming.output_mode = 'update';

-- The query reads the existing records and ends. Without this setting it runs until Ctrl-C.
SET streaming.trigger = 'available now';

-- The checkpoint, where the query keeps its progress and its counts. This location lasts as long as the
-- process; use file:///var/lib/word_counts or an object store to keep it.
SET streaming.checkpoint_location = 'memory://example03';

INSERT INTO word_counts (partitionKey, data)
SELECT word, CAST(count(*) AS VARCHAR)
FROM (SELECT unnest(string_to_array(CAST(data AS VARCHAR), ' ')) AS word FROM lines_as_they_come)
GROUP BY word;

-- More lines arrive while no query runs.
INSERT INTO lines (partitionKey, data)
VALUES ('4', 'the fox sleeps'), ('5', 'over and over');

-- The same query again, with the same checkpoint: it continues counting where it stopped.
INSERT INTO word_counts (partitionKey, data)
SELECT word, CAST(count(*) AS VARCHAR)
FROM (SELECT unnest(string_to_array(CAST(data AS VARCHAR), ' ')) AS word FROM lines_as_they_come)
GROUP BY word;

-- The stream of counts contains every change; the last one of a word is its count.
SELECT partitionKey AS word, count(*) AS changes, max(CAST(CAST(data AS VARCHAR) AS INT)) AS count
FROM word_counts
GROUP BY word
ORDER BY count DESC, word;
