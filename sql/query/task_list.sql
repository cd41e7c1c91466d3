-- A user's tasks, newest first; no payloads.
-- $1 user, $2 status or null, $3 ids below this one, $4 how many
SELECT t.id, t.type, t.queue, t.priority, t.status, t.attempt, t.returned,
	t.max_attempts, t.timeout_ms, t.created_at, t.scheduled_at, t.due_at,
	t.queued_at, t.started_at, t.finished_at, t.worker, t.error, t.traceparent
FROM taskflow.tasks t
WHERE t.user_id = $1 AND t.id < $3 AND ($2 IS NULL OR t.status = $2)
ORDER BY t.id DESC LIMIT $4
