-- Which of the attempts that run shall be cancelled?
-- $1 id, $2 attempt, $3 worker; $4, $5 least and greatest id
SELECT u.ord
FROM unnest($1::uuid[], $2::int4[], $3::uuid[]) WITH ORDINALITY AS u(id, attempt, worker, ord)
JOIN taskflow.tasks t ON t.id = u.id AND t.id BETWEEN $4 AND $5
WHERE t.status = 3 AND t.attempt = u.attempt AND t.worker = u.worker
AND t.cancel_requested_at IS NOT NULL
ORDER BY u.ord
