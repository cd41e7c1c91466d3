-- Rows that found no partition of their own: the leader should hear of it.
SELECT EXISTS (SELECT FROM taskflow.tasks_default)
