-- No row if the password has been changed meanwhile. Tokens from before it are
-- refused from now on. $1 id, $2 its new hash, $3 its old hash
WITH c AS (
	UPDATE taskflow.users SET password_hash = $2, tokens_after = now(),
		access_changed_at = now()
	WHERE id = $1 AND password_hash = $3 RETURNING tokens_after
)
SELECT tokens_after FROM c
UNION ALL
SELECT tokens_after FROM taskflow.users WHERE id = $1 AND password_hash = $2
