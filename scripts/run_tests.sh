#!/usr/bin/env bash
# Run the tests, all or the named parts, and print how long each part took.
#
#   scripts/run_tests.sh                 everything
#   scripts/run_tests.sh lint units      these parts
#   scripts/run_tests.sh molecule:ssh    one molecule scenario
#
# All parts run even when one fails; the exit status says whether any did.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export PATH="$PWD/.venv/bin:$PATH" PY_COLORS=0 ANSIBLE_NOCOLOR=1 NO_COLOR=1

scenarios=(base ssh time frameworks nvidia_driver gpu_tools shapes mirror vm site)

lint() {
    yamllint --strict . &&
        ruff check . && ruff format --check . &&
        ansible-lint --offline --strict
}

types() { mypy python_modules; }

# Generated pages and role READMEs must be what their sources say.
docs() { python scripts/generate_docs.py --check; }

units() { python -m pytest tests/unit; }

# The benchmark's model against a real PyTorch, in an environment of the nodes' own lock.
bench() { scripts/bootstrap.sh bench && .venv-bench/bin/python -m pytest tests/bench; }

# What must also work on the other ansible-core that is supported.
second-core() { scripts/second_core.sh; }

# Whole runs with something broken in the middle.
runs() { python -m pytest tests/runs; }

molecule-scenario() {
    # A failed scenario is left with its machines by molecule; they must not outlive the test.
    molecule test --scenario-name "$1" --destroy always
}

parts=("$@")
if [ ${#parts[@]} = 0 ]; then
    parts=(lint types docs units bench)
    for scenario in "${scenarios[@]}"; do parts+=("molecule:$scenario"); done
    parts+=(second-core runs)
fi

summary=() failed=0
for part in "${parts[@]}"; do
    printf '\n=== %s\n' "$part"
    began=$SECONDS
    case $part in
        molecule:*) molecule-scenario "${part#molecule:}" ;;
        *) "$part" ;;
    esac
    status=$?
    [ $status = 0 ] || failed=1
    summary+=("$(printf '%-18s %4d s   %s' "$part" $((SECONDS - began)) \
        "$([ $status = 0 ] && echo passed || echo "FAILED ($status)")")")
done
printf '\n=== summary (%d s)\n' "$SECONDS"
printf '%s\n' "${summary[@]}"
exit $failed
