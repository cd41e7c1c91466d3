-- Whose tokens are not good, as far as that changed lately.
-- $1 how long ago in ms, $2 and all who are disabled, $3 at most so many
SELECT id, disabled_at IS NOT NULL, tokens_after FROM taskflow.users
WHERE access_changed_at > now() - $1 * interval '1 millisecond'
OR ($2 AND disabled_at IS NOT NULL)
ORDER BY access_changed_at DESC LIMIT $3
