-- From its commit on the database says that the key does not work. No row if
-- the user has no such key. $1 id, $2 user
UPDATE taskflow.api_keys SET revoked_at = coalesce(revoked_at, now())
WHERE id = $1 AND user_id = $2 RETURNING encode(hash, 'hex')
