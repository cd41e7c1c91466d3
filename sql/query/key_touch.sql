-- When keys were last used: at most once a minute each, and whoever has the row
-- meanwhile is not waited for. $1 id
WITH l AS (
	SELECT id FROM taskflow.api_keys WHERE id = ANY ($1::uuid[])
	AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
	ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
), c AS (
	UPDATE taskflow.api_keys k SET last_used_at = now() FROM l WHERE k.id = l.id
)
SELECT 0::int8 WHERE false
