#!/bin/sh
# ledger.sh LEDGER HOLDS: a handler that tells what ran when. It appends a line to LEDGER when it begins and
# one when it ends ("begin ID ATTEMPT NANOSECONDS"), each in one write. Between the two it waits for as long as
# there is a file HOLDS/NAME.ATTEMPT; NAME is the payload, a string. Its result names the attempt.
note() { printf '%s %s %s %s\n' "$1" "$TASKFLOW_TASK_ID" "$TASKFLOW_ATTEMPT" "$(date +%s%N)"; }

read -r name
name=${name#\"}
name=${name%\"}
note begin >>"$1"
while [ -e "$2/$name.$TASKFLOW_ATTEMPT" ]; do sleep 0.05; done
note end >>"$1"
printf '{"name":"%s","attempt":%s}\n' "$name" "$TASKFLOW_ATTEMPT"
