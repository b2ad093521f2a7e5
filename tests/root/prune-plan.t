#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# What prune --layers removes, in which order, and how many bytes it frees, compared with a model
# with random layers, times and options.
: "${PRUNE_SEEDS:=1 2}"
python3 -c '' 2>/dev/null || cannot "no python3"

for seed in $PRUNE_SEEDS; do
	export OVLCTL_ROOT="$T/$seed"
	is "plans of seed $seed" "$(python3 "$top/tests/tool/plans.py" "$seed" 40 2>&1)" right
done
done_testing
