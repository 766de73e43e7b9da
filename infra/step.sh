#!/bin/sh
# step.sh NAME LOG COMMAND...: run a long step in one line, with the seconds that pass on a terminal. What the command
# prints is kept in LOG; where it fails, the last lines are shown and LOG is named.
name=$1 log=$2
shift 2
began=$(date +%s)
printf '%s ... ' "$name"
"$@" > "$log" 2>&1 &
step=$!
trap 'kill "$step" 2>/dev/null; exit 130' INT TERM
if [ -t 1 ]; then
	while kill -0 "$step" 2>/dev/null; do
		printf '\r%s ... %s s ' "$name" $(($(date +%s) - began))
		sleep 1
	done
	printf '\r%s ... ' "$name"
fi
if wait "$step"; then
	echo "ready ($(($(date +%s) - began)) s)"
else
	{ echo failed; tail -n 15 "$log"; echo "$name failed; $log has all of it."; } >&2
	exit 1
fi
