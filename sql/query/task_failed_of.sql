-- A user's FAILED and CANCELLED tasks that match, newest first; and, in the last
-- row (found null), how far the walk came. It looks at no more than $9 tasks.
-- $1 user, $2 status or null (both), $3 type or null, $4 queue or null,
-- $5 priority or null, $6 created after or null, $7 created before or null,
-- $8 ids below this one, $9 how many to look at, $10 how many to find
WITH w AS MATERIALIZED (
	SELECT id, status, type, queue, priority, created_at FROM taskflow.tasks
	WHERE user_id = $1 AND id < $8
	-- Ids are made by the clocks of the APIs: a day is more than they differ.
	AND id >= taskflow.id_floor(greatest($6 - interval '1 day', 'epoch'))
	AND id < coalesce(taskflow.id_floor($7 + interval '1 day'),
		'ffffffff-ffff-ffff-ffff-ffffffffffff')
	ORDER BY id DESC LIMIT $9
), m AS (
	SELECT id FROM w
	WHERE status IN (6, 7) AND ($2 IS NULL OR status = $2)
	AND ($3 IS NULL OR type = $3) AND ($4 IS NULL OR queue = $4)
	AND ($5 IS NULL OR priority = $5)
	AND ($6 IS NULL OR created_at > $6) AND ($7 IS NULL OR created_at < $7)
	ORDER BY id DESC LIMIT $10
)
SELECT id, true AS found, 0::int8 AS looked FROM m
UNION ALL
(SELECT id, NULL, (SELECT count(*) FROM w) FROM w ORDER BY id LIMIT 1)
ORDER BY looked, id DESC
