#!/bin/sh
# stubborn.sh FOLDER: a handler that does not end when it is asked to, and neither does its child. Their process
# ids are in FOLDER/pids.ID.
trap '' TERM
sleep 1000 &
echo "$$ $!" >"$1/new.$TASKFLOW_TASK_ID"
mv "$1/new.$TASKFLOW_TASK_ID" "$1/pids.$TASKFLOW_TASK_ID"
while :; do wait; sleep 1000; done
