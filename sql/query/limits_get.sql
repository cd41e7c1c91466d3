-- $1 user
SELECT id, rate_submit, rate_read FROM taskflow.users WHERE id = $1
