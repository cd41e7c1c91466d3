-- After it was revoked. $1 id
DELETE FROM taskflow.api_keys WHERE id = $1 AND revoked_at IS NOT NULL
