-- Counts the words of a text with SQL over a stream, and writes the counts to another stream. Run it in
-- the repository root:
--
--   kinesis-sql --embedded -f sql-examples/01_word_count.sql
--
-- This uses an in-memory Kinesis in the same process. To run it against AWS, omit --embedded and set
-- credentials and a region in the environment. Note that the two streams are created, and cost money
-- until they are deleted.

-- The text, one row per line. The delimiter and the quote do not occur in it.
CREATE EXTERNAL TABLE license (line VARCHAR)
STORED AS CSV LOCATION 'LICENSE'
OPTIONS ('format.has_header' 'false', 'format.delimiter' '|', 'format.quote' '~');

-- A stream of words. The partition key of a record selects its shard.
CREATE EXTERNAL TABLE words
STORED AS "aws-kinesis" LOCATION 'words'
OPTIONS ('kinesis.createStream' 'true', 'kinesis.shardCount' '4');

-- Rows are packed into aggregated records, one per shard and request.
INSERT INTO words (partitionKey, data)
SELECT word AS partitionKey, word AS data
FROM (
  SELECT unnest(string_to_array(regexp_replace(lower(line), '[^a-z]+', ' ', 'g'), ' ')) AS word
  FROM license
)
WHERE word <> '';

-- A stream of counts.
CREATE EXTERNAL TABLE word_counts
STORED AS "aws-kinesis" LOCATION 'word_counts'
OPTIONS ('kinesis.createStream' 'true');

-- `data` is binary. CAST fails the statement on a payload that is not UTF-8; TRY_CAST returns NULL.
INSERT INTO word_counts (partitionKey, data)
SELECT word AS partitionKey, CAST(count(*) AS VARCHAR) AS data
FROM (SELECT CAST(data AS VARCHAR) AS word FROM words)
GROUP BY word;

-- The counts, read back from the stream.
SELECT partitionKey AS word, CAST(CAST(data AS VARCHAR) AS BIGINT) AS occurrences
FROM word_counts
ORDER BY occurrences DESC, word
LIMIT 10;
