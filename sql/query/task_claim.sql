-- Claim ids that Redis says are ready: the compare-and-set that decides who
-- owns a task. A claim whose answer was lost may be sent again: the same worker
-- gets its task back, attempt unchanged. One that was given up and still waits
-- somewhere (for a row's lock, in PgBouncer) finds its time over and does
-- nothing. A row for each id; attempt is null if it was not ours to claim.
-- $1 id, $2 worker, $3 until when by the database's clock, or null;
-- $4, $5 least and greatest id
WITH u AS (
	SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[])
		WITH ORDINALITY AS u(id, worker, expires, ord)
	ORDER BY id
), c AS (
	UPDATE taskflow.tasks t
	SET attempt = t.attempt + (t.status = 2)::int, status = 3, worker = u.worker,
		started_at = CASE WHEN t.status = 2 THEN now() ELSE t.started_at END
	FROM u
	WHERE t.id = u.id AND t.id BETWEEN $4 AND $5
	AND (t.status = 2 OR (t.status = 3 AND t.worker = u.worker))
	AND (u.expires IS NULL OR clock_timestamp() < u.expires)
	RETURNING u.ord, t.id, t.worker, t.attempt, t.returned, t.max_attempts, t.timeout_ms,
		t.priority, t.queue, t.type, t.traceparent, t.payload, t.started_at, t.user_id
), e AS (
	INSERT INTO taskflow.task_events (task_id, worker, at, attempt, kind, status)
	SELECT id, worker, started_at, attempt, 3, 3 FROM c WHERE started_at = now()
)
SELECT u.ord, c.attempt, c.returned, c.max_attempts, c.timeout_ms, c.priority, c.queue,
	c.type, c.traceparent, c.payload, c.user_id, clock_timestamp()
FROM u LEFT JOIN c USING (ord) ORDER BY u.ord
