-- Users, tasks and their events.
--
-- Numbers of the enums are fixed for ever; src/task/task.c names the same ones.
--   status  1 PENDING 2 QUEUED 3 IN_PROGRESS 4 RETRYING
--           5 COMPLETED 6 FAILED 7 CANCELLED (5 and above are final)
--   priority 0 low, 1 high
--   kind    1 CREATED 2 QUEUED 3 PICKED_UP 4 PROGRESS 5 COMPLETED 6 FAILED
--           7 RETRIED 8 RECOVERED 9 INTERRUPTED 10 RELEASED 11 CANCELLED
--           12 STALE_RESULT

CREATE TABLE taskflow.users (
	id		uuid PRIMARY KEY,
	email		text NOT NULL,
	username	text,
	password_hash	text NOT NULL,
	role		text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
	created_at	timestamptz NOT NULL DEFAULT now(),
	rate_submit	text,		-- as of rate_submit in taskflowd.conf(5);
	rate_read	text,		-- null: what stands there
	limits_at	timestamptz	-- when these were set
);
-- What every API process asks for again and again: who has got other limits?
CREATE INDEX users_limits ON taskflow.users (limits_at)
	WHERE limits_at IS NOT NULL;
-- Login looks users up by these, and no two may share them.
CREATE UNIQUE INDEX users_email ON taskflow.users (lower(email));
CREATE UNIQUE INDEX users_username ON taskflow.users (lower(username));

-- Wide columns last and in the order of their alignment, so that a row of 200
-- bytes of payload stays under 400 bytes.
CREATE TABLE taskflow.tasks (
	id		uuid NOT NULL,
	user_id		uuid NOT NULL,
	worker		uuid,		-- who claimed it last
	created_at	timestamptz NOT NULL,
	scheduled_at	timestamptz,	-- what the client asked for
	due_at		timestamptz,	-- null unless it waits for its time
	queued_at	timestamptz,	-- when it became ready, last time
	started_at	timestamptz,
	finished_at	timestamptz,
	timeout_ms	bigint NOT NULL,
	attempt		integer NOT NULL DEFAULT 0,	-- of the last claim: the fencing token
	returned	integer NOT NULL DEFAULT 0,	-- attempts that do not count
	max_attempts	integer NOT NULL,
	status		smallint NOT NULL,
	priority	smallint NOT NULL,
	queue		text NOT NULL,
	type		text NOT NULL,
	traceparent	text,
	error		text,
	payload		json NOT NULL,
	result		json,
	-- UUIDv7 is time, so the key is also the partition key. Claim, settle,
	-- GET and the reconciler's walk all go by it.
	PRIMARY KEY (id)
) PARTITION BY RANGE (id);

-- What the scheduler searches. due_at is null in all rows that do not wait, so
-- the index is small, and claim and settle do not touch it: their updates stay
-- HOT (an index that names status, in its predicate too, would end that:
-- measured 0 % of HOT updates against 81 %, and 0.6 of the throughput).
CREATE INDEX tasks_due ON taskflow.tasks (due_at) WHERE due_at IS NOT NULL;
-- GET /tasks: a user's own tasks, newest first, by keyset. Neither column ever
-- changes, so it costs the insert alone.
CREATE INDEX tasks_user ON taskflow.tasks (user_id, id);

CREATE TABLE taskflow.task_events (
	task_id		uuid NOT NULL,
	worker		uuid,
	seq		bigint GENERATED ALWAYS AS IDENTITY,
	at		timestamptz NOT NULL DEFAULT clock_timestamp(),
	attempt		integer NOT NULL,
	kind		smallint NOT NULL,
	status		smallint NOT NULL,	-- of the task, after it
	message		text,
	-- Which request caused it: one that its client named (others stand in
	-- the id of the task).
	request_id	text
) PARTITION BY RANGE (task_id);
-- GET /tasks/{id}/events. No foreign key (it costs 16 % of the whole flow):
-- events are written by the statement that changes the task, and both leave
-- with their partitions, which have the same bounds.
CREATE INDEX task_events_task ON taskflow.task_events (task_id);

-- The number of the last election; one row.
CREATE TABLE taskflow.leadership (
	only_row	boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	term		bigint NOT NULL,
	leader		uuid,
	elected_at	timestamptz
);
INSERT INTO taskflow.leadership (term) VALUES (0);

-- The smallest UUIDv7 of a moment.
CREATE FUNCTION taskflow.id_floor(moment timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT AS $$
	SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0')
		|| '00000000000000000000')::uuid
$$;

-- Make the partitions of yesterday (tasks made just before midnight on a slow
-- clock) up to some days ahead. Safe to call from anywhere at any time. The
-- lock it needs waits behind every reader, and everybody behind it: so it gives
-- up soon, to be tried again later. A day of which the default partition has
-- rows already (an API with a wild clock) stays there.
-- fillfactor 50 leaves room for the two updates of a task's life beside it.
CREATE FUNCTION taskflow.ensure_partitions(days_ahead integer) RETURNS integer
LANGUAGE plpgsql SET lock_timeout = '300ms' AS $$
DECLARE
	today	date := (now() AT TIME ZONE 'UTC')::date;
	day	date;
	made	integer := 0;
	lo	uuid;
	hi	uuid;
BEGIN
	PERFORM pg_advisory_xact_lock(1952539755, 1);
	FOR i IN -1 .. days_ahead LOOP
		day := today + i;
		CONTINUE WHEN to_regclass('taskflow.tasks_' || to_char(day, 'YYYYMMDD')) IS NOT NULL;
		lo := taskflow.id_floor(day::timestamp AT TIME ZONE 'UTC');
		hi := taskflow.id_floor((day + 1)::timestamp AT TIME ZONE 'UTC');
		BEGIN
			EXECUTE format('CREATE TABLE taskflow.%I PARTITION OF taskflow.tasks
				FOR VALUES FROM (%L) TO (%L) WITH (fillfactor = 50,
				autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
				autovacuum_vacuum_insert_scale_factor = 0.1,
				autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1)',
				'tasks_' || to_char(day, 'YYYYMMDD'), lo, hi);
			EXECUTE format('CREATE TABLE taskflow.%I PARTITION OF taskflow.task_events
				FOR VALUES FROM (%L) TO (%L) WITH (
				autovacuum_vacuum_insert_scale_factor = 0.2)',
				'task_events_' || to_char(day, 'YYYYMMDD'), lo, hi);
		EXCEPTION WHEN check_violation THEN
			CONTINUE;
		END;
		made := made + 1;
	END LOOP;
	RETURN made;
END
$$;

-- Retention: drop whole days that ended before the horizon and in which every
-- task is final. Names of what was dropped.
CREATE FUNCTION taskflow.drop_partitions(horizon timestamptz) RETURNS SETOF text
LANGUAGE plpgsql SET lock_timeout = '300ms' AS $$
DECLARE
	name	text;
	waiting	boolean;
BEGIN
	PERFORM pg_advisory_xact_lock(1952539755, 1);
	FOR name IN
		SELECT c.relname FROM pg_inherits i
		JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'taskflow.tasks'::regclass
		AND c.relname ~ '^tasks_[0-9]{8}$'
		AND (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamp
			AT TIME ZONE 'UTC' <= horizon
		ORDER BY c.relname
	LOOP
		EXECUTE format('SELECT EXISTS (SELECT FROM taskflow.%I WHERE status < 5)', name)
			INTO waiting;
		CONTINUE WHEN waiting;
		EXECUTE format('DROP TABLE taskflow.%I', name);
		EXECUTE format('DROP TABLE IF EXISTS taskflow.%I', 'task_events' || substr(name, 6));
		RETURN NEXT name;
	END LOOP;
END
$$;

-- If no leader made partitions for long, rows still have a place to go.
CREATE TABLE taskflow.tasks_default PARTITION OF taskflow.tasks DEFAULT
	WITH (fillfactor = 50);
CREATE TABLE taskflow.task_events_default PARTITION OF taskflow.task_events DEFAULT;
SELECT taskflow.ensure_partitions(3);
