#!/usr/bin/env bash
# Run the tests, all or the named parts, and print how long each part took.
#
#   scripts/run_tests.sh                 everything, two parts at a time (LANES names another number)
#   scripts/run_tests.sh fast            what needs no machines and runs no playbook (make test-fast), likewise
#   scripts/run_tests.sh lint units      these parts, one after the other
#   scripts/run_tests.sh molecule:ssh    one molecule scenario
#   scripts/run_tests.sh emulated        the scenarios that everything leaves out (make test-vm)
#
# All parts run even when one fails; the exit status says whether any did, and the summary what failed in
# them. Of parts that run side by side, each one's output is printed when it ends. All output is kept in
# .cache/tests/ until the next run.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export PATH="$PWD/.venv/bin:$PATH" PY_COLORS=0 ANSIBLE_NOCOLOR=1 NO_COLOR=1 COLUMNS=160
logs=.cache/tests

lint() {
    yamllint --strict . &&
        ruff check . && ruff format --check . &&
        ansible-lint --offline --strict
}

types() { mypy python_modules; }

# Generated pages and role READMEs must be what their sources say.
docs() { PYTHONPATH=python_modules python scripts/generate_docs.py --check; }

# Tests of one file share what they read, so a file stays with one worker.
units() { python -m pytest tests/unit -m "not ansible" --numprocesses 2 --dist loadfile; }

# Plugins and playbooks under Ansible itself, on this machine.
plugins() { python -m pytest tests/unit -m ansible --numprocesses 2 --dist loadfile; }

# The report's page in headless Chromium; pictures of it stay in .cache/tests/screenshots.
page() { python -m pytest tests/page; }

# Compiled firewalls in the kernel, between network namespaces.
firewall() { python -m pytest tests/firewall; }

# The benchmark's model against a real PyTorch, in an environment of the nodes' own lock.
bench() { scripts/bootstrap.sh bench && .venv-bench/bin/python -m pytest tests/bench; }

# The TensorFlow backend against PyTorch. Both frameworks are large, so it is not part of everything.
tensorflow() {
    scripts/bootstrap.sh bench && scripts/bootstrap.sh tensorflow &&
        GPULAB_TORCH_PYTHON=$PWD/.venv-bench/bin/python \
            .venv-tensorflow/bin/python -m pytest tests/tensorflow
}

# What must also work on the other ansible-core that is supported.
second-core() { scripts/second_core.sh; }

# Whole runs with something broken in the middle.
runs() { python -m pytest tests/runs; }

# A failed scenario is left with its machines by molecule; they must not outlive the test.
molecule-scenario() { molecule test --scenario-name "$1" --destroy always; }

# Fifty machines, swept over SSH.
sweep() { python -m pytest tests/sweep -s; }

# What failed in a part, by what was printed: of pytest its closing lines, of Ansible the failed tasks.
# Molecule draws a line before what it passes on.
reasons() {
    sed 's/\x1b\[[0-9;]*m//g; s/^ *│ //' "$1" |
        grep -aE '^((FAILED|ERROR) [^ ]+\.py|\[ERROR\]: |fatal: \[)' | cut -c 1-240 | tail -n 12 | sed 's/^/    /'
}

# Run one part; $line then says how it went.
run_part() {
    local began=$SECONDS status log=$logs/$1.log
    case $1 in
        molecule:*) molecule-scenario "${1#molecule:}" ;;
        lint | types | docs | units | plugins | page | firewall | bench | tensorflow | second-core | runs | sweep) "$1" ;;
        *) echo "there is no part $1" && false ;;
    esac 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    line=$(printf '%-22s %4d s   %s' "$1" $((SECONDS - began)) \
        "$([ "$status" = 0 ] && echo passed || { echo "FAILED ($status)" && reasons "$log"; })")
    return "$status"
}

# One part of several that run side by side: called by xargs below.
if [ "${1:-}" = --side-by-side ]; then
    echo "=== $2: started"
    run_part "$2" >/dev/null
    status=$?
    echo "$line" >>"$logs/summary"
    flock "$logs" -c "printf '\n=== %s\n' '$2'; cat '$logs/$2.log'"
    # Of 255 xargs would make an end of all.
    exit $((status != 0))
fi

# The longest come first, so that none is left over alone at the end. While the first scenario builds
# the images that the others start from, the other lane has parts that need none.
everything=(molecule:shapes lint types docs units plugins page firewall bench molecule:firewall
    molecule:nvidia_driver molecule:frameworks molecule:site runs molecule:vm molecule:firewall_packets
    molecule:pairs molecule:pairs_vm molecule:gpu_tools second-core molecule:mirror molecule:network
    molecule:base molecule:ssh sweep molecule:time molecule:hardware_tools)
fast=(lint units types docs)
# About half an hour each, nearly all of it emulation: beside the others they would not let
# the whole end in time. They are run by their names (make test-vm).
emulated=(molecule:nvidia_vm molecule:network_vm)

rm -rf "$logs" && mkdir -p "$logs" || exit
summary='' failed=0
if [ $# = 0 ] || [ "$*" = fast ]; then
    [ $# = 1 ] || echo "=== not among these: ${emulated[*]} (make test-vm)"
    if [ $# = 1 ]; then parts=("${fast[@]}"); else parts=("${everything[@]}"); fi
    printf '%s\n' "${parts[@]}" |
        xargs -n 1 -P "${LANES:-2}" scripts/run_tests.sh --side-by-side || failed=1
    summary=$(cat "$logs/summary")
else
    [ "$1" != emulated ] || set -- "${emulated[@]}"
    for part in "$@"; do
        printf '\n=== %s\n' "$part"
        run_part "$part" || failed=1
        summary+="$line"$'\n'
    done
fi
printf '\n=== summary (%d s)\n%s\n' "$SECONDS" "${summary%$'\n'}"
exit $failed
