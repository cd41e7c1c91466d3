-- A new term, above any that was seen. Sent again by the same leader within
-- its election it gives the same term.
-- $1 leader, $2 the term that Redis remembers
UPDATE taskflow.leadership
SET term = CASE WHEN leader = $1 AND term > $2 THEN term
	ELSE greatest(term, $2) + 1 END, leader = $1, elected_at = now()
RETURNING term
