-- Accept tasks of requests that have a name of their client's; the statement
-- stands in sql/schema/0002_hot.sql.
SELECT * FROM taskflow.insert_tasks_asked(
	$1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int2[], $6::int4[],
	$7::int8[], $8::timestamptz[], $9::int8[], $10::text[], $11::json[], $12::text[])
