#!/bin/sh
# Resolve the requirements anew and write the lock files, with hashes and without any index's host.
# Needs uv (`pip install uv`), which resolves for every supported Python at once. Without --upgrade
# (`scripts/lock.sh --upgrade`) what is locked stays, and only what is new is added.
set -eu
cd "$(dirname "$0")/.."

compile() {
    uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header "$@"
}

for name in requirements requirements-dev requirements-mitogen requirements-bench; do
    compile --python-version 3.11 "$@" --output-file "$name.txt" "$name.in"
done
# The nodes' locks: see roles/pytorch/README.md for why the CPU build's is not resolved here.
