-- What names a user's keys in the cache. $1 user
SELECT encode(hash, 'hex') FROM taskflow.api_keys WHERE user_id = $1
