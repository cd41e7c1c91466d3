-- The statement stands in sql/schema/0003_access.sql.
SELECT * FROM taskflow.insert_key($1, $2, $3, $4, $5, $6, $7, $8)
