-- The events of a task that its owner asks for; no row if there is no such
-- task of that user. At most 1000 (tasks.h: TASK_EVENTS_MAX) a time.
-- $1 task, $2 user, $3 after this seq; $4, $5 least and greatest id
SELECT u.ord, e.seq, e.at, e.kind, e.status, e.attempt, e.worker, e.message, e.request_id
FROM unnest($1::uuid[], $2::uuid[], $3::int8[]) WITH ORDINALITY AS u(id, user_id, after, ord)
JOIN taskflow.tasks t ON t.id = u.id AND t.id BETWEEN $4 AND $5
	AND t.user_id = u.user_id
CROSS JOIN LATERAL (
	SELECT * FROM taskflow.task_events e
	WHERE e.task_id = u.id AND e.task_id BETWEEN $4 AND $5 AND e.seq > u.after
	ORDER BY e.seq LIMIT 1000
) e
ORDER BY u.ord, e.seq
