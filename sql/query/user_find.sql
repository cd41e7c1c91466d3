-- $1 email or user name
SELECT id, email, username, password_hash, role, created_at, disabled_at, tokens_after
FROM taskflow.users
WHERE lower(email) = lower($1) OR lower(username) = lower($1)
ORDER BY lower(email) = lower($1) DESC LIMIT 1
