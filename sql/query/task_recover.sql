-- What a dead worker had: its running tasks go back, or end when their attempts
-- are used up, or when they were to be cancelled anyhow. A row for each task that is QUEUED after this, also when it was
-- so before (taken from the list, never claimed), so that it can be pushed.
-- $1 id, $2 worker, $3 reason; $4, $5 least and greatest id
WITH u AS (
	SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[])
		WITH ORDINALITY AS u(id, worker, reason, ord) ORDER BY id
), c AS (
	UPDATE taskflow.tasks t
	SET status = CASE WHEN t.cancel_requested_at IS NOT NULL THEN 7
			WHEN t.attempt - t.returned >= t.max_attempts THEN 6 ELSE 2 END,
		queued_at = CASE WHEN t.cancel_requested_at IS NOT NULL
			OR t.attempt - t.returned >= t.max_attempts
			THEN t.queued_at ELSE now() END,
		finished_at = CASE WHEN t.cancel_requested_at IS NOT NULL
			OR t.attempt - t.returned >= t.max_attempts THEN now() END,
		returned = t.returned + (t.cancel_requested_at IS NOT NULL)::int,
		error = u.reason
	FROM u
	WHERE t.id = u.id AND t.id BETWEEN $4 AND $5 AND t.status = 3 AND t.worker = u.worker
	RETURNING u.ord, t.id, t.worker, t.attempt, t.status, t.queue, t.priority, u.reason
), e AS (
	INSERT INTO taskflow.task_events (task_id, worker, at, attempt, kind, status, message)
	SELECT id, worker, now(), attempt,
		CASE status WHEN 2 THEN 8 WHEN 7 THEN 11 ELSE 6 END, status, reason
	FROM c
)
SELECT ord, status, queue, priority FROM c
UNION ALL
SELECT u.ord, t.status, t.queue, t.priority
FROM u JOIN taskflow.tasks t ON t.id = u.id AND t.id BETWEEN $4 AND $5
WHERE t.status = 2 AND NOT EXISTS (SELECT FROM c WHERE c.ord = u.ord)
ORDER BY ord
