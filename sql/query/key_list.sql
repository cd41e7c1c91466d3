-- $1 user, $2 at most so many
SELECT id, prefix, name, scopes, created_at, expires_at, last_used_at
FROM taskflow.api_keys WHERE user_id = $1 AND revoked_at IS NULL
ORDER BY id DESC LIMIT $2
