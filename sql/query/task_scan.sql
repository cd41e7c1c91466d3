-- Walk the primary key: of the next ids in a range, those that are not final;
-- and, in the last row (status null), how far the walk came.
-- $1 after this id, $2 up to this id, $3 how many ids to look at
WITH w AS MATERIALIZED (
	SELECT id, status, priority, queue, worker FROM taskflow.tasks
	WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3
)
SELECT id, status, priority, queue, worker, 0::int8 AS seen FROM w WHERE status < 5
UNION ALL
(SELECT id, NULL, NULL, NULL, NULL, (SELECT count(*) FROM w) FROM w ORDER BY id DESC LIMIT 1)
ORDER BY seen, id
