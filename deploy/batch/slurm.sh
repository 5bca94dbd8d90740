#!/usr/bin/env bash
# Embeds a collection as an array of jobs; every task takes its share of the files.
#   sbatch --array=1-32 deploy/batch/slurm.sh RECORDINGS OUT [flags of embed]
#SBATCH --job-name=cpc-embed
#SBATCH --cpus-per-task=4
#SBATCH --mem=4G
#SBATCH --time=04:00:00
#SBATCH --requeue
set -euo pipefail
recordings=$1 out=$2
shift 2
cd "${SLURM_SUBMIT_DIR:?run this with sbatch, from the root of cpc-stream}"
exec deno task --quiet embed --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
  --workers "${SLURM_CPUS_PER_TASK:-1}" --out "$out" "$@" "$recordings"
