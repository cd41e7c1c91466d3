-- No row if there is no such user. $1 id, $2 disabled
UPDATE taskflow.users SET
	disabled_at = CASE WHEN $2 THEN coalesce(disabled_at, now()) END,
	tokens_after = CASE WHEN $2 THEN now() ELSE tokens_after END,
	access_changed_at = now()
WHERE id = $1
RETURNING id, email, username, password_hash, role, created_at, disabled_at, tokens_after
