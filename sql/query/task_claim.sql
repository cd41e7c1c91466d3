-- Claim ids that Redis says are ready; the statement stands in
-- sql/schema/0002_hot.sql.
SELECT * FROM taskflow.claim_tasks(
	$1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid, $5::uuid)
