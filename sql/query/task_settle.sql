-- Write what became of claimed tasks, each fenced by attempt and worker. A row
-- that does not match gives no row: see task_stale.
-- $1 id, $2 attempt, $3 worker, $4 status after it, $5 event kind,
-- $6 delay_ms (RETRYING), $7 returned: 1 if this attempt does not count,
-- $8 unclaimed: 1 if it was never started, so the attempt is taken back,
-- $9 result, $10 error; $11, $12 least and greatest id
WITH u AS (
	SELECT * FROM unnest($1::uuid[], $2::int4[], $3::uuid[], $4::int2[], $5::int2[],
		$6::int8[], $7::int4[], $8::int4[], $9::json[], $10::text[])
		WITH ORDINALITY AS u(id, attempt, worker, status, kind, delay_ms, returned,
		unclaimed, result, error, ord)
	ORDER BY id
), c AS (
	UPDATE taskflow.tasks t
	SET status = u.status,
		attempt = t.attempt - u.unclaimed,
		returned = t.returned + u.returned,
		due_at = CASE WHEN u.status = 4
			THEN now() + u.delay_ms * interval '1 millisecond' END,
		queued_at = CASE WHEN u.status = 2 THEN now() ELSE t.queued_at END,
		finished_at = CASE WHEN u.status >= 5 THEN now() END,
		result = u.result,
		error = CASE WHEN u.status = 5 THEN NULL ELSE coalesce(u.error, t.error) END
	FROM u
	WHERE t.id = u.id AND t.id BETWEEN $11 AND $12
	AND t.status = 3 AND t.attempt = u.attempt AND t.worker = u.worker
	RETURNING u.ord, u.id, u.worker, u.attempt, u.kind, u.status, u.error
), e AS (
	INSERT INTO taskflow.task_events (task_id, worker, at, attempt, kind, status, message)
	SELECT id, worker, now(), attempt, kind, status, error FROM c
)
SELECT ord FROM c ORDER BY ord
