-- A user's tasks, newest first; the statement stands in sql/schema/0002_hot.sql.
SELECT * FROM taskflow.list_tasks($1::uuid, $2::int2, $3::uuid, $4::int8)
