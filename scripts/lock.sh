#!/bin/sh
# Resolve the requirements again and write the lock files, with hashes and without any index's host.
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

# The nodes' locks, for every Python that the roles' platforms have.
for lock in pytorch/files/requirements-cuda tensorflow/files/requirements-cpu tensorflow/files/requirements-cuda; do
    compile --python-version 3.10 --no-annotate "$@" --output-file "roles/$lock.txt" "roles/$lock.in"
done

# PyTorch's CPU build is not on PyPI: it is taken from where pip is told to look for it
# (PIP_FIND_LINKS), else from PyTorch's own index.
lock=roles/pytorch/files/requirements-cpu
if [ -n "${PIP_FIND_LINKS:-}" ]; then
    compile --python-version 3.10 --no-annotate --find-links "$PIP_FIND_LINKS" "$@" \
        --output-file $lock.txt $lock.in
else
    compile --python-version 3.10 --no-annotate "$@" \
        --extra-index-url https://download.pytorch.org/whl/cpu --index-strategy unsafe-best-match \
        --output-file $lock.txt $lock.in
fi
