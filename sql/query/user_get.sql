-- $1 id
SELECT id, email, username, password_hash, role, created_at, disabled_at, tokens_after
FROM taskflow.users WHERE id = $1
