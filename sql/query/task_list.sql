-- A page of a user's tasks; the statement stands in sql/schema/0004_keyed.sql.
SELECT * FROM taskflow.list_tasks($1::uuid, $2::int4, $3::text, $4::int2, $5::text,
	$6::text, $7::timestamptz, $8::timestamptz, $9::uuid, $10::uuid, $11::bool,
	$12::int8, $13::int8)
