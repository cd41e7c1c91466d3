-- $1 days ahead
SELECT taskflow.ensure_partitions($1)
