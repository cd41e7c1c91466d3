-- Accept tasks that have keys; the statement stands in sql/schema/0004_keyed.sql.
SELECT * FROM taskflow.insert_keyed(
	$1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int2[], $6::int4[],
	$7::int8[], $8::timestamptz[], $9::int8[], $10::text[], $11::json[],
	$12::text[], $13::uuid[], $14::int4[], $15::text[], $16::text[], $17::int8[],
	$18::text[])
