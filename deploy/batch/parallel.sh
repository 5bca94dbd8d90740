#!/usr/bin/env bash
# Embeds a collection with several processes of one machine, or of several by GNU parallel's
# --sshlogin. A run that was broken off goes on where it stopped.
#   deploy/batch/parallel.sh SHARDS RECORDINGS OUT [flags of embed]
set -euo pipefail
shards=$1 recordings=$2 out=$3
shift 3
cd "$(dirname "$0")/../.."
parallel --halt now,fail=1 --jobs "${JOBS:-50%}" --tag \
  deno task --quiet embed --shard "{}/$shards" --workers 2 --out "$out" "$@" "$recordings" \
  ::: $(seq "$shards")
