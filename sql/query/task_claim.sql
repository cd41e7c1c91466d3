-- Claim ids that Redis says are ready: the compare-and-set that decides who
-- owns a task. An id that is not QUEUED gives no row. A claim whose answer was
-- lost may be sent again: the same worker gets its task back, attempt unchanged.
-- $1 id, $2 worker; $3, $4 least and greatest id
WITH u AS (
	SELECT * FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS u(id, worker, ord)
	ORDER BY id
), c AS (
	UPDATE taskflow.tasks t
	SET attempt = t.attempt + (t.status = 2)::int, status = 3, worker = u.worker,
		started_at = CASE WHEN t.status = 2 THEN now() ELSE t.started_at END
	FROM u
	WHERE t.id = u.id AND t.id BETWEEN $3 AND $4
	AND (t.status = 2 OR (t.status = 3 AND t.worker = u.worker))
	RETURNING u.ord, t.id, t.worker, t.attempt, t.returned, t.max_attempts, t.timeout_ms,
		t.priority, t.queue, t.type, t.traceparent, t.payload, t.started_at, t.user_id
), e AS (
	INSERT INTO taskflow.task_events (task_id, worker, at, attempt, kind, status)
	SELECT id, worker, started_at, attempt, 3, 3 FROM c WHERE started_at = now()
)
SELECT ord, attempt, returned, max_attempts, timeout_ms, priority, queue, type,
	traceparent, payload, user_id
FROM c ORDER BY ord
