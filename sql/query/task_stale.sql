-- Settles that matched no row. Either they are settled already, because an
-- answer was lost and the statement sent again (true), or the task was given to
-- somebody else meanwhile: the late result is refused, and that is recorded.
-- $1 id, $2 attempt, $3 worker, $4 message; $5, $6 least and greatest id
WITH u AS (
	SELECT u.*, EXISTS (
		SELECT FROM taskflow.task_events e
		WHERE e.task_id = u.id AND e.task_id BETWEEN $5 AND $6
		AND e.attempt = u.attempt AND e.worker = u.worker
		AND e.kind IN (5, 6, 7, 9, 10, 11)) AS settled, EXISTS (
		SELECT FROM taskflow.task_events e
		WHERE e.task_id = u.id AND e.task_id BETWEEN $5 AND $6
		AND e.attempt = u.attempt AND e.worker = u.worker AND e.kind = 12) AS told
	FROM unnest($1::uuid[], $2::int4[], $3::uuid[], $4::text[])
		WITH ORDINALITY AS u(id, attempt, worker, message, ord)
), e AS (
	INSERT INTO taskflow.task_events (task_id, worker, attempt, kind, status, message)
	SELECT t.id, u.worker, u.attempt, 12, t.status, u.message
	FROM u JOIN taskflow.tasks t ON t.id = u.id AND t.id BETWEEN $5 AND $6
	WHERE NOT u.settled AND NOT u.told
)
SELECT ord, settled FROM u ORDER BY ord
