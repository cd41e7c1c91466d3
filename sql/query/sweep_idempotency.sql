-- Delete Idempotency-Keys whose time is over. $1 how many
SELECT taskflow.sweep_idempotency($1::int8)
