#!/bin/sh
# Prove that gpulab works on the newer ansible-core too: syntax, units, documentation and one molecule
# scenario, in an environment of Python 3.12 or newer (requirements-dev.txt has both releases, chosen
# by Python). With --check it only says whether such a Python is there.
set -eu
cd "$(dirname "$0")/.."

find_python() {
    for candidate in ${SECOND_PYTHON:-python3.13 python3.12 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13.*/bin/python3 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.12.*/bin/python3}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

python=$(find_python)
if [ -z "$python" ]; then
    echo "gpulab: the tests also run on the newer ansible-core, which needs Python 3.12 or newer, and none
is here: install python3.12 (Debian 12 has none: use pyenv or uv), or name one: SECOND_PYTHON=…" >&2
    exit 1
fi
[ "${1:-}" != --check ] || exit 0
GPULAB_VENV=.venv-second PYTHON=$python scripts/bootstrap.sh test
PATH="$PWD/.venv-second/bin:$PATH"
export PATH
# To its end, or Ansible complains of the broken pipe.
ansible --version | sed -n 1p
ansible-playbook --syntax-check site.yml
python -m pytest tests/unit --numprocesses 2 --dist loadfile
# One of the scenario's roles, and its tests; the part of that scenario waits meanwhile.
mkdir -p .cache
PYTEST_ADDOPTS="-k test_ssh.py" flock .cache/molecule-base.lock molecule test --scenario-name base --destroy always -- --extra-vars '{"base_only": ["ssh"]}'
