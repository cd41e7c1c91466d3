-- Who may do what: disabled users, tokens that were taken back, API keys.

ALTER TABLE taskflow.users
	-- Since when the user may not log in, and no key of the user's works.
	ADD disabled_at		timestamptz,
	-- Login tokens from before it are refused: the password was changed since,
	-- or the user disabled.
	ADD tokens_after	timestamptz,
	-- When one of these was written; API processes look for what is new.
	ADD access_changed_at	timestamptz;
CREATE INDEX users_access_changed ON taskflow.users (access_changed_at)
	WHERE access_changed_at IS NOT NULL;

-- scopes are bits: 1 tasks:read, 2 tasks:write, 4 keys, 8 admin. last_used_at
-- is in no index, so that writing it stays a HOT update.
CREATE TABLE taskflow.api_keys (
	id		uuid PRIMARY KEY,
	user_id		uuid NOT NULL REFERENCES taskflow.users (id),
	created_at	timestamptz NOT NULL DEFAULT now(),
	expires_at	timestamptz,
	last_used_at	timestamptz,
	-- On its way out: it works no more, and the row goes as soon as no cache
	-- has it any longer.
	revoked_at	timestamptz,
	scopes		integer NOT NULL,
	prefix		text NOT NULL,		-- what its owner knows it by
	name		text NOT NULL,
	hash		bytea NOT NULL		-- SHA-256 of the key; nothing else is kept
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX api_keys_hash ON taskflow.api_keys (hash);
CREATE INDEX api_keys_user ON taskflow.api_keys (user_id, id);

-- A new key. The user's row is locked, so that of many that are made at once no
-- more than allowed are made, and none after the user was disabled. Sending it
-- again changes nothing.
-- outcome 0: made, 1: there is no such user any more, 2: too many keys
CREATE FUNCTION taskflow.insert_key(new_id uuid, owner uuid, new_name text, new_prefix text,
	new_hash text, new_scopes integer, days bigint, most bigint)
RETURNS TABLE (outcome integer, created_at timestamptz, expires_at timestamptz)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM taskflow.users u WHERE u.id = owner AND u.disabled_at IS NULL
		FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 1, NULL::timestamptz, NULL::timestamptz;
		RETURN;
	END IF;
	IF NOT EXISTS (SELECT FROM taskflow.api_keys k WHERE k.id = new_id) THEN
		IF (SELECT count(*) FROM taskflow.api_keys k
			WHERE k.user_id = owner AND k.revoked_at IS NULL) >= most THEN
			RETURN QUERY SELECT 2, NULL::timestamptz, NULL::timestamptz;
			RETURN;
		END IF;
		INSERT INTO taskflow.api_keys (id, user_id, expires_at, scopes, prefix, name, hash)
		VALUES (new_id, owner, now() + days * interval '1 day', new_scopes, new_prefix,
			new_name, decode(new_hash, 'hex'));
	END IF;
	RETURN QUERY SELECT 0, k.created_at, k.expires_at FROM taskflow.api_keys k
		WHERE k.id = new_id;
END
$$;

-- Whose keys are these, and what may they do? A row for each one that works.
-- $1 SHA-256 in hexadecimal
CREATE FUNCTION taskflow.find_keys(text[])
RETURNS TABLE (ord int8, id uuid, user_id uuid, scopes integer, admin boolean,
	expires_at timestamptz, unnoted boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT u.ord, k.id, k.user_id, k.scopes, o.role = 'admin', k.expires_at,
		k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute'
	FROM unnest($1) WITH ORDINALITY AS u(hash, ord)
	JOIN taskflow.api_keys k ON k.hash = decode(u.hash, 'hex')
	JOIN taskflow.users o ON o.id = k.user_id
	WHERE k.revoked_at IS NULL AND o.disabled_at IS NULL
	AND (k.expires_at IS NULL OR k.expires_at > now())
	ORDER BY u.ord;
END
$$;
