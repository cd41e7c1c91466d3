-- For how long (microseconds) these have been ready; no row for one that is
-- not QUEUED.
-- $1 id; $2, $3 least and greatest id
SELECT u.ord, (extract(epoch FROM clock_timestamp() - t.queued_at) * 1000000)::int8
FROM unnest($1::uuid[]) WITH ORDINALITY AS u(id, ord)
JOIN taskflow.tasks t ON t.id = u.id AND t.id BETWEEN $2 AND $3
WHERE t.status = 2
ORDER BY u.ord
