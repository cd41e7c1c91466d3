-- The statement stands in sql/schema/0003_access.sql.
SELECT * FROM taskflow.find_keys($1::text[])
