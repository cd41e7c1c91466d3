-- Keys that a submit may have: a unique_key, of which a user has at most one
-- live task at a time, and an Idempotency-Key, by which a request that is sent
-- again is known. Submits without a key, claims and settlements do not come
-- near any of it: whether the holder of a key is final is looked at by the next
-- one who wants it.

ALTER TABLE taskflow.tasks ADD COLUMN unique_key text;

-- Who had the key last. It is held while that task is not final.
CREATE TABLE taskflow.task_unique (
	user_id		uuid NOT NULL,
	task_id		uuid NOT NULL,
	key		text COLLATE "C" NOT NULL,
	PRIMARY KEY (user_id, key)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- What the answer of a request is made from, beside its body, which is the same
-- as then: a request has one row, written in the transaction of its tasks.
CREATE TABLE taskflow.idempotency_keys (
	user_id		uuid NOT NULL,
	request		uuid NOT NULL,	-- the id that its first task was to have
	created_at	timestamptz NOT NULL,
	expires_at	timestamptz NOT NULL,
	key		text COLLATE "C" NOT NULL,
	fingerprint	bytea NOT NULL,
	traceparent	text,
	-- An element for each task that passed our own checks, in their order. A
	-- status below 0: refused for its unique_key, held by that task, which
	-- had this status.
	task_ids	uuid[] NOT NULL,
	statuses	int2[] NOT NULL,
	max_attempts	int4[] NOT NULL,
	scheduled_at	timestamptz[] NOT NULL,
	PRIMARY KEY (user_id, key)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX idempotency_keys_expires ON taskflow.idempotency_keys (expires_at);

-- Give the keys to these tasks. A row for each task that does not get its key,
-- and who has it: another live task, or one before it in the same call.
--
-- First every row is made or locked, in the order of the keys (so that two such
-- calls cannot wait for each other), and only a later statement, whose snapshot
-- has whatever the last holder of the lock did, looks who is final. One
-- statement would judge the new holder by the old snapshot.
--
-- Whatever makes a final task live again must call this first, in the same
-- transaction, and leave those that come back as they are.
-- $1 task, $2 user, $3 key or null
CREATE FUNCTION taskflow.take_unique(uuid[], uuid[], text[])
RETURNS TABLE (id uuid, holder uuid)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
	SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
	made	int8;
BEGIN
	WITH w AS (
		SELECT DISTINCT ON (user_id, key COLLATE "C") id, user_id, key
		FROM unnest($1, $2, $3) WITH ORDINALITY AS w(id, user_id, key, ord)
		WHERE key IS NOT NULL ORDER BY user_id, key COLLATE "C", ord
	), k AS (
		INSERT INTO taskflow.task_unique AS x (user_id, key, task_id)
		SELECT user_id, key, id FROM w ORDER BY user_id, key COLLATE "C"
		ON CONFLICT (user_id, key) DO UPDATE SET task_id = x.task_id WHERE false
		RETURNING 1
	)
	SELECT count(*) INTO made FROM k;
	IF made = cardinality(array_remove($3, NULL)) THEN
		RETURN;
	END IF;
	UPDATE taskflow.task_unique x SET task_id = w.id
	FROM (
		SELECT DISTINCT ON (user_id, key COLLATE "C") id, user_id, key
		FROM unnest($1, $2, $3) WITH ORDINALITY AS w(id, user_id, key, ord)
		WHERE key IS NOT NULL ORDER BY user_id, key COLLATE "C", ord
	) w
	WHERE x.user_id = w.user_id AND x.key = w.key AND x.task_id <> ALL ($1)
	AND NOT EXISTS (SELECT FROM taskflow.tasks t WHERE t.id = x.task_id AND t.status < 5);
	RETURN QUERY
	SELECT w.id, x.task_id
	FROM unnest($1, $2, $3) AS w(id, user_id, key)
	JOIN taskflow.task_unique x ON x.user_id = w.user_id AND x.key = w.key
	WHERE x.task_id <> w.id;
END
$$;

-- Accept tasks of requests that have keys, as insert_tasks does it without.
-- Sending it again changes nothing, and is answered as before.
--
-- A row for each input. verdict 1: accepted; 2: the unique_key is held, id and
-- status are those of its holder; 3: the Idempotency-Key is that of a request
-- with another body; 4: it is that of one that is just being refused. replayed:
-- it was accepted (or refused) by an earlier request. Who waits too long for
-- somebody else's transaction ends with 55P03.
-- $1 .. $11 as of insert_tasks, $12 unique_key, $13 request: the id of its
-- first task, $14 place in it from 1, $15 Idempotency-Key, $16 fingerprint in
-- hexadecimal (in the first row of a request at least), $17 how long it is kept,
-- $18 request_id, for the event
CREATE FUNCTION taskflow.insert_keyed(uuid[], uuid[], text[], text[], int2[], int4[],
	int8[], timestamptz[], int8[], text[], json[], text[], uuid[], int4[], text[],
	text[], int8[], text[])
RETURNS TABLE (ord int8, verdict int2, replayed bool, id uuid, status int2,
	created_at timestamptz, scheduled_at timestamptz, due_in_ms int8,
	max_attempts int4, traceparent text)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
	SET enable_hashjoin = off SET enable_mergejoin = off SET lock_timeout = '200ms' AS $$
#variable_conflict use_column
DECLARE
	lost	uuid[];		-- requests whose key is known already
	reused	uuid[];		-- of these, the ones with another body
	wanted	text[] := $12;
	held	uuid[];		-- tasks whose unique_key is another's
	holder	uuid[];
	was	int2[];		-- status of the holder
BEGIN
	IF cardinality(array_remove($15, NULL)) > 0 THEN
		WITH r AS (
			SELECT request, (array_agg(user_id))[1] AS user_id, max(key COLLATE "C") AS key,
				decode(max(fingerprint), 'hex') AS fingerprint,
				now() + max(ttl_ms) * interval '1 millisecond' AS expires,
				max(traceparent) AS traceparent, min(ord) AS ord,
				array_agg(id ORDER BY pos) AS ids,
				array_agg(CASE WHEN due > now() THEN 1 ELSE 2 END::int2
					ORDER BY pos) AS statuses,
				array_agg(max_attempts ORDER BY pos) AS max_attempts,
				array_agg(due ORDER BY pos) AS due
			FROM (
				SELECT u.*, coalesce(scheduled_at,
					now() + delay_ms * interval '1 millisecond') AS due
				FROM unnest($1, $2, $6, $8, $9, $10, $13, $14, $15, $16, $17)
					WITH ORDINALITY AS u(id, user_id, max_attempts,
					scheduled_at, delay_ms, traceparent, request, pos,
					key, fingerprint, ttl_ms, ord)
				WHERE key IS NOT NULL
			) u
			GROUP BY request
		), f AS (
			SELECT DISTINCT ON (user_id, key) * FROM r ORDER BY user_id, key, ord
		), k AS (
			INSERT INTO taskflow.idempotency_keys AS x (user_id, key, request,
				created_at, expires_at, fingerprint, traceparent, task_ids,
				statuses, max_attempts, scheduled_at)
			SELECT user_id, key, request, now(), expires, fingerprint, traceparent,
				ids, statuses, max_attempts, due
			FROM f ORDER BY user_id, key
			ON CONFLICT (user_id, key) DO UPDATE SET request = excluded.request,
				created_at = excluded.created_at, expires_at = excluded.expires_at,
				fingerprint = excluded.fingerprint,
				traceparent = excluded.traceparent, task_ids = excluded.task_ids,
				statuses = excluded.statuses, max_attempts = excluded.max_attempts,
				scheduled_at = excluded.scheduled_at
			WHERE x.expires_at <= now()
			RETURNING request
		)
		SELECT array_agg(request) INTO lost
		FROM (SELECT request FROM r EXCEPT SELECT request FROM k) l;
	END IF;
	lost := coalesce(lost, '{}');
	IF cardinality(lost) > 0 THEN
		SELECT array_agg(u.request) INTO reused
		FROM unnest($2, $13, $14, $15, $16) AS u(user_id, request, pos, key, fingerprint)
		JOIN taskflow.idempotency_keys k ON k.user_id = u.user_id AND k.key = u.key
		WHERE u.pos = 1 AND u.request = ANY (lost)
		AND k.fingerprint <> decode(u.fingerprint, 'hex');
		SELECT array_agg(CASE WHEN request = ANY (lost) THEN NULL ELSE key END
			ORDER BY ord) INTO wanted
		FROM unnest($12, $13) WITH ORDINALITY AS u(key, request, ord);
	END IF;
	IF cardinality(array_remove(wanted, NULL)) > 0 THEN
		-- What is there already was accepted by an earlier try of ours.
		SELECT array_agg(h.id), array_agg(h.holder) INTO held, holder
		FROM taskflow.take_unique($1, $2, wanted) h
		WHERE NOT EXISTS (SELECT FROM taskflow.tasks t WHERE t.id = h.id);
	END IF;
	held := coalesce(held, '{}');

	WITH t AS (
		INSERT INTO taskflow.tasks (id, user_id, type, queue, priority, max_attempts,
			timeout_ms, created_at, scheduled_at, due_at, queued_at, status,
			traceparent, payload, unique_key)
		SELECT id, user_id, type, queue, priority, max_attempts, timeout_ms, now(), due,
			CASE WHEN due > now() THEN due END,
			CASE WHEN due > now() THEN NULL ELSE now() END,
			CASE WHEN due > now() THEN 1 ELSE 2 END,
			traceparent, payload, unique_key
		FROM (
			SELECT u.*, coalesce(scheduled_at,
				now() + delay_ms * interval '1 millisecond') AS due
			FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
				AS u(id, user_id, type, queue, priority, max_attempts, timeout_ms,
				scheduled_at, delay_ms, traceparent, payload, unique_key, request)
		) u
		WHERE request <> ALL (lost) AND id <> ALL (held)
		ON CONFLICT (id) DO NOTHING
		RETURNING id, status, created_at
	)
	INSERT INTO taskflow.task_events (task_id, at, attempt, kind, status, request_id)
	SELECT t.id, t.created_at, 0, 1, t.status, u.request_id
	FROM t JOIN unnest($1, $18) AS u(id, request_id) ON u.id = t.id;

	IF cardinality(held) > 0 THEN
		SELECT array_agg(coalesce(t.status, 2::int2) ORDER BY h.ord) INTO was
		FROM unnest(holder) WITH ORDINALITY AS h(id, ord)
		LEFT JOIN taskflow.tasks t ON t.id = h.id;
		-- Requests of which nothing was accepted leave nothing behind.
		UPDATE taskflow.idempotency_keys k SET task_ids = o.ids, statuses = o.statuses
		FROM (
			SELECT request, (array_agg(user_id))[1] AS user_id,
				max(key COLLATE "C") AS key,
				array_agg(coalesce(holder[at], id) ORDER BY pos) AS ids,
				array_agg(coalesce(-was[at], CASE WHEN due > now() THEN 1
					ELSE 2 END)::int2 ORDER BY pos) AS statuses
			FROM (
				SELECT u.*, array_position(held, id) AS at, coalesce(scheduled_at,
					now() + delay_ms * interval '1 millisecond') AS due
				FROM unnest($1, $2, $8, $9, $13, $14, $15) AS u(id, user_id,
					scheduled_at, delay_ms, request, pos, key)
				WHERE key IS NOT NULL
			) u
			GROUP BY request HAVING bool_or(at IS NOT NULL)
		) o
		WHERE k.user_id = o.user_id AND k.key = o.key AND k.request = o.request;
		DELETE FROM taskflow.idempotency_keys k
		USING unnest($2, $13, $14, $15) AS u(user_id, request, pos, key)
		WHERE k.user_id = u.user_id AND k.key = u.key AND k.request = u.request
		AND u.pos = 1 AND 0 > ALL (k.statuses);
	END IF;

	IF cardinality(lost) + cardinality(held) = 0 THEN
		RETURN QUERY
		SELECT u.ord, 1::int2, false, u.id, CASE WHEN due > now() THEN 1 ELSE 2 END::int2,
			now(), due, (extract(epoch FROM due - now()) * 1000)::int8, u.max_attempts,
			u.traceparent
		FROM (
			SELECT u.*, coalesce(scheduled_at,
				now() + delay_ms * interval '1 millisecond') AS due
			FROM unnest($1, $6, $8, $9, $10) WITH ORDINALITY AS u(id, max_attempts,
				scheduled_at, delay_ms, traceparent, ord)
		) u ORDER BY u.ord;
		RETURN;
	END IF;
	RETURN QUERY
	SELECT u.ord, 1::int2, false, u.id, CASE WHEN due > now() THEN 1 ELSE 2 END::int2,
		now(), due, (extract(epoch FROM due - now()) * 1000)::int8, u.max_attempts,
		u.traceparent
	FROM (
		SELECT u.*, coalesce(scheduled_at,
			now() + delay_ms * interval '1 millisecond') AS due
		FROM unnest($1, $6, $8, $9, $10, $13) WITH ORDINALITY AS u(id, max_attempts,
			scheduled_at, delay_ms, traceparent, request, ord)
	) u
	WHERE u.request <> ALL (lost) AND u.id <> ALL (held)
	UNION ALL
	SELECT u.ord, 2::int2, false, holder[at], was[at], NULL, NULL, NULL, NULL, NULL
	FROM (
		SELECT u.*, array_position(held, u.id) AS at
		FROM unnest($1) WITH ORDINALITY AS u(id, ord)
	) u
	WHERE at IS NOT NULL
	UNION ALL
	SELECT u.ord, CASE WHEN k.key IS NULL THEN 4 WHEN u.request = ANY (reused)
			OR k.statuses[u.pos] IS NULL THEN 3
			WHEN k.statuses[u.pos] < 0 THEN 2 ELSE 1 END::int2,
		k.request <> u.request, k.task_ids[u.pos], abs(k.statuses[u.pos]), k.created_at,
		k.scheduled_at[u.pos],
		(extract(epoch FROM k.scheduled_at[u.pos] - now()) * 1000)::int8,
		k.max_attempts[u.pos], k.traceparent
	FROM unnest($2, $13, $14, $15) WITH ORDINALITY AS u(user_id, request, pos, key, ord)
	LEFT JOIN taskflow.idempotency_keys k ON k.user_id = u.user_id AND k.key = u.key
	WHERE u.request = ANY (lost)
	ORDER BY 1;
END
$$;

-- Tasks as their owners see them, with their keys.
DROP FUNCTION taskflow.get_tasks(uuid[], uuid[], uuid, uuid);
-- $1 id, $2 user; $3, $4 least and greatest id
CREATE FUNCTION taskflow.get_tasks(uuid[], uuid[], uuid, uuid)
RETURNS TABLE (ord int8, id uuid, type text, queue text, priority int2, status int2,
	attempt int4, returned int4, max_attempts int4, timeout_ms int8,
	created_at timestamptz, scheduled_at timestamptz, due_at timestamptz,
	queued_at timestamptz, started_at timestamptz, finished_at timestamptz, worker uuid,
	error text, traceparent text, unique_key text, payload json, result json)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan
	SET enable_nestloop = off SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT u.ord, t.id, t.type, t.queue, t.priority, t.status, t.attempt, t.returned,
		t.max_attempts, t.timeout_ms, t.created_at, t.scheduled_at, t.due_at,
		t.queued_at, t.started_at, t.finished_at, t.worker, t.error, t.traceparent,
		t.unique_key, t.payload, t.result
	FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS u(id, user_id, ord)
	JOIN taskflow.tasks t ON t.id = u.id AND t.id = ANY ($1) AND t.id BETWEEN $3 AND $4
		AND t.user_id = u.user_id
	ORDER BY u.ord;
END
$$;

-- A page of a user's tasks, from one end of a range of ids towards the other; no
-- payloads. At most $12 of those that match, among the first $13 of the range:
-- if these were not enough for a page and there are more, a last row has only the
-- id of the last one that was looked at (its type is null).
-- $1 user, $2 statuses (bits) or null, $3 type or null, $4 priority or null,
-- $5 queue or null, $6 unique_key or null, $7 made at this time or later, or null,
-- $8 made before this time, or null, $9, $10 ids between these, $11 upwards?
DROP FUNCTION taskflow.list_tasks(uuid, int2, uuid, int8);
CREATE FUNCTION taskflow.list_tasks(uuid, int4, text, int2, text, text, timestamptz,
	timestamptz, uuid, uuid, bool, int8, int8)
RETURNS TABLE (id uuid, type text, queue text, priority int2, status int2,
	attempt int4, returned int4, max_attempts int4, timeout_ms int8,
	created_at timestamptz, scheduled_at timestamptz, due_at timestamptz,
	queued_at timestamptz, started_at timestamptz, finished_at timestamptz, worker uuid,
	error text, traceparent text, unique_key text)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan
	SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
	found	int8;
BEGIN
	IF $11 THEN
		RETURN QUERY
		SELECT w.* FROM (
			SELECT t.id, t.type, t.queue, t.priority, t.status, t.attempt, t.returned,
				t.max_attempts, t.timeout_ms, t.created_at, t.scheduled_at,
				t.due_at, t.queued_at, t.started_at, t.finished_at, t.worker,
				t.error, t.traceparent, t.unique_key
			FROM taskflow.tasks t
			WHERE t.user_id = $1 AND t.id > $9 AND t.id < $10
			ORDER BY t.id LIMIT $13
		) w
		WHERE ($2 IS NULL OR $2 & (1 << w.status) <> 0) AND ($3 IS NULL OR w.type = $3)
		AND ($4 IS NULL OR w.priority = $4) AND ($5 IS NULL OR w.queue = $5)
		AND ($6 IS NULL OR w.unique_key = $6) AND ($7 IS NULL OR w.created_at >= $7)
		AND ($8 IS NULL OR w.created_at < $8)
		ORDER BY w.id LIMIT $12;
	ELSE
		RETURN QUERY
		SELECT w.* FROM (
			SELECT t.id, t.type, t.queue, t.priority, t.status, t.attempt, t.returned,
				t.max_attempts, t.timeout_ms, t.created_at, t.scheduled_at,
				t.due_at, t.queued_at, t.started_at, t.finished_at, t.worker,
				t.error, t.traceparent, t.unique_key
			FROM taskflow.tasks t
			WHERE t.user_id = $1 AND t.id > $9 AND t.id < $10
			ORDER BY t.id DESC LIMIT $13
		) w
		WHERE ($2 IS NULL OR $2 & (1 << w.status) <> 0) AND ($3 IS NULL OR w.type = $3)
		AND ($4 IS NULL OR w.priority = $4) AND ($5 IS NULL OR w.queue = $5)
		AND ($6 IS NULL OR w.unique_key = $6) AND ($7 IS NULL OR w.created_at >= $7)
		AND ($8 IS NULL OR w.created_at < $8)
		ORDER BY w.id DESC LIMIT $12;
	END IF;
	GET DIAGNOSTICS found = ROW_COUNT;
	IF found >= $12 THEN
		RETURN;
	END IF;
	IF $11 THEN
		SELECT t.id INTO id FROM taskflow.tasks t
		WHERE t.user_id = $1 AND t.id > $9 AND t.id < $10
		ORDER BY t.id OFFSET $13 - 1 LIMIT 1;
	ELSE
		SELECT t.id INTO id FROM taskflow.tasks t
		WHERE t.user_id = $1 AND t.id > $9 AND t.id < $10
		ORDER BY t.id DESC OFFSET $13 - 1 LIMIT 1;
	END IF;
	IF id IS NOT NULL THEN
		RETURN NEXT;
	END IF;
END
$$;

-- ---- for the leader: rows that nobody needs any more ----
-- At most $1 Idempotency-Keys whose time is over. How many there were.
CREATE FUNCTION taskflow.sweep_idempotency(int8) RETURNS int8
LANGUAGE sql SET enable_seqscan = off AS $$
	WITH d AS (
		DELETE FROM taskflow.idempotency_keys WHERE (user_id, key) IN (
			SELECT user_id, key FROM taskflow.idempotency_keys
			WHERE expires_at <= now() ORDER BY expires_at LIMIT $1
			FOR UPDATE SKIP LOCKED)
		RETURNING 1
	)
	SELECT count(*) FROM d
$$;

-- Of the next $3 unique keys after ($1, $2), those whose holder is final or gone.
-- Locked first, looked at again by a later snapshot, as in take_unique. The last
-- one that was looked at, and how many were deleted; no row: there are no more.
CREATE FUNCTION taskflow.sweep_unique(uuid, text, int8)
RETURNS TABLE (user_id uuid, key text, gone int8)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
	SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
	users	uuid[];
	keys	text[];
	over	bool[];
	n	int4;
BEGIN
	SELECT array_agg(user_id ORDER BY ord), array_agg(key ORDER BY ord),
		array_agg(over ORDER BY ord), count(*)
	INTO users, keys, over, n
	FROM (
		SELECT row_number() OVER () AS ord, x.user_id, x.key, NOT EXISTS (SELECT FROM
			taskflow.tasks t WHERE t.id = x.task_id AND t.status < 5) AS over
		FROM (
			SELECT * FROM taskflow.task_unique WHERE (user_id, key) > ($1, $2)
			ORDER BY user_id, key LIMIT $3
		) x
	) w;
	IF n = 0 THEN
		RETURN;
	END IF;
	user_id := users[n];
	key := keys[n];
	SELECT array_agg(l.user_id), array_agg(l.key) INTO users, keys
	FROM (
		SELECT x.user_id, x.key FROM taskflow.task_unique x
		JOIN unnest(users, keys, over) AS w(user_id, key, over)
			ON x.user_id = w.user_id AND x.key = w.key
		WHERE w.over FOR UPDATE OF x SKIP LOCKED
	) l;
	DELETE FROM taskflow.task_unique x USING unnest(users, keys) AS w(user_id, key)
	WHERE x.user_id = w.user_id AND x.key = w.key AND NOT EXISTS
		(SELECT FROM taskflow.tasks t WHERE t.id = x.task_id AND t.status < 5);
	GET DIAGNOSTICS gone = ROW_COUNT;
	RETURN NEXT;
END
$$;
