-- $1 user, $2 submit, $3 read; null: the default's
UPDATE taskflow.users SET rate_submit = $2, rate_read = $3, limits_at = now()
WHERE id = $1 RETURNING id, rate_submit, rate_read
