-- What tells why a task does not run.
-- $1 task, $2 user
SELECT t.type, t.queue, t.priority, t.status, t.attempt, t.due_at, t.queued_at, t.started_at,
	t.finished_at, t.worker, t.error, t.cancel_requested_at
FROM taskflow.tasks t WHERE t.id = $1 AND t.user_id = $2
