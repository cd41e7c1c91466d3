-- What an owner does to tasks: cancel, retry, delete.
--
-- A running task is cancelled in two parts: the wish is written here, and its
-- worker, or who recovers what a dead one had, makes the task CANCELLED of it.
-- Only tasks IN_PROGRESS have an open wish: whatever would end or give back
-- such a task (settle_tasks, task_recover) ends it as CANCELLED instead.
-- Events, besides those of 0001:
--   kind    13 CANCEL_REQUESTED

ALTER TABLE taskflow.tasks ADD COLUMN cancel_requested_at timestamptz;

-- Cancel: who waits is CANCELLED at once, who runs gets the wish, once. Rows
-- are locked in the order of their ids, as claim and settle lock them. Again,
-- it changes nothing. A row for each task that there is: its status after it,
-- and whether that is our doing.
-- $1 id, $2 user, $3 who asks, $4 the request; $5, $6 least and greatest id
CREATE FUNCTION taskflow.cancel_tasks(uuid[], uuid[], text[], text[], uuid, uuid)
RETURNS TABLE (ord int8, status int2, changed bool, queue text, priority int2)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan
	SET enable_nestloop = off SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH o AS (
		SELECT u.ord, u.who, u.request_id, t.id, t.status, t.cancel_requested_at AS wished, t.queue, t.priority
		FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[])
			WITH ORDINALITY AS u(id, user_id, who, request_id, ord)
		JOIN taskflow.tasks t ON t.id = u.id AND t.id = ANY ($1) AND t.id BETWEEN $5 AND $6
			AND t.user_id = u.user_id
		ORDER BY t.id FOR UPDATE OF t
	), c AS (
		UPDATE taskflow.tasks t
		SET status = CASE WHEN o.status = 3 THEN 3 ELSE 7 END,
			due_at = NULL,
			finished_at = CASE WHEN o.status = 3 THEN NULL ELSE clock_timestamp() END,
			cancel_requested_at = clock_timestamp()
		FROM o
		WHERE t.id = o.id AND t.id = ANY ($1) AND t.id BETWEEN $5 AND $6
		AND o.status < 5 AND (o.status <> 3 OR o.wished IS NULL)
		RETURNING o.ord, t.id, t.attempt, t.status, o.who, o.request_id
	), e AS (
		INSERT INTO taskflow.task_events (task_id, attempt, kind, status, message, request_id)
		SELECT id, attempt, CASE status WHEN 3 THEN 13 ELSE 11 END, status, who, request_id FROM c
	)
	SELECT o.ord, coalesce(c.status, o.status), c.ord IS NOT NULL, o.queue, o.priority
	FROM o LEFT JOIN c USING (ord) ORDER BY o.ord;
END
$$;

-- Retry: FAILED or CANCELLED tasks are due again, now or at the time that their
-- client once asked for, with all of their attempts; the numbers of the
-- attempts go on, since they fence off the old ones. They go by the scheduler:
-- their ids are old, and if an API pushed them and died before it, only a full
-- pass would find them. Sent again it finds its own event. A row for each task
-- that there is: its status after it, whether we retried it, and in how many
-- milliseconds it is due. One whose unique_key another live task has stays as
-- it is.
-- $1 id, $2 user, $3 who asks, no two alike, $4 the request; $5, $6 least and greatest id
CREATE FUNCTION taskflow.retry_tasks(uuid[], uuid[], text[], text[], uuid, uuid)
RETURNS TABLE (ord int8, status int2, retried bool, due_in_ms int8)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan
	SET enable_nestloop = off SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
	ids	uuid[];		-- those of the tasks that have a unique_key
	users	uuid[];
	keys	text[];
	held	uuid[];		-- of these: another live task has it
BEGIN
	-- All are locked first, in the order of their ids, whatever they are: one
	-- that ended after this and was retried below would not have taken its key.
	-- (Conditions of a plain subquery would be looked at before the lock.)
	WITH l AS (
		SELECT t.id, t.user_id, t.unique_key, t.status
		FROM unnest($1, $2) AS u(id, user_id)
		JOIN taskflow.tasks t ON t.id = u.id AND t.id = ANY ($1)
			AND t.id BETWEEN $5 AND $6 AND t.user_id = u.user_id
		ORDER BY t.id FOR UPDATE OF t
	)
	SELECT array_agg(l.id), array_agg(l.user_id), array_agg(l.unique_key)
	INTO ids, users, keys
	FROM l WHERE l.unique_key IS NOT NULL AND l.status IN (6, 7);
	IF ids IS NOT NULL THEN
		SELECT array_agg(h.id) INTO held
		FROM taskflow.take_unique(ids, users, keys) h;
	END IF;
	held := coalesce(held, '{}');
	RETURN QUERY
	WITH o AS (
		SELECT u.ord, u.who, u.request_id, t.id, t.status
		FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[])
			WITH ORDINALITY AS u(id, user_id, who, request_id, ord)
		JOIN taskflow.tasks t ON t.id = u.id AND t.id = ANY ($1) AND t.id BETWEEN $5 AND $6
			AND t.user_id = u.user_id
		ORDER BY t.id FOR UPDATE OF t
	), c AS (
		UPDATE taskflow.tasks t
		SET status = CASE WHEN t.scheduled_at > clock_timestamp() THEN 1 ELSE 4 END,
			due_at = greatest(t.scheduled_at, clock_timestamp()),
			returned = t.attempt,
			finished_at = NULL, cancel_requested_at = NULL, result = NULL
		FROM o
		WHERE t.id = o.id AND t.id = ANY ($1) AND t.id BETWEEN $5 AND $6
		AND o.status IN (6, 7) AND o.id <> ALL (held)
		RETURNING o.ord, t.id, t.attempt, t.status, t.due_at, o.who, o.request_id
	), e AS (
		INSERT INTO taskflow.task_events (task_id, attempt, kind, status, message, request_id)
		SELECT id, attempt, 7, status, who, request_id FROM c
	)
	SELECT o.ord, coalesce(c.status, o.status), c.ord IS NOT NULL OR EXISTS (
			SELECT FROM taskflow.task_events e
			WHERE e.task_id = o.id AND e.task_id = ANY ($1)
			AND e.task_id BETWEEN $5 AND $6 AND e.kind = 7 AND e.message = o.who),
		(extract(epoch FROM c.due_at - clock_timestamp()) * 1000)::int8
	FROM o LEFT JOIN c USING (ord) ORDER BY o.ord;
END
$$;

-- Delete final tasks with their events. A row for each task that there was: the
-- status that it had; from 5 on it is gone.
-- $1 id, $2 user; $3, $4 least and greatest id
CREATE FUNCTION taskflow.delete_tasks(uuid[], uuid[], uuid, uuid)
RETURNS TABLE (ord int8, status int2)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan
	SET enable_nestloop = off SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH o AS (
		SELECT u.ord, t.id, t.status
		FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS u(id, user_id, ord)
		JOIN taskflow.tasks t ON t.id = u.id AND t.id = ANY ($1) AND t.id BETWEEN $3 AND $4
			AND t.user_id = u.user_id
		ORDER BY t.id FOR UPDATE OF t
	), d AS (
		DELETE FROM taskflow.tasks t USING o
		WHERE t.id = o.id AND t.id = ANY ($1) AND t.id BETWEEN $3 AND $4
		AND o.status >= 5
		RETURNING t.id
	), e AS (
		DELETE FROM taskflow.task_events e USING d
		WHERE e.task_id = d.id AND e.task_id = ANY ($1) AND e.task_id BETWEEN $3 AND $4
	)
	SELECT o.ord, o.status FROM o ORDER BY o.ord;
END
$$;
