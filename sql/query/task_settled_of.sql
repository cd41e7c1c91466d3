-- Which of these tasks are final?
-- $1 id; $2, $3 least and greatest id
SELECT u.ord FROM unnest($1::uuid[]) WITH ORDINALITY AS u(id, ord)
JOIN taskflow.tasks t ON t.id = u.id AND t.id BETWEEN $2 AND $3
WHERE t.status >= 5 ORDER BY u.ord
