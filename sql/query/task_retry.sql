-- Retry; the statement stands in sql/schema/0005_actions.sql.
SELECT * FROM taskflow.retry_tasks($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid, $6::uuid)
