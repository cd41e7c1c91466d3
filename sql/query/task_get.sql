-- Tasks as their owners see them; the statement stands in sql/schema/0002_hot.sql.
SELECT * FROM taskflow.get_tasks($1::uuid[], $2::uuid[], $3::uuid, $4::uuid)
