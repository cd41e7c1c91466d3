#!/bin/sh
# poison.sh: a handler that misbehaves in the way that its payload, a string, names.
read -r how
how=${how#\"}
how=${how%\"}
case $how in
kill-worker) kill -9 "$PPID" ;;
crash)
	echo "about to crash, attempt $TASKFLOW_ATTEMPT" >&2
	kill -SEGV $$
	;;
memory) exec perl -e 'print STDERR "eating\n"; my @all; push @all, "x" x 1_000_000 while 1' ;;
hang) exec sleep 1000 ;;
ignore)
	trap '' TERM
	while :; do sleep 1; done
	;;
fork)
	sleep 1000 &
	setsid sleep 4 &
	echo '"forked"'
	;;
pipes)
	exec <&- >&- 2>&-
	sleep 0.2
	;;
write) exec yes "and so on" ;;
complain) yes "oh no" >&2 ;;
input) exec <&- && echo '"not read"' ;;
esac
