-- Accept tasks: the promise. Client-made ids: sending it again changes nothing.
-- $1 id, $2 user, $3 type, $4 queue, $5 priority, $6 max_attempts,
-- $7 timeout_ms, $8 scheduled_at, $9 delay_ms, $10 traceparent, $11 payload
WITH u AS (
	SELECT u.*, coalesce(scheduled_at, now() + delay_ms * interval '1 millisecond') AS due
	FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int2[], $6::int4[],
		$7::int8[], $8::timestamptz[], $9::int8[], $10::text[], $11::json[])
		WITH ORDINALITY AS u(id, user_id, type, queue, priority, max_attempts,
		timeout_ms, scheduled_at, delay_ms, traceparent, payload, ord)
), t AS (
	INSERT INTO taskflow.tasks (id, user_id, type, queue, priority, max_attempts,
		timeout_ms, created_at, scheduled_at, due_at, queued_at, status,
		traceparent, payload)
	SELECT id, user_id, type, queue, priority, max_attempts, timeout_ms, now(), due,
		CASE WHEN due > now() THEN due END,
		CASE WHEN due > now() THEN NULL ELSE now() END,
		CASE WHEN due > now() THEN 1 ELSE 2 END,
		traceparent, payload
	FROM u
	ON CONFLICT (id) DO NOTHING
	RETURNING id, status, created_at, scheduled_at
), e AS (
	INSERT INTO taskflow.task_events (task_id, at, attempt, kind, status)
	SELECT id, created_at, 0, 1, status FROM t
)
SELECT u.ord, t.status, t.created_at, t.scheduled_at,
	(extract(epoch FROM t.scheduled_at - now()) * 1000)::int8
FROM u JOIN t USING (id) ORDER BY u.ord
