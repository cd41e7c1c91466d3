#!/bin/bash
# The image of PostgreSQL runs (or reads) this once, on an empty volume: the role and the database of
# TaskFlow. Maintenance is done as postgres, so that its statements are not cut off.
set -euo pipefail
psql -X -q -v ON_ERROR_STOP=1 -U postgres -d postgres -v password="$(cat "$TASKFLOW_PASSWORD_FILE")" <<'SQL'
CREATE ROLE taskflow LOGIN PASSWORD :'password';
ALTER ROLE taskflow SET statement_timeout = '15s';
ALTER ROLE taskflow SET idle_in_transaction_session_timeout = '30s';
CREATE DATABASE taskflow OWNER taskflow ENCODING 'UTF8' TEMPLATE template0;
SQL
