-- Write what became of claimed tasks; the statement stands in
-- sql/schema/0002_hot.sql.
SELECT * FROM taskflow.settle_tasks(
	$1::uuid[], $2::int4[], $3::uuid[], $4::int2[], $5::int2[], $6::int8[],
	$7::int4[], $8::int4[], $9::json[], $10::text[], $11::uuid, $12::uuid)
