-- Is this a server we can work with?
SELECT current_setting('server_version_num')::int4, current_setting('server_encoding'),
	to_regclass('taskflow.schema_version') IS NOT NULL
