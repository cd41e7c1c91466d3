"""Many tasks, made by SQL with the columns and events that the API and a worker would have left."""
import base64
import hmac
import json
import os
import uuid

import client

CHUNK = 250000
DAY_MS = 86400000
# UUIDv7: the time, then what md5 gives.
ID = "(lpad(to_hex(s.ms), 12, '0') || '7' || substr(s.r, 1, 3) || '8' || substr(s.r, 4, 15))::uuid"
SERIES = "SELECT {start} + i * {span} / {n} AS ms, md5(random()::text) AS r FROM generate_series(0::bigint, {n} - 1) AS i"
QUEUED = f"""
WITH s AS ({SERIES}), t AS (
    INSERT INTO taskflow.tasks (id, user_id, type, queue, priority, max_attempts, timeout_ms, created_at, queued_at,
        status, payload)
    SELECT {ID}, '{{user}}', '{{type}}', 'default', 0, 3, 0, now(), now(), 2, '{{payload}}' FROM s
    RETURNING id, created_at, status)
INSERT INTO taskflow.task_events (task_id, at, attempt, kind, status) SELECT id, created_at, 0, 1, status FROM t"""
FINISHED = f"""
WITH s AS ({SERIES}), t AS (
    INSERT INTO taskflow.tasks (id, user_id, type, queue, priority, max_attempts, timeout_ms, created_at, queued_at,
        started_at, finished_at, worker, attempt, status, payload, result)
    SELECT {ID}, '{{user}}', 'noop', 'default', 0, 3, 0, c.at, c.at, c.at + interval '5 ms', c.at + interval '8 ms',
        '{{user}}', 1, 5, '{{payload}}', 'null'
    FROM s, to_timestamp(s.ms / 1000.0) AS c(at)
    RETURNING id, created_at, worker)
INSERT INTO taskflow.task_events (task_id, worker, at, attempt, kind, status)
SELECT t.id, CASE WHEN e.attempt > 0 THEN t.worker END, t.created_at + e.after, e.attempt, e.kind, e.status
FROM t, (VALUES (0, 1, 2, interval '0'), (1, 3, 3, '5 ms'), (1, 5, 5, '8 ms')) AS e(attempt, kind, status, after)"""
# A day that is over, with the settings that today's partitions have.
PARTITION = """
DO $$
DECLARE
    day date := (now() AT TIME ZONE 'UTC')::date - {back};
    today text := to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD');
    base text;
BEGIN
    FOREACH base IN ARRAY ARRAY['tasks_', 'task_events_'] LOOP
        CONTINUE WHEN to_regclass('taskflow.' || base || to_char(day, 'YYYYMMDD')) IS NOT NULL;
        EXECUTE format('CREATE TABLE taskflow.%I PARTITION OF taskflow.%I FOR VALUES FROM (%L) TO (%L) WITH (%s)',
            base || to_char(day, 'YYYYMMDD'), rtrim(base, '_'), taskflow.id_floor(day::timestamp AT TIME ZONE 'UTC'),
            taskflow.id_floor((day + 1)::timestamp AT TIME ZONE 'UTC'),
            (SELECT array_to_string(reloptions, ', ') FROM pg_class
                WHERE oid = to_regclass('taskflow.' || base || today)));
    END LOOP;
END $$"""
DROP = """
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND relname ~ '^task(s|_events)_[0-9]{8}$'
        AND right(relname, 8) < to_char((now() AT TIME ZONE 'UTC')::date - 1, 'YYYYMMDD') LOOP
        EXECUTE 'DROP TABLE ' || name;
    END LOOP;
END $$"""
PUSHES = """
SELECT 'RPUSH taskflow:queue:default ' || string_agg(id::text, ' ' ORDER BY id)
FROM (SELECT id, (row_number() OVER (ORDER BY id) - 1) / 1000 AS line FROM taskflow.tasks WHERE status = 2) AS q
GROUP BY line ORDER BY line"""


def values(stack):
    return {"user": stack.user, "payload": json.dumps(client.payload(id=1), separators=(",", ":"))}


def now_ms(stack):
    return int(stack.sql("SELECT (extract(epoch FROM now()) * 1000)::int8"))


def insert_queued(stack, n, kind="noop"):
    """Tasks that are QUEUED and in no list yet."""
    start = now_ms(stack)
    for done in range(0, n, CHUNK):
        stack.sql(QUEUED.format(start=start + done // 1000, span=CHUNK // 1000, n=min(CHUNK, n - done), type=kind,
                                **values(stack)))


def push_queued(stack):
    """All ids that are QUEUED into the list, in their order."""
    stack.redis("LOW", "--pipe", feed=stack.sql(PUSHES).replace("\n", "\r\n") + "\r\n")


def insert_finished(stack, n, days):
    """Tasks that were COMPLETED on the days before this one, as many on each."""
    today = now_ms(stack) // DAY_MS * DAY_MS
    each = n // days
    for back in range(days, 0, -1):
        stack.sql(PARTITION.format(back=back))
        for done in range(0, each, CHUNK):
            part = min(CHUNK, each - done)
            stack.sql(FINISHED.format(start=today - back * DAY_MS + done * DAY_MS // each, span=part * DAY_MS // each,
                                      n=part, **values(stack)))


def drop_finished(stack):
    """The partitions of days before yesterday."""
    stack.sql(DROP)


def cursor(stack, task):
    """Where the page below this task begins, of the list without filters: what GET /tasks makes it of."""
    with open(os.path.join(stack.dir, "jwt.secret"), "rb") as f:
        secret = f.read().rstrip(b"\n")
    plain = b"\0" + uuid.UUID(task).bytes
    seal = hmac.new(secret, plain + uuid.UUID(stack.user).bytes, "sha256").digest()
    return base64.urlsafe_b64encode(plain + seal[:10]).decode()


def sample(stack, total, n):
    """Some ids out of all, in no order."""
    percent = min(100, 1000 * n / total)
    return stack.sql(f"SELECT id FROM (SELECT id FROM taskflow.tasks TABLESAMPLE SYSTEM ({percent})) AS t "
                     f"ORDER BY random() LIMIT {n}").split()
