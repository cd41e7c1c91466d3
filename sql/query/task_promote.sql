-- PENDING or RETRYING, and due: QUEUED. Sent again it finds nothing to do.
-- $1 id; $2, $3 least and greatest id
WITH u AS (
	SELECT * FROM unnest($1::uuid[]) WITH ORDINALITY AS u(id, ord) ORDER BY id
), c AS (
	UPDATE taskflow.tasks t
	SET status = 2, due_at = NULL, queued_at = clock_timestamp()
	FROM u
	WHERE t.id = u.id AND t.id BETWEEN $2 AND $3 AND t.status IN (1, 4)
	AND t.due_at <= clock_timestamp()
	RETURNING u.ord, t.id, t.attempt, t.queued_at
), e AS (
	INSERT INTO taskflow.task_events (task_id, at, attempt, kind, status)
	SELECT id, queued_at, attempt, 2, 2 FROM c
)
SELECT ord FROM c ORDER BY ord
