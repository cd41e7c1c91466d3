-- $1 id, $2 user; $3, $4 least and greatest id
SELECT u.ord, t.id, t.type, t.queue, t.priority, t.status, t.attempt, t.returned,
	t.max_attempts, t.timeout_ms, t.created_at, t.scheduled_at, t.due_at,
	t.queued_at, t.started_at, t.finished_at, t.worker, t.error, t.traceparent,
	t.payload, t.result
FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS u(id, user_id, ord)
JOIN taskflow.tasks t ON t.id = u.id AND t.id BETWEEN $3 AND $4
	AND t.user_id = u.user_id
ORDER BY u.ord
