-- Progress of running tasks, fenced like a result.
-- $1 id, $2 attempt, $3 worker, $4 message; $5, $6 least and greatest id
WITH u AS (
	SELECT * FROM unnest($1::uuid[], $2::int4[], $3::uuid[], $4::text[])
		WITH ORDINALITY AS u(id, attempt, worker, message, ord)
), e AS (
	INSERT INTO taskflow.task_events (task_id, worker, attempt, kind, status, message)
	SELECT t.id, u.worker, u.attempt, 4, t.status, u.message
	FROM u JOIN taskflow.tasks t ON t.id = u.id AND t.id BETWEEN $5 AND $6
	WHERE t.status = 3 AND t.attempt = u.attempt AND t.worker = u.worker
)
SELECT ord FROM u ORDER BY ord
