-- $1 above this user, $2 set within so many milliseconds, $3 at most
SELECT id, rate_submit, rate_read FROM taskflow.users
WHERE limits_at > now() - $2 * interval '1 millisecond' AND id > $1
ORDER BY id LIMIT $3
