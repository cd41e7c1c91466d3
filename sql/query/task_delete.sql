-- Delete; the statement stands in sql/schema/0005_actions.sql.
SELECT * FROM taskflow.delete_tasks($1::uuid[], $2::uuid[], $3::uuid, $4::uuid)
