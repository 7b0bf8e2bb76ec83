#!/bin/sh
# All runs of the study, from the repository's root; what is whole already is not repeated.
#   SEEDS=0 ITERATIONS=40 sh experiments/warm_start/run.sh     a rehearsal
set -e
SEEDS="${SEEDS:-0,1,2}"
CASE="dataset=fkp_crop degradation=fkp_shipped scale=4 trainer=cpu trainer.threads=1 tracking=none"
HOW="backbone@solver=none method.trace_every=5 seed=$SEEDS out=runs/warm_start"
if [ -n "$ITERATIONS" ]; then
    HOW="$HOW method.iterations=$ITERATIONS method.ssim_iterations=$((ITERATIONS / 5)) prior.first_update=$((ITERATIONS / 2))"
fi
for method in dip_fkp dip_dkp_plus double_dip; do
    python -m sr_lab run -m experiment=$method $CASE $HOW name=${method}_cold
done
for method in dip_fkp dip_dkp double_dip; do
    # the control has the schedule of the warm start, but starts cold
    python -m sr_lab run -m experiment=${method}_warm prior@start=none $CASE $HOW name=${method}_control
    python -m sr_lab run -m experiment=${method}_warm $CASE $HOW name=${method}_warm
done
