-- Delete unique keys whose holder is final or gone. $1, $2 after this one, $3 of how many
SELECT * FROM taskflow.sweep_unique($1::uuid, $2::text, $3::int8)
