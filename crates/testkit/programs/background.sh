#!/bin/sh
# Beats three times and ends well, but leaves a child behind that keeps both streams open.
# $1: seconds that the child stays (5). It ends by itself then.
sleep "${1:-5}" &
for seq in 1 2 3; do
    printf '{"level":"info","event":"heartbeat","message":"heartbeat #%d","seq":%d}\n' "$seq" "$seq"
done
