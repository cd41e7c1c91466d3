-- Tasks whose time comes within the lookahead, the first ones first, and how
-- long each must still wait by the clock of the database.
-- $1 lookahead in milliseconds, $2 how many
SELECT id, queue, priority, (extract(epoch FROM due_at - clock_timestamp()) * 1000000)::int8
FROM taskflow.tasks
WHERE due_at <= clock_timestamp() + $1 * interval '1 millisecond'
ORDER BY due_at LIMIT $2
