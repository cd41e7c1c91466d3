-- No row if the address or the name is taken by somebody else.
-- $1 id, $2 email, $3 username, $4 password_hash, $5 role
WITH i AS (
	INSERT INTO taskflow.users (id, email, username, password_hash, role)
	VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING id, created_at
)
SELECT id, created_at FROM i
UNION ALL
SELECT id, created_at FROM taskflow.users WHERE id = $1
