-- The statements that run for every task, as functions: a server connection
-- keeps the plans of what stands in a function, whatever PgBouncer hands it to,
-- and parsing and planning is half the cost of a small segment (claim of one
-- task: 190 us of CPU instead of 390, of 16 tasks: 310 instead of 520).
--
-- Where rows are searched, one plan must do for all arguments: each row by its
-- key, whether the table is new or has ten million rows, and whether the ids of a
-- batch are of one second or of three weeks. So the ids are a condition of the
-- scan itself, not only of the join; partitions are left out by the bounds when
-- the plan begins to run; and what else the planner might think of (a scan of all
-- that is between the bounds, a loop over the batch for each row) is forbidden.
-- An insert has but one plan.
--
-- A release that needs other arguments or columns makes a function of another
-- name, and leaves these as long as the release before it may run.

-- Accept tasks: the promise. Client-made ids: sending it again changes nothing.
-- $1 id, $2 user, $3 type, $4 queue, $5 priority, $6 max_attempts,
-- $7 timeout_ms, $8 scheduled_at, $9 delay_ms, $10 traceparent, $11 payload
CREATE FUNCTION taskflow.insert_tasks(uuid[], uuid[], text[], text[], int2[], int4[],
	int8[], timestamptz[], int8[], text[], json[])
RETURNS TABLE (ord int8, status int2, created_at timestamptz, scheduled_at timestamptz,
	due_in_ms int8)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
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
	FROM u JOIN t USING (id) ORDER BY u.ord;
END
$$;

-- The same for requests whose clients named them; a function of its own, since
-- most do not.
-- $12 request_id
CREATE FUNCTION taskflow.insert_tasks_asked(uuid[], uuid[], text[], text[], int2[], int4[],
	int8[], timestamptz[], int8[], text[], json[], text[])
RETURNS TABLE (ord int8, status int2, created_at timestamptz, scheduled_at timestamptz,
	due_in_ms int8)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH u AS (
		SELECT u.*, coalesce(scheduled_at, now() + delay_ms * interval '1 millisecond') AS due
		FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int2[], $6::int4[],
			$7::int8[], $8::timestamptz[], $9::int8[], $10::text[], $11::json[],
			$12::text[])
			WITH ORDINALITY AS u(id, user_id, type, queue, priority, max_attempts,
			timeout_ms, scheduled_at, delay_ms, traceparent, payload, request_id,
			ord)
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
		INSERT INTO taskflow.task_events (task_id, at, attempt, kind, status, request_id)
		SELECT t.id, t.created_at, 0, 1, t.status, u.request_id FROM t JOIN u USING (id)
	)
	SELECT u.ord, t.status, t.created_at, t.scheduled_at,
		(extract(epoch FROM t.scheduled_at - now()) * 1000)::int8
	FROM u JOIN t USING (id) ORDER BY u.ord;
END
$$;

-- Claim ids that Redis says are ready: the compare-and-set that decides who
-- owns a task. A claim whose answer was lost may be sent again: the same worker
-- gets its task back, attempt unchanged. One that was given up and still waits
-- somewhere (for a row's lock, in PgBouncer) finds its time over and does
-- nothing. A row for each id; attempt is null if it was not ours to claim.
-- $1 id, $2 worker, $3 until when by the database's clock, or null;
-- $4, $5 least and greatest id
CREATE FUNCTION taskflow.claim_tasks(uuid[], uuid[], timestamptz[], uuid, uuid)
RETURNS TABLE (ord int8, attempt int4, returned int4, max_attempts int4, timeout_ms int8,
	priority int2, queue text, type text, traceparent text, payload json, user_id uuid,
	at timestamptz, queued_at timestamptz)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan
	SET enable_nestloop = off SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH u AS (
		SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[])
			WITH ORDINALITY AS u(id, worker, expires, ord)
		ORDER BY id
	), c AS (
		UPDATE taskflow.tasks t
		SET attempt = t.attempt + (t.status = 2)::int, status = 3, worker = u.worker,
			started_at = CASE WHEN t.status = 2 THEN now() ELSE t.started_at END
		FROM u
		WHERE t.id = u.id AND t.id = ANY ($1) AND t.id BETWEEN $4 AND $5
		AND (t.status = 2 OR (t.status = 3 AND t.worker = u.worker))
		AND (u.expires IS NULL OR clock_timestamp() < u.expires)
		RETURNING u.ord, t.id, t.worker, t.attempt, t.returned, t.max_attempts, t.timeout_ms,
			t.priority, t.queue, t.type, t.traceparent, t.payload, t.started_at, t.user_id,
			t.queued_at
	), e AS (
		INSERT INTO taskflow.task_events (task_id, worker, at, attempt, kind, status)
		SELECT id, worker, started_at, attempt, 3, 3 FROM c WHERE started_at = now()
	)
	SELECT u.ord, c.attempt, c.returned, c.max_attempts, c.timeout_ms, c.priority, c.queue,
		c.type, c.traceparent, c.payload, c.user_id, clock_timestamp(),
		c.queued_at
	FROM u LEFT JOIN c USING (ord) ORDER BY u.ord;
END
$$;

-- Write what became of claimed tasks, each fenced by attempt and worker. A row
-- that does not match gives no row: see task_stale. What was to be cancelled
-- (0005_actions.sql) is CANCELLED, however it came out: the wish was promised.
-- A row says which status it has after it.
-- $1 id, $2 attempt, $3 worker, $4 status after it, $5 event kind,
-- $6 delay_ms (RETRYING), $7 returned: 1 if this attempt does not count,
-- $8 unclaimed: 1 if it was never started, so the attempt is taken back,
-- $9 result, $10 error; $11, $12 least and greatest id
CREATE FUNCTION taskflow.settle_tasks(uuid[], int4[], uuid[], int2[], int2[], int8[],
	int4[], int4[], json[], text[], uuid, uuid)
RETURNS TABLE (ord int8, status int2)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan
	SET enable_nestloop = off SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH u AS (
		SELECT * FROM unnest($1::uuid[], $2::int4[], $3::uuid[], $4::int2[], $5::int2[],
			$6::int8[], $7::int4[], $8::int4[], $9::json[], $10::text[])
			WITH ORDINALITY AS u(id, attempt, worker, status, kind, delay_ms, returned,
			unclaimed, result, error, ord)
		ORDER BY id
	), c AS (
		UPDATE taskflow.tasks t
		SET status = CASE WHEN t.cancel_requested_at IS NULL THEN u.status ELSE 7 END,
			attempt = CASE WHEN t.cancel_requested_at IS NULL
				THEN t.attempt - u.unclaimed ELSE t.attempt END,
			returned = t.returned + CASE WHEN t.cancel_requested_at IS NULL
				THEN u.returned ELSE 1 END,
			due_at = CASE WHEN u.status = 4 AND t.cancel_requested_at IS NULL
				THEN now() + u.delay_ms * interval '1 millisecond' END,
			queued_at = CASE WHEN u.status = 2 AND t.cancel_requested_at IS NULL
				THEN now() ELSE t.queued_at END,
			finished_at = CASE WHEN u.status >= 5 OR t.cancel_requested_at IS NOT NULL
				THEN now() END,
			result = CASE WHEN t.cancel_requested_at IS NULL THEN u.result END,
			error = CASE WHEN u.status = 5 THEN NULL ELSE coalesce(u.error, t.error) END
		FROM u
		WHERE t.id = u.id AND t.id = ANY ($1) AND t.id BETWEEN $11 AND $12
		AND t.status = 3 AND t.attempt = u.attempt AND t.worker = u.worker
		RETURNING u.ord, u.id, u.worker, u.attempt, t.status, u.error,
			CASE WHEN t.cancel_requested_at IS NULL THEN u.kind ELSE 11 END AS kind
	), e AS (
		INSERT INTO taskflow.task_events (task_id, worker, at, attempt, kind, status, message)
		SELECT id, worker, now(), attempt, kind, status, error FROM c
	)
	SELECT ord, status FROM c ORDER BY ord;
END
$$;

-- Tasks as their owners see them.
-- $1 id, $2 user; $3, $4 least and greatest id
CREATE FUNCTION taskflow.get_tasks(uuid[], uuid[], uuid, uuid)
RETURNS TABLE (ord int8, id uuid, type text, queue text, priority int2, status int2,
	attempt int4, returned int4, max_attempts int4, timeout_ms int8,
	created_at timestamptz, scheduled_at timestamptz, due_at timestamptz,
	queued_at timestamptz, started_at timestamptz, finished_at timestamptz, worker uuid,
	error text, traceparent text, payload json, result json)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan
	SET enable_nestloop = off SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT u.ord, t.id, t.type, t.queue, t.priority, t.status, t.attempt, t.returned,
		t.max_attempts, t.timeout_ms, t.created_at, t.scheduled_at, t.due_at,
		t.queued_at, t.started_at, t.finished_at, t.worker, t.error, t.traceparent,
		t.payload, t.result
	FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS u(id, user_id, ord)
	JOIN taskflow.tasks t ON t.id = u.id AND t.id = ANY ($1) AND t.id BETWEEN $3 AND $4
		AND t.user_id = u.user_id
	ORDER BY u.ord;
END
$$;

-- A user's tasks, newest first; no payloads.
-- $1 user, $2 status or null, $3 ids below this one, $4 how many
CREATE FUNCTION taskflow.list_tasks(uuid, int2, uuid, int8)
RETURNS TABLE (id uuid, type text, queue text, priority int2, status int2,
	attempt int4, returned int4, max_attempts int4, timeout_ms int8,
	created_at timestamptz, scheduled_at timestamptz, due_at timestamptz,
	queued_at timestamptz, started_at timestamptz, finished_at timestamptz, worker uuid,
	error text, traceparent text)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan
	SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT t.id, t.type, t.queue, t.priority, t.status, t.attempt, t.returned,
		t.max_attempts, t.timeout_ms, t.created_at, t.scheduled_at, t.due_at,
		t.queued_at, t.started_at, t.finished_at, t.worker, t.error, t.traceparent
	FROM taskflow.tasks t
	WHERE t.user_id = $1 AND t.id < $3 AND ($2 IS NULL OR t.status = $2)
	ORDER BY t.id DESC LIMIT $4;
END
$$;
