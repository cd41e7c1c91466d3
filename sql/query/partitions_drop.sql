-- $1 retention in milliseconds
SELECT taskflow.drop_partitions(now() - $1 * interval '1 millisecond')
